//! Faults in statuses and bodies.

use super::{Planted, planted};
use crate::spoiled::Fault;

pub(super) fn all() -> Vec<Planted> {
    let none = Fault::NONE;
    vec![
        planted(
            "refusals as successes",
            Fault {
                response: |_, reply, _| {
                    if matches!(reply.status, 400 | 409 | 413 | 422) {
                        reply.status = 204;
                    }
                },
                ..none
            },
            &[
                "too_large_stores_nothing",
                "full_session_takes_nothing_more",
                "malformed_bodies_store_nothing",
                "numbers_add_up",
                "memory_has_limits",
                "parked_write_does_not_bring_a_session_back",
            ],
        ),
        planted(
            "forged forms with a status of success",
            Fault {
                response: |ask, reply, _| {
                    if ask.path == "/form" && reply.status == 403 {
                        reply.status = 204;
                    }
                },
                ..none
            },
            &[
                "forms_need_a_token_of_their_session",
                "token_of_a_form_changes_at_login_rotation_and_logout",
                "requests_of_other_sites_are_refused",
            ],
        ),
        planted(
            "readers who are refused",
            Fault {
                response: |ask, reply, _| {
                    if ask.path.ends_with("/read") {
                        reply.status = 409;
                    }
                },
                ..none
            },
            &["parked_reader_is_not_disturbed_by_a_logout"],
        ),
        planted(
            "a late write that is said to be saved",
            Fault { response: |_, reply, _| reply.edit_body("refused", "saved"), ..none },
            &["late_write_is_refused"],
        ),
        planted(
            "messages that come again",
            Fault {
                response: |ask, reply, _| {
                    if ask.path == "/flash" && ask.method == "GET" {
                        reply.edit_body("[]", "[\"saved\"]");
                    }
                },
                ..none
            },
            &[
                "messages_come_once",
                "another_principal_finds_nothing_of_the_first",
                "messages_survive_a_login",
            ],
        ),
        planted(
            "a beginning that moves",
            Fault {
                response: |_, reply, memory| {
                    memory.count += 1;
                    let text = String::from_utf8_lossy(&reply.body).into_owned();
                    if let Some(at) = text.find("\"created_at\":") {
                        let number = at + "\"created_at\":".len();
                        let end = number + text[number..].find([',', '}']).unwrap();
                        reply.body =
                            format!("{}{}{}", &text[..number], memory.count, &text[end..]).into_bytes();
                    }
                },
                ..none
            },
            &[
                "session_is_new_once",
                "removed_values_are_gone",
                "login_rotates_the_token_and_keeps_the_values",
                "rotation_changes_nothing_but_the_token",
            ],
        ),
        planted(
            "floats of half the precision",
            Fault { response: |_, reply, _| reply.edit_body("1.5e-7", "1.5e-6"), ..none },
            &["values_of_any_shape_come_back"],
        ),
        planted(
            "everybody's session as the current one",
            Fault {
                response: |_, reply, _| reply.edit_body("\"current\":false", "\"current\":true"),
                ..none
            },
            &["sessions_of_a_person_are_listed"],
        ),
        planted(
            "listings from a cache",
            Fault {
                response: |ask, reply, memory| {
                    if ask.path == "/sessions" && reply.status == 200 {
                        let first = memory.listings.entry(ask.token()).or_insert_with(|| reply.body.clone());
                        reply.body.clone_from(first);
                    }
                },
                ..none
            },
            &["listing_follows_the_sessions"],
        ),
        planted("an index where none is promised", none, &["listings_are_refused_by_name"]),
    ]
}
