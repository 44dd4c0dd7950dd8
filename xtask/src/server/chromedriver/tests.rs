//! Against a real `chromedriver` and a real browser.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::{ChromedriverServer, descendants, family};

#[test]
#[ignore = "needs chromium: run `cargo xtask test`"]
fn a_browser_ends_with_its_driver_in_all_of_its_processes() {
    let driver = ChromedriverServer::start().unwrap();
    let directory = driver.directory().to_owned();
    assert_eq!(driver.processes(), 0);
    let profile = format!("--user-data-dir={}", directory.join("profile").display());
    let arguments =
        ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", &profile];
    let wanted =
        json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } })
            .to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", driver.port)).unwrap();
    let (length, port) = (wanted.len(), driver.port);
    let head = format!(
        "POST /session HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{wanted}").as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.contains("sessionId"), "{answer}");

    let browsers = descendants(driver.process.pid());
    assert!(browsers.len() > 2, "{browsers:?}");
    drop(driver);
    let alive: Vec<_> = browsers.into_iter().filter(|id| family::is_alive(*id)).collect();
    assert_eq!(alive, []);
    assert!(!directory.exists());
}
