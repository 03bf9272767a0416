//! From a name and a token to a principal.

use std::future::Future;
use std::pin::Pin;

use types::consent::ApprovalKey;
use types::error::ErrorCode;
use types::secret::Secret;
use types::user::UserId;
use types::wire::tdfs_internal;

use crate::protocol::TdfsInternal;
use crate::{CallError, Client, Fault};

/// A user whose token was checked for this request. Only [`authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct Principal {
    user: UserId,
    key: Option<ApprovalKey>,
}

impl Principal {
    /// Who it is.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The key by which they sign approvals, if they registered one.
    pub fn key(&self) -> Option<&ApprovalKey> {
        self.key.as_ref()
    }

    /// A principal that nobody checked.
    pub fn danger_for_tests(user: UserId) -> Self {
        Principal { user, key: None }
    }

    /// A principal with a key that nobody checked.
    pub fn danger_with_key_for_tests(key: ApprovalKey) -> Self {
        Principal { user: key.user_id.clone(), key: Some(key) }
    }
}

/// Why there is no principal.
#[derive(Debug, thiserror::Error)]
pub enum AuthnError {
    /// Unknown user, wrong token, disabled user: the same for all.
    #[error("unknown user or wrong token")]
    Unauthenticated,
    /// The users can't be asked.
    #[error("identity can't be asked")]
    Identity(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service that keeps the users can't be reached.
    #[error("the service that keeps the users can't be asked")]
    Remote(#[source] CallError),
}

impl Fault for AuthnError {
    fn code(&self) -> ErrorCode {
        match self {
            AuthnError::Unauthenticated => ErrorCode::Unauthenticated,
            AuthnError::Identity(_) => ErrorCode::Internal,
            AuthnError::Remote(error) => error.code(),
        }
    }

    fn message(&self) -> String {
        match self {
            AuthnError::Unauthenticated => "unknown user_id or wrong user_token".to_owned(),
            AuthnError::Identity(_) => self.to_string(),
            AuthnError::Remote(error) => error.message(),
        }
    }
}

/// A boxed future that borrows nothing but its maker.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is known of a user whose token is right.
#[derive(Debug)]
pub struct Known {
    /// The key by which they sign approvals, if they registered one.
    pub key: Option<ApprovalKey>,
}

/// Whoever knows the users. There is one such module in a system; others ask it each time and keep no copy.
pub trait Identity: Send + Sync + 'static {
    /// The user, when the token is theirs and they are not disabled.
    fn verify<'a>(&'a self, user: &'a UserId, token: &'a Secret) -> Boxed<'a, Result<Option<Known>, AuthnError>>;

    /// Those of the names that are users and not disabled.
    fn existing<'a>(&'a self, users: &'a [UserId]) -> Boxed<'a, Result<Vec<UserId>, AuthnError>>;
}

/// Checks a request's credentials.
///
/// # Errors
/// When they are not a user's, or the users can't be asked.
pub async fn authenticate(identity: &dyn Identity, user: UserId, token: &Secret) -> Result<Principal, AuthnError> {
    match identity.verify(&user, token).await? {
        Some(Known { key }) => Ok(Principal { user, key }),
        None => Err(AuthnError::Unauthenticated),
    }
}

/// The identity module of another service, asked through the service plane.
pub struct RemoteIdentity(pub Client<TdfsInternal>);

impl Identity for RemoteIdentity {
    fn verify<'a>(&'a self, user: &'a UserId, token: &'a Secret) -> Boxed<'a, Result<Option<Known>, AuthnError>> {
        Box::pin(async move {
            let request = tdfs_internal::Authenticate { user_id: user.clone(), user_token: token.clone() };
            match self.0.call(request).await.map_err(AuthnError::Remote)? {
                tdfs_internal::Response::Authenticate(answer) => {
                    Ok(answer.success.then_some(Known { key: answer.key }))
                }
                _ => Err(AuthnError::Remote(CallError::unexpected())),
            }
        })
    }

    fn existing<'a>(&'a self, users: &'a [UserId]) -> Boxed<'a, Result<Vec<UserId>, AuthnError>> {
        Box::pin(async move {
            if users.is_empty() {
                return Ok(Vec::new());
            }
            let request = tdfs_internal::FindUsers { user_ids: users.to_vec() };
            match self.0.call(request).await.map_err(AuthnError::Remote)? {
                tdfs_internal::Response::Users(answer) => Ok(answer.user_ids),
                _ => Err(AuthnError::Remote(CallError::unexpected())),
            }
        })
    }
}
