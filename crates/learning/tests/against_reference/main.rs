//! Every function against figures of an independent library, which `reference/make.py` computed and wrote.
//!
//! Tolerances say what both sides leave open: closed forms agree to the digits written, iterations to where they stop.

mod figures;
mod supervised;
mod unsupervised;
