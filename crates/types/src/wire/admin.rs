//! The operator's requests, on a Unix socket in the data directory: users, their tokens and quotas.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::secret::Secret;
use crate::user::{Bound, Quota, UserId};

super::requests! {
    /// An operator's request.
    #[schema(as = AdminRequest)]
    Request {
        /// Adds a user.
        AddUser(AddUser),
        /// Lists the users.
        ListUsers(ListUsers),
        /// Replaces a user's token.
        RotateToken(RotateToken),
        /// Disables a user.
        DisableUser(DisableUser),
        /// Says how much a user may keep.
        SetQuota(SetQuota),
        /// Forgets the key by which a user signs approvals.
        ResetKey(ResetKey),
    }
}

/// Adds a user.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddUser {
    /// The user's name.
    pub user_id: UserId,
    /// The user's token; one is made when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// Lists the users.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListUsers {}

/// Replaces a user's token, and enables the user again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateToken {
    /// The user's name.
    pub user_id: UserId,
    /// The user's token; one is made when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// Disables a user: every later request of theirs is unauthenticated.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableUser {
    /// The user's name.
    pub user_id: UserId,
}

/// Says how much a user may keep from now on; what is absent stays as it is. What the user has already stays in any case.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetQuota {
    /// The user's name.
    pub user_id: UserId,
    /// Files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Bound>,
    /// The sum of their sizes before encryption, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bound>,
}

/// Forgets the key by which a user signs approvals, for users who lost it: they can register another by their token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetKey {
    /// The user's name.
    pub user_id: UserId,
}

/// The answer to an operator.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AdminResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// The new user's token.
    AddUser(Issued),
    /// The users.
    ListUsers(UserList),
    /// The user's new token.
    RotateToken(Issued),
    /// The user, who is disabled now.
    DisableUser(UserInfo),
    /// The user, with the quota.
    SetQuota(UserInfo),
    /// The user, who has no key now.
    ResetKey(UserInfo),
}

/// A token, shown this once: only its hash is kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Issued {
    /// The user's name.
    pub user_id: UserId,
    /// The token.
    pub token: Secret,
}

/// Every user.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    /// By name.
    pub users: Vec<UserInfo>,
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserInfo {
    /// The name.
    pub user_id: UserId,
    /// Whether requests of this user are refused.
    pub disabled: bool,
    /// How much the user may keep.
    #[serde(default, skip_serializing_if = "Quota::is_default")]
    pub quota: Quota,
}
