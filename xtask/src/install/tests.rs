//! What is done about a missing program.

use super::{Plan, Program, System, plan};

const BOTH: [Program; 2] = [Program::RedisServer, Program::Openssl];

#[test]
fn nothing_missing_nothing_done() {
    for system in [System::DebianAsRoot, System::Debian, System::Other] {
        assert_eq!(plan(&[], system), Plan::Ready);
    }
}

#[test]
fn root_on_debian_installs_only_what_is_missing() {
    let planned = plan(&[Program::RedisServer], System::DebianAsRoot);
    assert_eq!(planned, Plan::Install(vec!["redis-server"]));
}

#[test]
fn everybody_else_is_told_what_is_missing_and_how_to_get_it() {
    for system in [System::Debian, System::Other] {
        let Plan::Ask(message) = plan(&BOTH, system) else { panic!("{system:?} must ask") };
        assert!(message.contains("missing: redis-server, openssl"), "{message}");
        assert!(message.contains("--only memory"), "{message}");
        assert_eq!(message.contains("sudo apt-get install"), system == System::Debian, "{message}");
    }
}

#[test]
fn a_program_is_found_in_path() {
    // Cargo itself was found there to run this test, so PATH is not empty.
    assert!(super::is_program(std::path::Path::new("/bin/sh")));
    assert!(!super::is_program(std::path::Path::new("/bin")));
    assert!(!super::is_program(std::path::Path::new("/etc/passwd")));
}
