//! From a name and a token to a principal.

use std::future::Future;
use std::pin::Pin;

use types::error::ErrorCode;
use types::secret::Secret;
use types::user::UserId;
use types::wire::tdfs_internal;

use crate::protocol::TdfsInternal;
use crate::{CallError, Client, Fault};

/// A user whose token was checked for this request. Only [`authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct Principal(UserId);

impl Principal {
    /// Who it is.
    pub fn user(&self) -> &UserId {
        &self.0
    }

    /// A principal that nobody checked.
    pub fn danger_for_tests(user: UserId) -> Self {
        Principal(user)
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

/// Whoever knows the users. There is one such module in a system; others ask it each time and keep no copy.
pub trait Identity: Send + Sync + 'static {
    /// Whether the token is the user's and the user is not disabled.
    fn verify<'a>(&'a self, user: &'a UserId, token: &'a Secret) -> Boxed<'a, Result<bool, AuthnError>>;

    /// Those of the names that are users and not disabled.
    fn existing<'a>(&'a self, users: &'a [UserId]) -> Boxed<'a, Result<Vec<UserId>, AuthnError>>;
}

/// Checks a request's credentials.
///
/// # Errors
/// When they are not a user's, or the users can't be asked.
pub async fn authenticate(identity: &dyn Identity, user: UserId, token: &Secret) -> Result<Principal, AuthnError> {
    match identity.verify(&user, token).await? {
        true => Ok(Principal(user)),
        false => Err(AuthnError::Unauthenticated),
    }
}

/// The identity module of another service, asked through the service plane.
pub struct RemoteIdentity(pub Client<TdfsInternal>);

impl Identity for RemoteIdentity {
    fn verify<'a>(&'a self, user: &'a UserId, token: &'a Secret) -> Boxed<'a, Result<bool, AuthnError>> {
        Box::pin(async move {
            let request = tdfs_internal::Authenticate { user_id: user.clone(), user_token: token.clone() };
            match self.0.call(request).await.map_err(AuthnError::Remote)? {
                tdfs_internal::Response::Authenticate(answer) => Ok(answer.success),
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
