//! The kms's root key: its slots one by one, in their order, damaged, rotated, recovered.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

mod fakes;
mod file;
mod operate;
mod recovery;
mod rotation;
mod slots;
mod start;
