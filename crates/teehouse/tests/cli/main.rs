//! The built binary as a person meets it: what it prints, where, and how it exits.

mod attest;
mod demo;
mod help;
mod house;
mod journey;
mod kms;
mod manifest;
mod refusals;
