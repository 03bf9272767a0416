//! Appraisal from outside the crate: what an honest house makes is accepted, and everything else is refused.
#![allow(clippy::unwrap_used, reason = "tests")]

mod authority;
mod certificate;
mod evidence;
mod house;
