//! The four services and the caller table of the service plane.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A service's role, as its certificate names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Key management.
    Kms,
    /// Trusted file service.
    Tdfs,
    /// Task management.
    Tms,
    /// Function node.
    Fns,
}

impl Role {
    /// Every role, in the order in which a whole system starts.
    pub const ALL: [Role; 4] = [Role::Kms, Role::Tdfs, Role::Tms, Role::Fns];

    /// The lower-case name, as in certificates, configuration and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Kms => "kms",
            Role::Tdfs => "tdfs",
            Role::Tms => "tms",
            Role::Fns => "fns",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no service: expected kms, tdfs, tms or fns")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// One API that a service offers: one listener, one set of requests, one OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// The kms for services.
    Kms,
    /// The kms for services that want a certificate.
    Enrolment,
    /// The tdfs for users.
    TdfsExternal,
    /// The tdfs for services.
    TdfsInternal,
    /// The tms for users.
    TmsExternal,
    /// The tms for function nodes.
    TmsInternal,
    /// A function node for whoever holds a task's token.
    FnsExternal,
}

/// Who may open a connection to an [`Api`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Anyone; each request carries its own credentials.
    Anyone,
    /// Services of these roles, mutually attested; others are refused in the handshake.
    Services(&'static [Role]),
    /// Every attested service of the deployment, also with a certificate that it made itself.
    Newcomers,
}

impl Callers {
    /// The roles that are mutually attested; none where anyone may connect.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Callers::Anyone => &[],
            Callers::Services(roles) => roles,
            Callers::Newcomers => &Role::ALL,
        }
    }
}

impl Api {
    /// Every API.
    pub const ALL: [Api; 7] = [
        Api::Kms,
        Api::Enrolment,
        Api::TdfsExternal,
        Api::TdfsInternal,
        Api::TmsExternal,
        Api::TmsInternal,
        Api::FnsExternal,
    ];

    /// The service that offers it.
    pub const fn role(self) -> Role {
        match self {
            Api::Kms | Api::Enrolment => Role::Kms,
            Api::TdfsExternal | Api::TdfsInternal => Role::Tdfs,
            Api::TmsExternal | Api::TmsInternal => Role::Tms,
            Api::FnsExternal => Role::Fns,
        }
    }

    /// The caller table: the one place that says who may connect where.
    pub const fn callers(self) -> Callers {
        match self {
            Api::TmsExternal | Api::FnsExternal | Api::TdfsExternal => Callers::Anyone,
            Api::TmsInternal => Callers::Services(&[Role::Fns, Role::Kms, Role::Tdfs]),
            Api::Kms => Callers::Services(&[Role::Tdfs, Role::Fns]),
            Api::Enrolment => Callers::Newcomers,
            Api::TdfsInternal => Callers::Services(&[Role::Tms, Role::Fns]),
        }
    }

    /// The port that clients of the original system expect; enrolment is new.
    pub const fn default_port(self) -> u16 {
        match self {
            Api::TmsExternal => 5554,
            Api::TmsInternal => 5555,
            Api::FnsExternal => 3444,
            Api::Kms => 6016,
            Api::Enrolment => 6017,
            Api::TdfsExternal => 5065,
            Api::TdfsInternal => 5066,
        }
    }

    /// The name that the command line, metrics and logs use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Api::Kms => "kms",
            Api::Enrolment => "kms-enrolment",
            Api::TdfsExternal => "tdfs",
            Api::TdfsInternal => "tdfs-internal",
            Api::TmsExternal => "tms",
            Api::TmsInternal => "tms-internal",
            Api::FnsExternal => "fns",
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no API.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no API: expected tms, tms-internal, tdfs, tdfs-internal, kms, kms-enrolment or fns")]
pub struct UnknownApi(String);

impl FromStr for Api {
    type Err = UnknownApi;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Api::ALL.into_iter().find(|api| api.as_str() == text).ok_or_else(|| UnknownApi(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().ok(), Some(role));
        }
        for api in Api::ALL {
            assert_eq!(api.as_str().parse::<Api>().ok(), Some(api));
        }
        assert!("KMS".parse::<Role>().is_err());
    }

    #[test]
    fn no_service_calls_itself() {
        for api in Api::ALL {
            if let Callers::Services(roles) = api.callers() {
                assert!(!roles.contains(&api.role()), "{api}");
            }
        }
    }
}
