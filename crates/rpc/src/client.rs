//! Typed clients: a service in this process, or connections to one elsewhere, behind one type.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use types::error::{ErrorCode, ErrorReply};
use types::service::Role;

use crate::dispatch;
use crate::pool::Pool;
use crate::tls::Connector;
use crate::{Ctx, Fault, Peer, Protocol, Service};

/// How long a call may take unless the client was made with another limit.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one API.
pub struct Client<P: Protocol> {
    way: Arc<dyn Way<P>>,
    timeout: Duration,
}

impl<P: Protocol> Clone for Client<P> {
    fn clone(&self) -> Self {
        Client { way: self.way.clone(), timeout: self.timeout }
    }
}

/// A call that brought no answer of the expected kind.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The service refused.
    #[error("{}: {}", .0.code, .0.message)]
    Refused(ErrorReply),
    /// The service can't be reached, or the connection broke before the answer.
    #[error("no answer from {api} at {target}")]
    Unreachable {
        /// Which API.
        api: types::service::Api,
        /// Where.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// The service did not answer in time.
    #[error("{api} at {target} did not answer within {} s", .limit.as_secs())]
    TimedOut {
        /// Which API.
        api: types::service::Api,
        /// Where.
        target: String,
        /// The limit.
        limit: Duration,
    },
    /// The answer is not one to this request.
    #[error("unexpected answer")]
    Unexpected(#[source] Option<serde_json::Error>),
}

impl CallError {
    /// The answer is of another kind than the request.
    pub fn unexpected() -> Self {
        CallError::Unexpected(None)
    }

    /// The service's refusal, if that is what it is.
    pub fn refusal(&self) -> Option<&ErrorReply> {
        match self {
            CallError::Refused(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the service says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|error| error.code == ErrorCode::NotFound)
    }
}

/// What a service answers when it asked another one and that failed.
impl Fault for CallError {
    fn code(&self) -> ErrorCode {
        match self {
            CallError::Refused(error) => match error.code {
                ErrorCode::Unavailable | ErrorCode::ResourceExhausted => ErrorCode::Unavailable,
                _ => ErrorCode::Internal,
            },
            CallError::Unreachable { .. } | CallError::TimedOut { .. } => ErrorCode::Unavailable,
            CallError::Unexpected(_) => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        match self {
            CallError::Unreachable { api, .. } | CallError::TimedOut { api, .. } => {
                format!("the {} can't be reached; try again", api.role())
            }
            _ => "a service behind this one is busy; try again".to_owned(),
        }
    }
}

impl<P: Protocol> Client<P> {
    /// A client of a service in this process, acting as a service of `role`.
    pub fn local<S: Service<Protocol = P>>(service: Arc<S>, role: Role) -> Self {
        Client { way: Arc::new(Local { service, role }), timeout: TIMEOUT }
    }

    /// A client of a service at `host:port`.
    pub fn remote(connector: Connector, target: impl Into<String>) -> Self {
        Client { way: Arc::new(Remote(Pool::new(connector, target.into()))), timeout: TIMEOUT }
    }

    /// A client of a service of this process that is still to come. Until the other half is told which, and after that is
    /// gone, the service can't be reached.
    pub fn later() -> (Self, Later<P>) {
        let later: Arc<RwLock<Option<Client<P>>>> = Arc::default();
        (Client { way: Arc::new(Awaited(later.clone())), timeout: TIMEOUT }, Later(later))
    }

    /// The same client with another limit on how long a call may take.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Client { timeout, ..self }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the service refuses it or can't be reached.
    pub async fn call(&self, request: impl Into<P::Request>) -> Result<P::Response, CallError> {
        let timed_out = |_| CallError::TimedOut { api: P::API, target: self.way.target(), limit: self.timeout };
        tokio::time::timeout(self.timeout, self.way.call(request.into())).await.map_err(timed_out)?
    }
}

type Answer<'a, P> = Pin<Box<dyn Future<Output = Result<<P as Protocol>::Response, CallError>> + Send + 'a>>;

/// How a client reaches its service.
trait Way<P: Protocol>: Send + Sync {
    fn call(&self, request: P::Request) -> Answer<'_, P>;
    fn target(&self) -> String;
}

struct Local<S> {
    service: Arc<S>,
    role: Role,
}

impl<S: Service> Way<S::Protocol> for Local<S> {
    fn call(&self, request: <S::Protocol as Protocol>::Request) -> Answer<'_, S::Protocol> {
        let ctx = Ctx::receive(Peer::SameProcess(self.role));
        Box::pin(async move { dispatch::call(&*self.service, ctx, request).await.map_err(CallError::Refused) })
    }

    fn target(&self) -> String {
        "this process".to_owned()
    }
}

/// Tells the client of a service that was still to come which it is.
pub struct Later<P: Protocol>(Arc<RwLock<Option<Client<P>>>>);

impl<P: Protocol> Later<P> {
    /// The service is there.
    pub fn is(&self, client: Client<P>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(client);
    }
}

/// Two services that call each other would keep each other for ever.
impl<P: Protocol> Drop for Later<P> {
    fn drop(&mut self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

struct Awaited<P: Protocol>(Arc<RwLock<Option<Client<P>>>>);

impl<P: Protocol> Way<P> for Awaited<P> {
    fn call(&self, request: P::Request) -> Answer<'_, P> {
        let client = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            match client {
                Some(client) => client.way.call(request).await,
                None => {
                    let (target, source) = (self.target(), io::ErrorKind::NotConnected.into());
                    Err(CallError::Unreachable { api: P::API, target, source })
                }
            }
        })
    }

    fn target(&self) -> String {
        "this process".to_owned()
    }
}

struct Remote(Pool);

impl<P: Protocol> Way<P> for Remote {
    fn call(&self, request: P::Request) -> Answer<'_, P> {
        Box::pin(async move {
            let body = serde_json::to_vec(&request).map_err(|error| CallError::Unexpected(Some(error)))?;
            drop(request);
            let unreachable =
                |source| CallError::Unreachable { api: P::API, target: self.0.target().to_owned(), source };
            parse::<P>(&self.0.exchange(&body).await.map_err(unreachable)?)
        })
    }

    fn target(&self) -> String {
        self.0.target().to_owned()
    }
}

pub(crate) fn parse<P: Protocol>(answer: &[u8]) -> Result<P::Response, CallError> {
    serde_json::from_slice(answer).map_err(|unexpected| match serde_json::from_slice::<ErrorReply>(answer) {
        Ok(error) => CallError::Refused(error),
        Err(_) => CallError::Unexpected(Some(unexpected)),
    })
}
