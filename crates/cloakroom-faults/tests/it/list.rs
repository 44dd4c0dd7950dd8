//! Which runs there are, and on which backends: a new backend is one line in each list.

use crate::bench::{Effort, run_for};
use crate::servers;

/// Makes a test of each run that any backend with a server of its own can have.
macro_rules! runs {
    ($module:ident, $backend:expr, $effort:expr, #[$ignore:meta] $($more:ident::$run:ident)*) => {
        mod $module {
            use super::*;

            runs! { @each ($backend) ($effort) #[$ignore]
                crash::server_crashes_under_load
                freeze::server_freezes_under_load
                freeze::crowd_waits_for_a_frozen_server
                resets::connection_is_reset_at_every_byte_of_every_reply
                resets::every_connection_is_reset_in_the_middle
                weather::network_is_slow_silent_and_gone
                nonsense::replies_are_garbage_or_come_twice
                aborts::application_dies_between_any_two_store_calls
                $($more::$run)*
            }
        }
    };
    (@each ($backend:expr) ($effort:expr) #[$ignore:meta] $($file:ident::$test:ident)+) => {
        $(
            #[test]
            #[$ignore]
            fn $test() {
                run_for($effort, crate::$file::$test($backend, $effort));
            }
        )+
    };
}

runs!(
    redis,
    servers::REDIS,
    Effort::Bounded,
    #[ignore = "needs redis: run `cargo xtask test`"]
    connections::connections_are_ended_under_load
);
runs!(
    redis_at_length,
    servers::REDIS,
    Effort::Long,
    #[ignore = "faults redis: run `cargo xtask faults`"]
    connections::connections_are_ended_under_load
);
runs!(
    postgres,
    servers::POSTGRES,
    Effort::Bounded,
    #[ignore = "needs postgres: run `cargo xtask test`"]
    connections::connections_are_ended_under_load
);
runs!(
    postgres_at_length,
    servers::POSTGRES,
    Effort::Long,
    #[ignore = "faults postgres: run `cargo xtask faults`"]
    connections::connections_are_ended_under_load
);
runs!(
    mariadb,
    servers::MARIADB,
    Effort::Bounded,
    #[ignore = "needs mariadb: run `cargo xtask test`"]
    connections::connections_are_ended_under_load
);
runs!(
    mariadb_at_length,
    servers::MARIADB,
    Effort::Long,
    #[ignore = "faults mariadb: run `cargo xtask faults`"]
    connections::connections_are_ended_under_load
);
// Memcached has no command that ends connections.
runs!(memcached, servers::MEMCACHED, Effort::Bounded, #[ignore = "needs memcached: run `cargo xtask test`"]);
runs!(memcached_at_length, servers::MEMCACHED, Effort::Long, #[ignore = "faults memcached: run `cargo xtask faults`"]);

/// One of three servers is harmed, and the others are not.
mod three_memcacheds {
    use super::*;

    #[test]
    #[ignore = "needs memcached: run `cargo xtask test`"]
    fn one_of_three_crashes_under_load() {
        run_for(Effort::Bounded, crate::many::one_of_three_crashes_under_load(Effort::Bounded));
    }

    #[test]
    #[ignore = "needs memcached: run `cargo xtask test`"]
    fn one_of_three_freezes_under_load() {
        run_for(Effort::Bounded, crate::many::one_of_three_freezes_under_load(Effort::Bounded));
    }
}

mod three_memcacheds_at_length {
    use super::*;

    #[test]
    #[ignore = "faults memcached: run `cargo xtask faults`"]
    fn one_of_three_crashes_under_load() {
        run_for(Effort::Long, crate::many::one_of_three_crashes_under_load(Effort::Long));
    }

    #[test]
    #[ignore = "faults memcached: run `cargo xtask faults`"]
    fn one_of_three_freezes_under_load() {
        run_for(Effort::Long, crate::many::one_of_three_freezes_under_load(Effort::Long));
    }
}
