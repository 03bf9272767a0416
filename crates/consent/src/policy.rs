//! Whether an owner's policy for a file allows a task to read it.

use crypto::hash::Sha256;
use types::consent::{AllowedFunction, FilePolicy, TaskManifest};
use types::digest::Digest;
use types::function::FunctionRef;
use types::time::UnixMillis;
use types::trust::TrustLevel;
use types::user::UserId;

use crate::canonical::{self, NotCanonical};
use crate::manifest::{GROUPS, MAX_PURPOSE};

/// The rule of a policy that a task breaks. How often a file was used is counted elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The function may not read it.
    #[error("its owner does not allow the function {name}@{version}")]
    Function {
        /// The function.
        name: String,
        /// Its version.
        version: u32,
    },
    /// A party may not take part.
    #[error("its owner does not allow {0} to take part")]
    Collaborator(UserId),
    /// A party may not receive results.
    #[error("its owner does not allow {0} to receive results")]
    Recipient(UserId),
    /// It is too late.
    #[error("its owner allowed its use until an instant that has passed")]
    Expired,
    /// The purpose is another.
    #[error("its owner allows it for the purpose `{0}` alone")]
    Purpose(String),
    /// The platform is not trusted enough.
    #[error("its owner asks for a platform that is at least {wanted}, and this one is {found}")]
    Trust {
        /// What the owner asks for.
        wanted: TrustLevel,
        /// What would read it.
        found: TrustLevel,
    },
    /// Results may be about too few records.
    #[error("its owner asks for a minimum group of at least {wanted}, and the task has {}", has(*.found))]
    Group {
        /// What the owner asks for.
        wanted: u64,
        /// What the task has.
        found: Option<u64>,
    },
}

fn has(group: Option<u64>) -> String {
    group.map_or_else(|| "none".to_owned(), |group| format!("one of {group}"))
}

/// Functions that a policy may name.
pub const MAX_FUNCTIONS: usize = 100;

/// Users that each list of a policy may name.
pub const MAX_USERS: usize = 1000;

/// Largest number of uses: larger ones are not exact in JSON (RFC 8785, section 3.2.2.3).
pub const MAX_USES: u64 = (1 << 53) - 1;

/// A policy that nobody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// A list is too long.
    #[error("`{list}` has more than {limit} entries")]
    TooMany {
        /// Which.
        list: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// Its purpose is too long.
    #[error("`purpose` is longer than {MAX_PURPOSE} characters")]
    Purpose,
    /// Its number of uses is too large.
    #[error("`uses` is larger than {MAX_USES}")]
    Uses,
    /// Its minimum group is none.
    #[error("`minimum_group` is not from {} to {}", GROUPS.start(), GROUPS.end())]
    Group,
}

/// Whether a policy keeps within bounds.
///
/// # Errors
/// The first bound that it passes.
pub fn check_bounds(policy: &FilePolicy) -> Result<(), BadPolicy> {
    let FilePolicy {
        functions,
        collaborators,
        recipients,
        uses,
        not_after_ms: _,
        purpose,
        minimum_trust: _,
        minimum_group,
    } = policy;
    let lists = [
        ("functions", functions.as_ref().map_or(0, Vec::len), MAX_FUNCTIONS),
        ("collaborators", collaborators.as_ref().map_or(0, Vec::len), MAX_USERS),
        ("recipients", recipients.as_ref().map_or(0, Vec::len), MAX_USERS),
    ];
    match lists.into_iter().find(|(_, len, limit)| len > limit) {
        Some((list, _, limit)) => Err(BadPolicy::TooMany { list, limit }),
        None if purpose.as_ref().is_some_and(|purpose| purpose.chars().count() > MAX_PURPOSE) => {
            Err(BadPolicy::Purpose)
        }
        None if uses.is_some_and(|uses| uses > MAX_USES) => Err(BadPolicy::Uses),
        None if minimum_group.is_some_and(|group| !GROUPS.contains(&group)) => Err(BadPolicy::Group),
        None => Ok(()),
    }
}

/// SHA-256 of a policy's canonical form (RFC 8785): how the log names it.
///
/// # Errors
/// When a number is above 2⁵³ − 1, which has no exact form.
pub fn digest(policy: &FilePolicy) -> Result<Digest, NotCanonical> {
    Ok(Digest::new(Sha256::digest(&canonical::to_vec(policy)?)))
}

/// Decides on a file of `owner`'s, for a task as its manifest stands, on a platform of some trust.
///
/// # Errors
/// The first rule that the task breaks.
pub fn check(
    policy: &FilePolicy,
    owner: &UserId,
    manifest: &TaskManifest,
    platform: TrustLevel,
    now: UnixMillis,
) -> Result<(), Forbidden> {
    let FilePolicy {
        functions,
        collaborators,
        recipients,
        uses: _,
        not_after_ms,
        purpose,
        minimum_trust,
        minimum_group,
    } = policy;
    let function = &manifest.function;
    if functions.as_ref().is_some_and(|allowed| !allowed.iter().any(|allowed| admits(allowed, function))) {
        return Err(Forbidden::Function { name: function.name.clone(), version: function.version });
    }
    if let Some(other) = stranger(manifest.parties.iter(), owner, collaborators.as_deref()) {
        return Err(Forbidden::Collaborator(other.clone()));
    }
    if let Some(other) = stranger(receiving(manifest), owner, recipients.as_deref()) {
        return Err(Forbidden::Recipient(other.clone()));
    }
    if not_after_ms.is_some_and(|last| now > last) {
        return Err(Forbidden::Expired);
    }
    if let Some(purpose) = purpose.as_ref().filter(|purpose| **purpose != manifest.purpose) {
        return Err(Forbidden::Purpose(purpose.clone()));
    }
    if let Some(wanted) = minimum_trust.filter(|wanted| platform < *wanted) {
        return Err(Forbidden::Trust { wanted, found: platform });
    }
    match minimum_group {
        Some(wanted) if manifest.minimum_group.is_none_or(|group| group < *wanted) => {
            Err(Forbidden::Group { wanted: *wanted, found: manifest.minimum_group })
        }
        _ => Ok(()),
    }
}

/// Who learns something: whoever receives an output, and every party, since each can invoke the task and is then told the
/// function's answer.
fn receiving(manifest: &TaskManifest) -> impl Iterator<Item = &UserId> {
    manifest.outputs.iter().flat_map(|output| &output.recipients).chain(&manifest.parties)
}

fn admits(allowed: &AllowedFunction, function: &FunctionRef) -> bool {
    allowed.name == function.name
        && allowed.version.is_none_or(|version| version == function.version)
        && allowed.digest.is_none_or(|digest| digest == function.digest)
}

/// The first user who is neither the owner nor among those allowed, where anybody is excluded at all.
fn stranger<'a>(
    mut users: impl Iterator<Item = &'a UserId>,
    owner: &UserId,
    allowed: Option<&[UserId]>,
) -> Option<&'a UserId> {
    let allowed = allowed?;
    users.find(|user| *user != owner && !allowed.contains(user))
}
