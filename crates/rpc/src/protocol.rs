//! The six APIs as types: which requests go in and which answers come out.

use serde::Serialize;
use serde::de::DeserializeOwned;
use types::service::Api;
use types::wire;
use utoipa::ToSchema;

/// One API's requests and answers.
pub trait Protocol: Send + Sync + 'static {
    /// Which API it is.
    const API: Api;
    /// What callers send.
    type Request: wire::Request + Serialize + ToSchema + Send + 'static;
    /// What they receive when nothing goes wrong.
    type Response: Serialize + DeserializeOwned + ToSchema + Send + 'static;
}

macro_rules! protocols {
    ($($(#[$doc:meta])* $name:ident = $module:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl Protocol for $name {
            const API: Api = Api::$name;
            type Request = wire::$module::Request;
            type Response = wire::$module::Response;
        }
    )*};
}

protocols! {
    /// The kms for services.
    Kms = kms;
    /// The kms for services that want a certificate.
    Enrolment = enrolment;
    /// The tdfs for users.
    TdfsExternal = tdfs_external;
    /// The tdfs for services.
    TdfsInternal = tdfs_internal;
    /// The tms for users.
    TmsExternal = tms_external;
    /// The tms for function nodes.
    TmsInternal = tms_internal;
    /// A function node for whoever holds a task's token.
    FnsExternal = fns;
}
