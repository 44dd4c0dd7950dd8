use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{DataDirectory, kept_secret};
use crate::scratch::Scratch;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn secret_is_drawn_once_and_for_nobody_else() {
    let home = Scratch::new();
    let data = DataDirectory::of(&home.join("accounts.sqlite3")).unwrap();
    data.key_ring(None).unwrap();
    let secret = kept_secret(&home.join("secret")).unwrap();
    assert_eq!((mode(&home), mode(&home.join("secret"))), (0o700, 0o600));
    data.key_ring(None).unwrap();
    assert_eq!(kept_secret(&home.join("secret")).unwrap(), secret);
    assert_eq!(fs::read_dir(&home).unwrap().count(), 2, "the database and the secret: no draft is left");
}

#[test]
fn instances_that_start_together_share_the_secret() {
    let home = Scratch::new();
    DataDirectory::of(&home.join("accounts.sqlite3")).unwrap();
    // As another instance would, between the look and the link.
    super::draw_secret(&home.join("secret")).unwrap();
    let first = kept_secret(&home.join("secret")).unwrap();
    super::draw_secret(&home.join("secret")).unwrap();
    assert_eq!(kept_secret(&home.join("secret")).unwrap(), first);
}

#[test]
fn secret_that_others_can_read_is_refused() {
    let home = Scratch::new();
    let data = DataDirectory::of(&home.join("accounts.sqlite3")).unwrap();
    data.key_ring(None).unwrap();
    fs::set_permissions(home.join("secret"), Permissions::from_mode(0o640)).unwrap();
    let refused = data.key_ring(None).unwrap_err();
    assert!(refused.contains("chmod 600"), "{refused}");
}

#[test]
fn databases_that_others_can_read_are_refused() {
    let home = Scratch::new();
    let file = home.join("accounts.sqlite3");
    let data = DataDirectory::of(&file).unwrap();
    data.sessions_url().unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(DataDirectory::of(&file).unwrap_err().contains("chmod 600"));
    fs::set_permissions(home.join("sessions.sqlite3"), Permissions::from_mode(0o620)).unwrap();
    assert!(data.sessions_url().unwrap_err().contains("chmod 600"));
}

#[test]
fn odd_paths_are_written_as_a_url_and_made_for_nobody_else() {
    let home = Scratch::new();
    let odd = home.join("a b/50%?#/é");
    let data = DataDirectory::of(&odd.join("accounts.sqlite3")).unwrap();
    let url = data.sessions_url().unwrap();
    assert!(url.ends_with("/a%20b/50%25%3F%23/%C3%A9/sessions.sqlite3"), "{url}");
    for file in ["accounts.sqlite3", "sessions.sqlite3"] {
        assert_eq!(mode(&odd.join(file)), 0o600, "{file}");
    }
}
