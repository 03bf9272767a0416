//! Who a service is: a role in a deployment, as the URI that its certificate names.

use std::fmt;
use std::str::FromStr;

use types::service::Role;

const SCHEME: &str = "teehouse://";

/// The name of one deployment: 1 to 64 of `a-z`, `0-9` and `-`.
///
/// The alphabet is that of a DNS label in lower case (RFC 1123, section 2.1), so that a name has one spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deployment(String);

impl Deployment {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text names no deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a deployment's name has 1 to 64 characters of a-z, 0-9 and `-`")]
pub struct BadDeployment;

impl FromStr for Deployment {
    type Err = BadDeployment;

    fn from_str(text: &str) -> Result<Self, BadDeployment> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let good = (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed);
        if good { Ok(Deployment(text.to_owned())) } else { Err(BadDeployment) }
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A service's identity. As text it is the URI `teehouse://DEPLOYMENT/ROLE`, in exactly one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The deployment that the service belongs to.
    pub deployment: Deployment,
    /// What it does there.
    pub role: Role,
}

/// The text is no service's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected teehouse://DEPLOYMENT/ROLE")]
pub struct BadIdentity;

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.deployment, self.role)
    }
}

impl FromStr for Identity {
    type Err = BadIdentity;

    fn from_str(uri: &str) -> Result<Self, BadIdentity> {
        let (deployment, role) = uri.strip_prefix(SCHEME).and_then(|path| path.split_once('/')).ok_or(BadIdentity)?;
        Ok(Identity {
            deployment: deployment.parse().map_err(|_| BadIdentity)?,
            role: role.parse().map_err(|_| BadIdentity)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_one_spelling() {
        for role in Role::ALL {
            let uri = format!("teehouse://house-1/{role}");
            assert_eq!(uri.parse::<Identity>().map(|identity| identity.to_string()), Ok(uri));
        }
        let others = [
            "",
            "teehouse://",
            "teehouse:///kms",
            "teehouse://house",
            "teehouse://house/",
            "teehouse://house/kms/",
            "teehouse://house/KMS",
            "TEEHOUSE://house/kms",
            "teehouse://House/kms",
            "teehouse://house/kms?",
            "teehouse://house:1/kms",
            "teehouse://a@house/kms",
            "https://house/kms",
            " teehouse://house/kms",
        ];
        for uri in others {
            assert_eq!(uri.parse::<Identity>(), Err(BadIdentity), "{uri}");
        }
    }

    #[test]
    fn a_deployments_name_is_bounded() {
        for (name, good) in [
            ("a", true),
            (&*"a".repeat(64), true),
            (&*"a".repeat(65), false),
            ("", false),
            ("a_b", false),
            ("é", false),
        ] {
            assert_eq!(name.parse::<Deployment>().is_ok(), good, "{name}");
        }
    }
}
