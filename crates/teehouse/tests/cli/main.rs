//! The built binary as a person meets it: what it prints, where, and how it exits.

mod attest;
mod consent;
mod demo;
mod folders;
mod help;
mod house;
mod ingest;
mod journey;
mod kms;
mod log;
mod manifest;
mod refusals;
mod tables;
