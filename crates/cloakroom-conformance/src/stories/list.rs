//! The lists of stories, and the macros that make a test of each.

/// Lists the stories: one `#[test]` a story, each with a line of its own.
///
/// The first argument is an expression for an [`App`](crate::stories::App); each test evaluates it anew. What
/// follows are attributes for every test: with `#[ignore = "why"]` a test that did not run says so.
///
/// ```no_run
/// # use std::net::SocketAddr;
/// # use cloakroom_conformance::stories::{App, Instance, Settings};
/// # struct Mine;
/// # struct Served(SocketAddr);
/// # impl App for Mine {
/// #     type Instance = Served;
/// #     async fn start(&self, _settings: Settings) -> Served { Served(([127, 0, 0, 1], 8080).into()) }
/// # }
/// # impl Instance for Served {
/// #     fn address(&self) -> SocketAddr { self.0 }
/// # }
/// cloakroom_conformance::stories_tests!(Mine, #[ignore = "needs a server"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[macro_export]
macro_rules! stories_tests {
    ($app:expr $(, #[$attribute:meta])* $(,)?) => {
        $crate::__stories! { [$crate::__story_tests] ($app) [$(#[$attribute])*] }
        $crate::__revocation_stories! { [$crate::__story_tests] ($app) [$(#[$attribute])*] }
        $crate::__compare_and_set_stories! { [$crate::__story_tests] ($app) [$(#[$attribute])*] }
    };
}

/// Lists the stories of a backend that lets clients carry their sessions, in place of
/// [`stories_tests!`](crate::stories_tests).
///
/// Stories that need a store are listed as well, ignored, with the reason why they do not apply. Others say
/// what such a backend is worth instead.
///
/// ```no_run
/// # use std::net::SocketAddr;
/// # use cloakroom_conformance::stories::{App, Instance, Keeps, Settings};
/// # struct Mine;
/// # struct Served(SocketAddr);
/// # impl App for Mine {
/// #     type Instance = Served;
/// #     async fn start(&self, _settings: Settings) -> Served { Served(([127, 0, 0, 1], 8080).into()) }
/// #     fn client_keeps(&self) -> Keeps { Keeps::Session }
/// # }
/// # impl Instance for Served {
/// #     fn address(&self) -> SocketAddr { self.0 }
/// # }
/// cloakroom_conformance::client_side_stories_tests!(Mine, #[ignore = "needs a server"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[macro_export]
macro_rules! client_side_stories_tests {
    ($app:expr $(, #[$attribute:meta])* $(,)?) => {
        $crate::__stories! { [$crate::__story_tests] ($app) [$(#[$attribute])*] }
        $crate::__client_side_stories! { [$crate::__story_tests] ($app) [$(#[$attribute])*] }
        $crate::__revocation_stories! {
            [$crate::__untold_stories] "does not apply: a session that its client carries cannot be taken back"
        }
        $crate::__compare_and_set_stories! {
            [$crate::__untold_stories] "does not apply: of two writes to a session that its client carries the last one wins"
        }
    };
}

/// Lists the stories that need an index of principals, as [`stories_tests!`](crate::stories_tests) does the
/// others.
///
/// ```no_run
/// # use std::net::SocketAddr;
/// # use cloakroom_conformance::stories::{App, Instance, Settings};
/// # struct Mine;
/// # struct Served(SocketAddr);
/// # impl App for Mine {
/// #     type Instance = Served;
/// #     async fn start(&self, _settings: Settings) -> Served { Served(([127, 0, 0, 1], 8080).into()) }
/// # }
/// # impl Instance for Served {
/// #     fn address(&self) -> SocketAddr { self.0 }
/// # }
/// cloakroom_conformance::index_stories_tests!(Mine, #[ignore = "needs a server"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[macro_export]
macro_rules! index_stories_tests {
    ($app:expr $(, #[$attribute:meta])* $(,)?) => {
        $crate::__index_stories! { [$crate::__story_tests] ($app) [$(#[$attribute])*] }
    };
}

/// Lists the stories of a backend without an index of principals, in place of
/// [`index_stories_tests!`](crate::index_stories_tests).
///
/// ```no_run
/// # use std::net::SocketAddr;
/// # use cloakroom_conformance::stories::{App, Instance, Settings};
/// # struct Mine;
/// # struct Served(SocketAddr);
/// # impl App for Mine {
/// #     type Instance = Served;
/// #     async fn start(&self, _settings: Settings) -> Served { Served(([127, 0, 0, 1], 8080).into()) }
/// # }
/// # impl Instance for Served {
/// #     fn address(&self) -> SocketAddr { self.0 }
/// # }
/// cloakroom_conformance::no_index_stories_tests!(Mine, #[ignore = "needs a server"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[macro_export]
macro_rules! no_index_stories_tests {
    ($app:expr $(, #[$attribute:meta])* $(,)?) => {
        $crate::__no_index_stories! { [$crate::__story_tests] ($app) [$(#[$attribute])*] }
    };
}

/// Makes a test of each story.
#[doc(hidden)]
#[macro_export]
macro_rules! __story_tests {
    ($app:tt $attributes:tt $($module:ident { $($story:ident)+ })+) => {
        $( $( $crate::__story_tests! { @one $app $attributes $module $story } )+ )+
    };
    (@one ($app:expr) [$($attribute:tt)*] $module:ident $story:ident) => {
        #[test]
        $($attribute)*
        fn $story() {
            let app = $app;
            $crate::stories::tell($crate::stories::$module::$story(&app));
        }
    };
}

/// Makes an ignored test of each story, with the reason.
#[doc(hidden)]
#[macro_export]
macro_rules! __untold_stories {
    ($why:literal $($module:ident { $($story:ident)+ })+) => {
        $( $(
            #[test]
            #[ignore = $why]
            fn $story() {
                panic!($why);
            }
        )+ )+
    };
}

/// Hands the stories of every backend to another macro, grouped by module.
#[doc(hidden)]
#[macro_export]
macro_rules! __stories {
    ([$($then:tt)+] $($arguments:tt)*) => {
        $($then)+! {
            $($arguments)*
            caching {
                caches_are_kept_away
            }
            cookies {
                first_write_sets_a_guarded_cookie
                cookie_is_named_and_guarded_as_configured
                logout_takes_the_cookie_away
                remembered_session_has_a_persistent_cookie
                memory_has_limits
                remembered_session_outlives_the_idle_time
            }
            crowds {
                removal_and_write_of_one_value_have_an_order
                parallel_first_writes_begin_two_sessions
            }
            endings {
                status_has_no_influence
                panic_stores_nothing
                streams_are_left_as_they_are
                late_write_is_refused
                visitors_who_go_away_leave_a_whole_session
            }
            expiry {
                idle_session_ends
                session_in_use_lives_on
                session_in_use_ends_at_its_absolute_age
                login_begins_a_new_absolute_time
            }
            flashes {
                messages_come_once
                messages_survive_a_login
            }
            forgeries {
                requests_of_other_sites_are_refused
                forms_need_a_token_of_their_session
                token_of_a_form_changes_at_login_rotation_and_logout
            }
            headers {
                token_travels_in_a_header
            }
            hostile {
                forged_tokens_are_absent_ones
                tokens_of_other_services_are_absent_ones
                token_of_the_clients_choice_is_never_adopted
                two_authentic_tokens_count_as_none
                cookie_headers_are_read_byte_for_byte
                trace_is_not_echoed
            }
            limits {
                too_large_stores_nothing
                full_session_takes_nothing_more
                malformed_bodies_store_nothing
            }
            logins {
                another_principal_finds_nothing_of_the_first
                parallel_logins_leave_the_visitor_logged_in
            }
            quiet {
                untouched_session_leaves_no_trace
                reading_an_empty_session_sets_no_cookie
                changing_nothing_sets_no_cookie
            }
            values {
                values_of_any_shape_come_back
                removed_values_are_gone
                names_are_taken_literally
                numbers_add_up
                visitors_do_not_see_each_other
                session_is_new_once
            }
        }
    };
}

/// Hands the stories that need an index to another macro, grouped by module.
#[doc(hidden)]
#[macro_export]
macro_rules! __index_stories {
    ([$($then:tt)+] $($arguments:tt)*) => {
        $($then)+! {
            $($arguments)*
            index {
                sessions_of_a_person_are_listed
                listed_handle_is_no_token
                one_session_is_revoked_by_its_handle
                own_session_is_revoked_by_its_handle
                all_other_sessions_are_revoked
                rotated_session_is_spared_when_all_others_are_revoked
                all_sessions_are_revoked
                login_before_all_are_revoked_is_over
                revoked_session_does_not_come_back
                remembered_sessions_are_listed_and_revoked
                listing_follows_the_sessions
            }
            session_limit {
                limit_evicts_the_oldest_login
                parallel_logins_stay_within_the_limit
                evicted_session_does_not_come_back
                login_again_is_not_counted_twice
                ended_sessions_take_no_place
            }
        }
    };
}

/// Hands the stories of a backend without an index to another macro, grouped by module.
#[doc(hidden)]
#[macro_export]
macro_rules! __no_index_stories {
    ([$($then:tt)+] $($arguments:tt)*) => {
        $($then)+! {
            $($arguments)*
            no_index {
                listings_are_refused_by_name
            }
        }
    };
}

/// Hands the stories that need a token which can be taken back to another macro, grouped by module.
#[doc(hidden)]
#[macro_export]
macro_rules! __revocation_stories {
    ([$($then:tt)+] $($arguments:tt)*) => {
        $($then)+! {
            $($arguments)*
            logins {
                login_rotates_the_token_and_keeps_the_values
                planted_token_is_worthless_after_the_login
                parked_write_does_not_reach_the_session_of_a_login
                parked_write_does_not_bring_a_session_back
                parked_reader_is_not_disturbed_by_a_logout
                logged_out_token_stays_dead
                rotation_changes_nothing_but_the_token
            }
        }
    };
}

/// Hands the stories that need a token which stays while the session changes, and a store that compares, to
/// another macro, grouped by module.
#[doc(hidden)]
#[macro_export]
macro_rules! __compare_and_set_stories {
    ([$($then:tt)+] $($arguments:tt)*) => {
        $($then)+! {
            $($arguments)*
            crowds {
                parallel_writes_under_different_names_all_stay
                parallel_additions_all_count
                mixed_crowd_keeps_everybody_apart
            }
            quiet {
                unchanged_token_is_not_sent_again
            }
        }
    };
}

/// Hands the stories of a backend that lets clients carry their sessions to another macro, grouped by module.
#[doc(hidden)]
#[macro_export]
macro_rules! __client_side_stories {
    ([$($then:tt)+] $($arguments:tt)*) => {
        $($then)+! {
            $($arguments)*
            client_side {
                copied_cookie_goes_on_to_its_deadline
                every_cookie_fits_into_a_browser
            }
        }
    };
}
