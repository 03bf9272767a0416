//! How an operator asks a running tdfs to compare what it has: through a Unix socket in its data directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rpc::shutdown::Shutdown;
use rpc::unix;
use types::error::ErrorReply;
use types::time::UnixMillis;
use types::wire::tdfs_operator::{Check, CheckReport, Request, Response};

use crate::Tdfs;

/// How long a check may take. One of a million files in a bucket takes hours.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Why a running tdfs gives no report.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The socket answers nonsense or not at all.
    #[error("the running tdfs's socket")]
    Socket(#[from] io::Error),
    /// The running tdfs refuses.
    #[error("{}", .0.message)]
    Refused(ErrorReply),
}

fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("tdfs-operator.sock")
}

/// Serves operators' requests in the background until the order to stop.
pub(crate) fn serve_operator(data_dir: &Path, tdfs: Arc<Tdfs>, shutdown: Shutdown) -> io::Result<()> {
    let path = socket_path(data_dir);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let socket = unix::bind(&path).map_err(named)?;
    let handler = move |request: Request| {
        let tdfs = tdfs.clone();
        async move {
            match request {
                Request::Check(check) => tdfs.check(check, UnixMillis::now()).await.map(Response::Check),
            }
        }
    };
    tokio::spawn(unix::serve_within(PATIENCE, socket, handler, shutdown));
    Ok(())
}

/// Asks the tdfs that runs on a data directory; `None` when none does.
///
/// # Errors
/// When it refuses, or does not answer.
pub async fn ask_running(data_dir: &Path, check: Check) -> Result<Option<CheckReport>, AskError> {
    match unix::call_within(PATIENCE, &socket_path(data_dir), &Request::Check(check)).await {
        Ok(Ok(Response::Check(report))) => Ok(Some(report)),
        Ok(Err(refused)) => Err(AskError::Refused(refused)),
        Err(error) if nobody_listens(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
