//! Every function against figures of an independent library, which `reference/make.py` computed and wrote.
//!
//! Tolerances say what both sides leave open: closed forms agree to the digits written, iterations to where they stop.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not there")]

mod figures;
mod foreign_files;
mod supervised;
mod unsupervised;
