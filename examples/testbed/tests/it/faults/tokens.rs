//! Faults in which token opens what.

use super::{Planted, planted};
use crate::spoiled::{Fault, Reply};

pub(super) fn all() -> Vec<Planted> {
    let none = Fault::NONE;
    let heirs = Fault {
        request: |ask, memory| {
            while let Some(heir) = ask.token().and_then(|token| memory.heirs.get(&token).cloned()) {
                ask.set_token(&heir);
            }
            None
        },
        response: |ask, reply, memory| {
            if let (Some(old), Some(new)) = (ask.token(), reply.token()) {
                memory.heirs.insert(old, new);
            }
        },
        ..none
    };
    let crowd = Fault {
        request: |ask, memory| {
            if let Some(latest) = memory.latest.clone() {
                ask.set_token(&latest);
            }
            None
        },
        response: |_, reply, memory| memory.latest = reply.token().or_else(|| memory.latest.take()),
        ..none
    };
    vec![
        planted(
            "an old or chosen token that opens what came after it",
            heirs,
            &[
                "login_rotates_the_token_and_keeps_the_values",
                "planted_token_is_worthless_after_the_login",
                "rotation_changes_nothing_but_the_token",
                "token_of_the_clients_choice_is_never_adopted",
                "logged_out_token_stays_dead",
            ],
        ),
        planted(
            "one session for everybody",
            crowd,
            &[
                "visitors_do_not_see_each_other",
                "parallel_first_writes_begin_two_sessions",
                "mixed_crowd_keeps_everybody_apart",
                "forged_tokens_are_absent_ones",
                "listed_handle_is_no_token",
            ],
        ),
        planted(
            "a token that anybody's secrets make",
            Fault {
                request: |ask, _| {
                    let mine = |token: &String| token.len() == 71 && ask.method == "GET";
                    let known = ask.token().is_some_and(|token| mine(&token));
                    known.then(|| Reply::new(200, r#"{"new":false,"keys":["mine"],"principal":null}"#))
                },
                ..none
            },
            &["tokens_of_other_services_are_absent_ones", "forged_tokens_are_absent_ones"],
        ),
        planted(
            "the first of two tokens",
            Fault {
                request: |ask, _| {
                    if let Some(token) = ask.token() {
                        ask.set_token(&token);
                    }
                    None
                },
                ..none
            },
            &["two_authentic_tokens_count_as_none", "cookie_headers_are_read_byte_for_byte"],
        ),
        planted(
            "cookies without regard to case",
            Fault {
                request: |ask, _| {
                    for (_, value) in ask.headers.iter_mut().filter(|(name, _)| name == "cookie") {
                        let text = String::from_utf8_lossy(value).replace("__host-session", "__Host-session");
                        *value = text.into_bytes();
                    }
                    None
                },
                ..none
            },
            &["cookie_headers_are_read_byte_for_byte"],
        ),
        planted(
            "cookies in quotes",
            Fault {
                request: |ask, _| {
                    for (_, value) in ask.headers.iter_mut().filter(|(name, _)| name == "cookie") {
                        value.retain(|byte| *byte != b'"');
                    }
                    None
                },
                ..none
            },
            &["cookie_headers_are_read_byte_for_byte", "forged_tokens_are_absent_ones"],
        ),
        planted(
            "an echo",
            Fault {
                request: |ask, _| {
                    let echo = ask
                        .headers
                        .iter()
                        .map(|(_, value)| String::from_utf8_lossy(value))
                        .collect::<String>();
                    (ask.method == "TRACE").then(|| Reply::new(405, &echo))
                },
                ..none
            },
            &["trace_is_not_echoed"],
        ),
        planted(
            "a logout that is only said",
            Fault {
                request: |ask, _| {
                    (ask.path == "/logout").then(|| {
                        let line = "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0; \
                            Expires=Thu, 01 Jan 1970 00:00:00 GMT";
                        Reply::new(204, "").with("set-cookie", line)
                    })
                },
                ..none
            },
            &[
                "logged_out_token_stays_dead",
                "parked_write_does_not_bring_a_session_back",
                "parked_reader_is_not_disturbed_by_a_logout",
                "logout_takes_the_cookie_away",
                "listing_follows_the_sessions",
            ],
        ),
        planted(
            "refusals with a cookie",
            Fault {
                response: |_, reply, _| {
                    if reply.status == 409 {
                        reply.headers.push(("set-cookie".into(), "__Host-session=; Max-Age=0".into()));
                    }
                },
                ..none
            },
            &[
                "planted_token_is_worthless_after_the_login",
                "parked_write_does_not_reach_the_session_of_a_login",
                "parked_write_does_not_bring_a_session_back",
                "revoked_session_does_not_come_back",
            ],
        ),
    ]
}
