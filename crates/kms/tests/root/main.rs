//! The kms's root key: its slots one by one, in their order, damaged, rotated, recovered.

mod fakes;
mod file;
mod recovery;
mod rotation;
mod slots;
mod start;
