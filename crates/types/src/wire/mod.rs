//! Every document that crosses a wire: one module per service and plane.
//!
//! A request names its kind in `type` (a function node's single request has none). Requests refuse unknown fields,
//! so a misspelt option is an error and not a silence; answers accept them, so that a newer service can add some.
//! Optional fields that the reference does not have are left out when they say nothing.

mod document;

pub mod admin;
pub mod attestation;
pub mod enrolment;
pub mod fns;
pub mod kms;
pub mod kms_operator;
pub mod tdfs_external;
pub mod tdfs_internal;
pub mod tdfs_operator;
pub mod tms_external;
pub mod tms_internal;
pub mod tms_log;

pub(crate) use document::requests;
pub use document::{DecodeError, Document, Request};
