//! Faults in what is done.

use super::{Planted, planted};
use crate::spoiled::{Fault, Reply};

pub(super) fn all() -> Vec<Planted> {
    let none = Fault::NONE;
    vec![
        planted(
            "revocations that are only said",
            Fault {
                request: |ask, _| match ask.path.as_str() {
                    "/revoke-others" if ask.token().is_some() => Some(Reply::new(200, "{\"revoked\":2}")),
                    "/revoke-all" if ask.token().is_some() => Some(Reply::new(200, "{\"revoked\":2}")),
                    path if path.starts_with("/sessions/") && path.len() > 40 => Some(Reply::new(204, "")),
                    _ => None,
                },
                ..none
            },
            &[
                "one_session_is_revoked_by_its_handle",
                "all_other_sessions_are_revoked",
                "all_sessions_are_revoked",
                "revoked_session_does_not_come_back",
                "own_session_is_revoked_by_its_handle",
                "rotated_session_is_spared_when_all_others_are_revoked",
                "remembered_sessions_are_listed_and_revoked",
                "login_before_all_are_revoked_is_over",
            ],
        ),
        planted(
            "requests of other sites that pass for our own",
            Fault {
                request: |ask, _| {
                    if ask.path == "/form" {
                        ask.headers.retain(|(name, _)| name != "sec-fetch-site" && name != "origin");
                        ask.headers.push(("sec-fetch-site".into(), b"same-origin".to_vec()));
                    }
                    None
                },
                ..none
            },
            &["requests_of_other_sites_are_refused"],
        ),
        planted(
            "nothing stored with a status of failure",
            Fault {
                request: |ask, _| {
                    let status = ask
                        .path
                        .strip_prefix("/set-then-status/")?
                        .parse()
                        .ok()
                        .filter(|code| *code >= 500)?;
                    Some(Reply::new(status, "").with("set-cookie", "__Host-session=x; Path=/"))
                },
                ..none
            },
            &["status_has_no_influence"],
        ),
        planted(
            "something stored by a panic",
            Fault {
                request: |ask, _| {
                    if ask.path == "/set-then-panic" {
                        ask.path = "/set-then-status/500".to_owned();
                    }
                    None
                },
                response: |ask, reply, _| {
                    if ask.path.starts_with("/set-then-status") {
                        reply.headers.retain(|(name, _)| name != "set-cookie");
                    }
                },
                ..none
            },
            &["panic_stores_nothing"],
        ),
        planted(
            "a write that is lost among many",
            Fault {
                request: |ask, memory| {
                    let write = matches!(ask.method.as_str(), "POST") && ask.path.contains("/v");
                    memory.count += usize::from(write);
                    (write && memory.count == 7).then(|| Reply::new(204, ""))
                },
                ..none
            },
            &["parallel_writes_under_different_names_all_stay"],
        ),
        planted(
            "an addition that is lost among many",
            Fault {
                request: |ask, memory| {
                    memory.count += usize::from(ask.path.ends_with("/add/n/1"));
                    (ask.path.ends_with("/add/n/1") && memory.count == 7).then(|| Reply::new(200, "7"))
                },
                ..none
            },
            &["parallel_additions_all_count", "mixed_crowd_keeps_everybody_apart"],
        ),
        planted(
            "a removal that takes all",
            Fault {
                request: |ask, _| {
                    if ask.method == "DELETE" {
                        (ask.method, ask.path) = ("POST".to_owned(), "/clear".to_owned());
                    }
                    None
                },
                ..none
            },
            &["removal_and_write_of_one_value_have_an_order", "removed_values_are_gone"],
        ),
        planted(
            "requests that are done many times",
            Fault {
                request: |ask, _| {
                    if ask.path.ends_with("/add/n/1") {
                        ask.path = ask.path.replace("/add/n/1", "/add/n/9");
                    }
                    None
                },
                ..none
            },
            &["visitors_who_go_away_leave_a_whole_session", "parallel_additions_all_count"],
        ),
        planted(
            "names without regard to case",
            Fault {
                request: |ask, _| {
                    ask.path = ask.path.to_lowercase();
                    None
                },
                ..none
            },
            &["names_are_taken_literally"],
        ),
        planted(
            "a principal who finds the values of another",
            Fault {
                request: |ask, _| {
                    if ask.path == "/login/eve" {
                        ask.path = "/login/ada".to_owned();
                    }
                    None
                },
                ..none
            },
            &[
                "another_principal_finds_nothing_of_the_first",
                "sessions_of_a_person_are_listed",
                "remembered_session_has_a_persistent_cookie",
            ],
        ),
    ]
}
