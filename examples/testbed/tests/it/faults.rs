//! Each story is proved by faults: a testbed that is spoiled in one way, and the stories that must notice.

mod answers;
mod deeds;
mod lines;
mod tokens;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cloakroom_conformance::stories::{self, tell};
use cloakroom_conformance::{
    __compare_and_set_stories, __index_stories, __no_index_stories, __revocation_stories, __stories,
};

use crate::spoiled::{Fault, Spoiled};

/// Tells the story of this name.
macro_rules! told_by_name {
    (($name:expr, $app:expr) $($module:ident { $($story:ident)+ })+) => {
        match $name {
            $( $( stringify!($story) => Some(tell(stories::$module::$story($app))), )+ )+
            _ => None,
        }
    };
}

/// The names of stories.
macro_rules! names {
    (() $($module:ident { $($story:ident)+ })+) => {
        vec![$( $( stringify!($story), )+ )+]
    };
}

/// What is planted, and the stories that must find it.
struct Planted {
    what: &'static str,
    fault: Fault,
    found_by: &'static [&'static str],
}

fn planted(what: &'static str, fault: Fault, found_by: &'static [&'static str]) -> Planted {
    Planted { what, fault, found_by }
}

fn all() -> Vec<Planted> {
    [lines::all(), tokens::all(), answers::all(), deeds::all()].into_iter().flatten().collect()
}

#[test]
#[ignore = "takes a minute: run `cargo xtask test`"]
fn every_story_finds_its_planted_faults() {
    let mut missed = Vec::new();
    let (mut faults, mut runs) = (0, 0);
    for Planted { what, fault, found_by } in all() {
        faults += 1;
        for story in found_by {
            runs += 1;
            if fails(story, fault).is_none() {
                missed.push(format!("{story} does not find {what}"));
            }
        }
    }
    println!("{faults} faults, planted for {runs} tellings of a story");
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn every_story_has_a_planted_fault() {
    let found: BTreeSet<&str> = all().iter().flat_map(|planted| planted.found_by).copied().collect();
    let names: BTreeSet<&str> = names().into_iter().collect();
    let unproved: Vec<_> = names.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&names).collect();
    assert!(
        unproved.is_empty() && unknown.is_empty(),
        "without a fault: {unproved:?}; no story: {unknown:?}"
    );
}

#[test]
#[ignore = "takes half a minute: run `cargo xtask test`"]
fn proxy_without_a_fault_spoils_no_story_but_that_of_streams() {
    let mut names: Vec<_> = names();
    names.retain(|name| !["streams_are_left_as_they_are", "listings_are_refused_by_name"].contains(name));
    let failed: Vec<_> = names.iter().filter_map(|name| Some((name, fails(name, Fault::NONE)?))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn names() -> Vec<&'static str> {
    let mut names = __stories!([names]());
    names.extend(__revocation_stories!([names]()));
    names.extend(__compare_and_set_stories!([names]()));
    names.extend(__index_stories!([names]()));
    names.extend(__no_index_stories!([names]()));
    names
}

/// What a story says about a fault; `None` if it ends well.
fn fails(story: &str, fault: Fault) -> Option<String> {
    let app = Spoiled(fault);
    let told = catch_unwind(AssertUnwindSafe(|| {
        let told = __stories!([told_by_name](story, &app));
        let told = told.or_else(|| __revocation_stories!([told_by_name](story, &app)));
        let told = told.or_else(|| __compare_and_set_stories!([told_by_name](story, &app)));
        let told = told.or_else(|| __index_stories!([told_by_name](story, &app)));
        told.or_else(|| __no_index_stories!([told_by_name](story, &app))).expect("there is such a story");
    }));
    let payload = told.err()?;
    let text =
        payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
    Some(text.unwrap_or_default().to_owned())
}
