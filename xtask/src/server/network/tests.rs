//! Hosts that reach each other, and do not.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{Host, NAMED, Network};

/// How long nothing must come from where nothing shall.
const SILENCE: Duration = Duration::from_millis(300);
/// How long it may take to reach whom one shall reach.
const PATIENCE: Duration = Duration::from_secs(5);

/// A listener at a host that says a word to everybody.
fn listen(host: &Host) -> SocketAddr {
    let listener = host.within(|| TcpListener::bind((host.address(), 0)).unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"coat");
        }
    });
    address
}

fn reaches(host: &Host, address: SocketAddr, patience: Duration) -> bool {
    let answer = host.within(|| {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        let mut word = [0; 4];
        stream.read_exact(&mut word)?;
        Ok::<_, std::io::Error>(word)
    });
    match answer.unwrap() {
        Ok(word) => word == *b"coat",
        // In silence, not by a refusal.
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error:?}");
            false
        }
    }
}

#[test]
#[ignore = "needs namespaces: run `cargo xtask test`"]
fn wires_are_pulled_and_hosts_kept_apart_in_silence() {
    let network = Network::with_hosts(3).unwrap();
    let [one, two, three] = network.hosts() else { panic!("three hosts") };
    let at = [one, two, three].map(listen);
    let exactly = |expected: &[(usize, usize)]| {
        let mut pairs = Vec::new();
        for (from, host) in [one, two, three].into_iter().enumerate() {
            for (to, address) in at.iter().enumerate().filter(|(to, _)| *to != from) {
                let pair = (from + 1, to + 1);
                let patience = if expected.contains(&pair) { PATIENCE } else { SILENCE };
                if reaches(host, *address, patience) {
                    pairs.push(pair);
                }
            }
        }
        assert_eq!(pairs, expected);
    };
    let everybody = [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)];
    exactly(&everybody);

    network.pull(&[one]).unwrap();
    exactly(&[(2, 3), (3, 2)]);
    assert!(one.is_cut_off() && !two.is_cut_off());
    network.mend().unwrap();
    exactly(&everybody);
    assert!(!one.is_cut_off());

    network.separate(&[one], &[two]).unwrap();
    exactly(&[(1, 3), (2, 3), (3, 1), (3, 2)]);
    network.mend().unwrap();
    exactly(&everybody);
}

#[test]
#[ignore = "needs namespaces: run `cargo xtask test`"]
fn networks_are_apart_and_leave_no_name() {
    let networks = [Network::with_hosts(1).unwrap(), Network::with_hosts(1).unwrap()];
    let [one, other] = networks.each_ref().map(|network| &network.hosts()[0]);
    assert_eq!(one.address(), other.address());
    let address = listen(one);
    assert!(reaches(one, address, PATIENCE));
    let refused = other.within(|| TcpStream::connect_timeout(&address, SILENCE).is_err()).unwrap();
    assert!(refused);
    // Nor does the machine reach it.
    assert!(TcpStream::connect_timeout(&address, SILENCE).is_err());
    let names = std::fs::read_dir(NAMED).into_iter().flatten().flatten();
    let ours = names.filter(|name| name.file_name().to_string_lossy().starts_with("cloakroom-")).count();
    // Another test may be making one now.
    assert!(ours < 10, "{ours}");
    assert!(one.address() != Ipv4Addr::LOCALHOST);
}
