//! How an operator changes users: through a running server, or on the store when none runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rpc::deployment::{DeploymentError, DevDeployment};
use rpc::shutdown::Shutdown;
use rpc::unix;
use types::error::ErrorReply;
use types::service::Role;
use types::wire::admin::{Request, Response};

use crate::{Error, OpenError, Users};

/// Why an operator's request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// There is no deployment here.
    #[error("{0} holds no deployment; `teehouse serve --dev --data-dir {0}` makes one")]
    NoDeployment(PathBuf),
    /// The deployment's keys can't be read.
    #[error("the deployment can't be used")]
    Deployment(#[from] DeploymentError),
    /// The store can't be opened.
    #[error("users")]
    Open(#[from] OpenError),
    /// A server runs, but its socket does not answer.
    #[error("a server uses {0}, but its socket does not answer")]
    Busy(PathBuf),
    /// The socket answers nonsense or not at all.
    #[error("the running server's socket")]
    Socket(#[from] io::Error),
    /// The running server refuses.
    #[error("{}", .0.message)]
    Refused(ErrorReply),
    /// The request is refused.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Where a server that runs on a data directory listens for its operator.
fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("operator.sock")
}

/// Serves operators' requests in the background until the order to stop.
///
/// # Errors
/// When the socket can't be bound.
pub fn serve_operator(data_dir: &Path, users: Arc<Users>, shutdown: Shutdown) -> io::Result<()> {
    let path = socket_path(data_dir);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let socket = unix::bind(&path).map_err(named)?;
    let handler = move |request: Request| {
        let users = users.clone();
        async move { users.handle(request).await }
    };
    tokio::spawn(unix::serve(socket, handler, shutdown));
    Ok(())
}

/// Carries out an operator's request on a data directory, whether or not a server runs on it.
///
/// # Errors
/// When there is no deployment, nobody answers, or the request is refused.
pub async fn operate(data_dir: &Path, request: Request) -> Result<Response, OperateError> {
    match unix::call(&socket_path(data_dir), &request).await {
        Ok(answer) => answer.map_err(OperateError::Refused),
        Err(error) if nobody_listens(&error) => operate_on_store(data_dir, request).await,
        Err(error) => Err(error.into()),
    }
}

fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

async fn operate_on_store(data_dir: &Path, request: Request) -> Result<Response, OperateError> {
    if !data_dir.join("dev").exists() {
        return Err(OperateError::NoDeployment(data_dir.to_owned()));
    }
    let sealing_key = DevDeployment::open(data_dir)?.sealing_key(Role::Tdfs)?;
    let users = match Users::open(data_dir, &sealing_key) {
        Err(OpenError(store::OpenError::AlreadyOpen { .. })) => return Err(OperateError::Busy(data_dir.to_owned())),
        users => users?,
    };
    let answer = users.handle(request).await;
    users.close().await;
    Ok(answer?)
}
