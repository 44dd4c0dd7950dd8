use super::{Adapter, Command, Cookie, Options};

fn read(line: &str) -> Result<Command, String> {
    Command::read(line.split_whitespace().map(str::to_owned))
}

#[test]
fn nothing_said_is_axum_on_the_loopback_with_a_secure_cookie() {
    let listen = ([127, 0, 0, 1], 3000).into();
    let options = Options { adapter: Adapter::Axum, listen, cookie: Cookie::Secure };
    assert_eq!(read(""), Ok(Command::Serve(options)));
}

#[test]
fn every_option_is_read_with_a_space_and_with_an_equals_sign() {
    let listen = ([127, 0, 0, 1], 0).into();
    let options = Options { adapter: Adapter::Actix, listen, cookie: Cookie::Insecure };
    for line in [
        "--adapter actix --listen 127.0.0.1:0 --insecure-cookie",
        "--insecure-cookie --listen=127.0.0.1:0 --adapter=actix",
    ] {
        assert_eq!(read(line), Ok(Command::Serve(options)), "{line}");
    }
    assert_eq!(read("--adapter actix --help"), Ok(Command::Help));
}

#[test]
fn what_cannot_be_read_is_named() {
    for (line, reason) in [
        ("--adapter warp", "--adapter is `axum` or `actix`, not `warp`"),
        ("--adapter", "--adapter needs a value"),
        ("--listen 3000", "--listen is an address with its port, such as 127.0.0.1:3000, not `3000`"),
        ("--insecure-cookie=no", "--insecure-cookie takes no value"),
        ("--port 3000", "there is no option `--port`"),
        ("serve", "there is no option `serve`"),
    ] {
        assert_eq!(read(line), Err(reason.to_owned()), "{line}");
    }
}
