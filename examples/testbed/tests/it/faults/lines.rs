//! Faults in the headers of responses.

use cloakroom_conformance::stories;

use super::{Planted, planted};
use crate::spoiled::Fault;

pub(super) fn all() -> Vec<Planted> {
    let none = Fault::NONE;
    vec![
        planted(
            "a cookie with every response",
            Fault {
                response: |ask, reply, _| {
                    if reply.token().is_none() && !ask.path.starts_with("/logout") {
                        reply.headers.push(("set-cookie".into(), "__Host-session=x; Path=/".into()));
                    }
                },
                ..none
            },
            &[
                "untouched_session_leaves_no_trace",
                "reading_an_empty_session_sets_no_cookie",
                "changing_nothing_sets_no_cookie",
                "unchanged_token_is_not_sent_again",
            ],
        ),
        planted(
            "cookies without Secure",
            Fault { response: |_, reply, _| reply.edit("set-cookie", " Secure;", ""), ..none },
            &["first_write_sets_a_guarded_cookie", "cookie_is_named_and_guarded_as_configured"],
        ),
        planted(
            "a removal with other attributes",
            Fault {
                response: |_, reply, _| reply.edit("set-cookie", "Lax; Max-Age=0", "Strict; Max-Age=0"),
                ..none
            },
            &["logout_takes_the_cookie_away"],
        ),
        planted(
            "a longer Max-Age",
            Fault {
                response: |_, reply, _| reply.edit("set-cookie", "Max-Age=34560000", "Max-Age=69120000"),
                ..none
            },
            &["memory_has_limits"],
        ),
        planted(
            "no Max-Age",
            Fault { response: |_, reply, _| reply.edit("set-cookie", "; Max-Age=3", "; X=3"), ..none },
            &["remembered_session_has_a_persistent_cookie", "memory_has_limits"],
        ),
        planted(
            "a token that caches may keep",
            Fault {
                response: |_, reply, _| {
                    if reply.token().is_some() {
                        reply.edit("cache-control", "no-store", "private");
                    }
                },
                ..none
            },
            &["caches_are_kept_away"],
        ),
        planted(
            "a logged-in page that caches may keep",
            Fault {
                response: |ask, reply, _| {
                    if ask.path == "/session" {
                        reply.edit("cache-control", "no-store", "private");
                    }
                },
                ..none
            },
            &["caches_are_kept_away"],
        ),
        planted(
            "no Vary",
            Fault { response: |_, reply, _| reply.headers.retain(|(name, _)| name != "vary"), ..none },
            &["caches_are_kept_away", "token_travels_in_a_header", "streams_are_left_as_they_are"],
        ),
        planted(
            "a header whose token is not taken away",
            Fault {
                response: |_, reply, _| {
                    reply.headers.retain(|(name, value)| name != "x-session" || !value.is_empty())
                },
                ..none
            },
            &["token_travels_in_a_header"],
        ),
        planted("a stream that is kept back", none, &["streams_are_left_as_they_are"]),
        planted(
            "a session that does not end when it should, and a cookie under the usual name",
            Fault { settings: |_| (stories::Settings::new(), &[]), ..none },
            &[
                "idle_session_ends",
                "session_in_use_ends_at_its_absolute_age",
                "remembered_session_outlives_the_idle_time",
                "cookie_is_named_and_guarded_as_configured",
                "token_travels_in_a_header",
                "limit_evicts_the_oldest_login",
                "parallel_logins_stay_within_the_limit",
                "evicted_session_does_not_come_back",
                "login_again_is_not_counted_twice",
            ],
        ),
        planted(
            "a session that is not kept alive",
            Fault { settings: |settings| (settings, &["--touch-interval", "799ms"]), ..none },
            &["session_in_use_lives_on"],
        ),
        planted(
            "a limit of one session, whatever was asked for",
            Fault { settings: |_| (stories::Settings::new().with_max_sessions(1), &[]), ..none },
            &["ended_sessions_take_no_place", "login_again_is_not_counted_twice"],
        ),
        planted(
            "a token that a login does not hand out",
            Fault {
                response: |ask, reply, _| {
                    if ask.path.starts_with("/login") {
                        reply.headers.retain(|(name, _)| name != "set-cookie");
                    }
                },
                ..none
            },
            &[
                "login_rotates_the_token_and_keeps_the_values",
                "login_begins_a_new_absolute_time",
                "parallel_logins_leave_the_visitor_logged_in",
                "messages_survive_a_login",
            ],
        ),
    ]
}
