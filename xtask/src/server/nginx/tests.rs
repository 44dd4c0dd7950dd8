//! Against a real `nginx`.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::super::port::free_port;
use super::NginxServer;

/// Answers every request alike until this process ends.
struct Instance {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Instance {
    fn with_headers(headers: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut bytes = [0; 1024];
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    let length = stream.read(&mut bytes).unwrap();
                    head.extend_from_slice(&bytes[..length]);
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let head = String::from_utf8_lossy(&head).into_owned();
                let length = head.len();
                let answer = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{head}");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Takes requests, and hangs up before it answers.
fn one_that_hangs_up() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().read(&mut [0; 4096]);
        }
    });
    address
}

fn ask(proxy: &NginxServer, method: &str) -> String {
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    let request = format!("{method} /coat HTTP/1.1\r\nHost: hats.example:8\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
#[ignore = "needs nginx: run `cargo xtask test`"]
fn instances_are_asked_in_turn_and_learn_where_the_client_was() {
    let instances = [(); 3].map(|()| Instance::with_headers(""));
    let proxy = NginxServer::builder(instances.each_ref().map(|instance| instance.address)).start().unwrap();
    let answers: Vec<String> = (0..9).map(|_| ask(&proxy, "GET")).collect();
    let by: BTreeSet<_> = answers.iter().filter_map(|answer| header(answer, "X-Served-By")).collect();
    assert_eq!(by.len(), 3, "{by:?}");
    assert!(instances.iter().all(|instance| instance.requests() == 3));
    assert_eq!(header(&answers[0], "Host"), Some("hats.example:8"));
    assert_eq!(header(&answers[0], "X-Forwarded-Proto"), Some("http"));
    assert_eq!(header(&answers[0], "X-Cache-Status"), None);
}

#[test]
#[ignore = "needs nginx: run `cargo xtask test`"]
fn what_may_have_had_its_effect_is_not_repeated() {
    let good = Instance::with_headers("");
    let nobody = (std::net::Ipv4Addr::LOCALHOST, free_port().unwrap()).into();
    let proxy = NginxServer::builder([nobody, good.address]).start().unwrap();
    // Whoever refuses the connection has seen nothing.
    let answers: Vec<String> = (0..4).map(|_| ask(&proxy, "POST")).collect();
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");

    let proxy = NginxServer::builder([one_that_hangs_up(), good.address]).start().unwrap();
    let (read, written) = (ask(&proxy, "GET"), good.requests());
    assert!(read.starts_with("HTTP/1.1 200"), "{read}");
    let proxy = NginxServer::builder([one_that_hangs_up(), good.address]).start().unwrap();
    let answers: BTreeSet<String> = (0..2).map(|_| ask(&proxy, "POST")[..12].to_owned()).collect();
    assert_eq!(answers, ["HTTP/1.1 200", "HTTP/1.1 502"].map(str::to_owned).into());
    assert_eq!(good.requests(), written + 1);
}

#[test]
#[ignore = "needs nginx: run `cargo xtask test`"]
fn a_drained_instance_gets_nothing_until_it_is_back() {
    let instances = [(); 2].map(|()| Instance::with_headers(""));
    let [one, other] = instances.each_ref().map(|instance| instance.address);
    let mut proxy = NginxServer::builder([one, other]).start().unwrap();
    proxy.drain(&[one]).unwrap();
    (0..6).for_each(|_| drop(ask(&proxy, "GET")));
    assert_eq!(instances.each_ref().map(Instance::requests), [0, 6]);
    proxy.drain(&[]).unwrap();
    (0..6).for_each(|_| drop(ask(&proxy, "GET")));
    assert_eq!(instances.each_ref().map(Instance::requests), [3, 9]);
}

#[test]
#[ignore = "needs nginx: run `cargo xtask test`"]
fn pages_are_cached_as_far_as_their_headers_allow() {
    let asked = |headers: &'static str, directive: &str| {
        let instance = Instance::with_headers(headers);
        let proxy = NginxServer::builder([instance.address])
            .with_cache()
            .with_directives([directive])
            .start()
            .unwrap();
        let first = ask(&proxy, "GET");
        assert_eq!(header(&first, "X-Cache-Status"), Some("MISS"));
        let second = ask(&proxy, "GET");
        (header(&second, "X-Cache-Status").unwrap().to_owned(), instance.requests())
    };
    let (hit, miss) = (("HIT".to_owned(), 1), ("MISS".to_owned(), 2));
    assert_eq!(asked("", ""), hit);
    assert_eq!(asked("Cache-Control: public, max-age=60\r\n", ""), hit);
    assert_eq!(asked("Cache-Control: private\r\n", ""), miss);
    assert_eq!(asked("Cache-Control: no-store\r\n", ""), miss);
    assert_eq!(asked("Set-Cookie: a=b\r\n", ""), miss);
    assert_eq!(asked("Cache-Control: private\r\n", "proxy_ignore_headers Cache-Control;"), hit);
}

#[test]
#[ignore = "needs nginx: run `cargo xtask test`"]
fn tls_is_spoken_with_a_certificate_for_localhost() {
    let instance = Instance::with_headers("");
    let proxy = NginxServer::builder([instance.address]).with_tls().start().unwrap();
    let url = proxy.tls_url().unwrap();
    let mut client = Command::new("openssl");
    client.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile"]);
    client.arg(proxy.authority().unwrap()).args(["-connect", url.trim_start_matches("https://")]);
    let input = proxy.directory.join("request");
    std::fs::write(&input, "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let output = client.stdin(std::fs::File::open(&input).unwrap()).output().unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(header(&answer, "X-Forwarded-Proto"), Some("https"), "{answer}: {output:?}");
}

#[test]
#[ignore = "needs nginx: run `cargo xtask test`"]
fn a_wrong_directive_is_told_and_an_end_leaves_nobody() {
    let nowhere = (std::net::Ipv4Addr::LOCALHOST, 9).into();
    let error =
        NginxServer::builder([nowhere]).with_directives(["no_such_directive on;"]).start().unwrap_err();
    assert!(error.to_string().contains("no_such_directive"), "{error}");
    let proxy = NginxServer::builder([nowhere]).start().unwrap();
    let (address, directory) = (proxy.address(), proxy.directory.path().to_owned());
    assert!(ask(&proxy, "GET").starts_with("HTTP/1.1 502"));
    drop(proxy);
    assert!(TcpStream::connect(address).is_err());
    assert!(!directory.exists());
}
