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
fn a_package_with_two_programs_is_installed_once() {
    let planned =
        plan(&[Program::Mariadbd, Program::Memcached, Program::MariadbInstallDb], System::DebianAsRoot);
    assert_eq!(planned, Plan::Install(vec!["mariadb-server-core", "memcached"]));
}

#[test]
fn a_browser_comes_with_its_driver() {
    let planned = plan(&[Program::Chromium, Program::Chromedriver], System::DebianAsRoot);
    assert_eq!(planned, Plan::Install(vec!["chromium", "chromium-driver"]));
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

#[test]
fn the_newest_version_comes_first() {
    let directory = std::env::temp_dir().join(format!("cloakroom-versions-{}", std::process::id()));
    for name in ["9", "15", "contrib", "16"] {
        std::fs::create_dir_all(directory.join(name)).unwrap();
    }
    let names: Vec<_> =
        super::versions(&directory).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["16", "15", "9"]);
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(super::versions(&directory).is_empty());
}
