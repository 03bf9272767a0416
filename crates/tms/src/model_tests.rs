//! The protocol of a task, explored: every order in which three parties, two nodes, delays, replays and crashes can act,
//! by the transitions that run in production.
//!
//! A state is the task's record as the store has it, where the two nodes are, and what the parties said, which only the
//! properties know of:
//!
//! 1. Nothing runs that is not approved as it stands: whenever a node gets the lease or keys, enough parties said so, each
//!    either of exactly this manifest, or in the documented way, and only files came since, each brought by its owner.
//! 2. What a node runs is what was approved: what it read of the task before it took the lease is what the task has then.
//! 3. No run counts twice, and none counts but under its own lease.
//! 4. After a withdrawal nothing is released and nothing is recorded, and there are no results.
//! 5. A task that can be leased is one that the kms releases keys for.
//!
//! A request that is delayed is one that names what its sender saw then; a replay is the same request again. A crash
//! forgets what a node had in memory; the record is what the store has of it. Every instant is one of two, before and
//! after the deadline, so that the states are finite.

mod explore;
mod world;

use explore::{Explored, explore};
use world::{Mutant, Setting, World};

/// Explores a setting, and sees to it that what should be possible is.
fn check(setting: Setting) -> Explored {
    let mut ways = Vec::new();
    let see = |world: &World| ways.extend(world.story().filter(|way| !ways.contains(way)).collect::<Vec<_>>());
    let explored = explore(&setting, see).unwrap_or_else(|broken| panic!("{}: {:?}", broken.why, broken.path));
    for story in ["finished", "failed", "withdrawn while it waits", "withdrawn while it runs", "lapsed"] {
        assert!(ways.contains(&story), "nothing ever {story}");
    }
    println!("{} states, {} steps, {} refusals", explored.states, explored.steps, explored.refused);
    explored
}

/// Explores a setting with one transition broken, and sees to it that this is noticed.
fn check_caught(mutant: Mutant, why: &str) {
    let broken = explore(&Setting { mutant: Some(mutant), ..Setting::default() }, |_| {});
    match broken {
        Err(broken) => assert!(broken.why.contains(why), "{mutant:?}: {} {:?}", broken.why, broken.path),
        Ok(explored) => panic!("{mutant:?} goes unnoticed in {} states", explored.states),
    }
}

#[test]
fn everyone_approves_as_they_like() {
    check(Setting::default());
}

#[test]
fn everyone_names_the_manifest() {
    check(Setting { exact: true, files: 1, ..Setting::default() });
}

#[test]
fn two_of_three_with_the_creator_before_a_deadline() {
    check(Setting { at_least: Some(2), deadline: true, files: 1, one_node: true, ..Setting::default() });
}

#[test]
fn a_use_is_counted_once_and_comes_back_from_a_run_that_did_not_begin() {
    check(Setting { exact: true, one_use: true, ..Setting::default() });
}

#[test]
fn files_of_both_collaborators() {
    check(Setting { files: 2, one_node: true, ..Setting::default() });
}

#[test]
fn one_party_approves_by_signature_alone() {
    check(Setting { signs: true, files: 1, one_node: true, ..Setting::default() });
}

#[test]
fn approvals_that_outlive_a_change_are_noticed() {
    check_caught(Mutant::KeepsApprovals, "is not approved as it stands");
}

#[test]
fn reports_under_any_lease_are_noticed() {
    check_caught(Mutant::TakesAnyReport, "under another lease");
}

#[test]
fn a_node_that_runs_what_it_read_earlier_is_noticed() {
    check_caught(Mutant::NamesNoManifest, "is not what the node read");
}

#[test]
fn a_withdrawal_that_leaves_the_lease_is_noticed() {
    check_caught(Mutant::WithdrawsLate, "after a withdrawal");
}
