//! Requests on a Unix socket that only its owner can open: how an operator talks to a running server.

use std::future::Future;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use types::error::ErrorReply;
use types::id::RequestId;
use types::wire::Request;

use crate::reply::{WireFault, describe};
use crate::shutdown::Shutdown;
use crate::{Fault, Reply, frame};

/// Largest request or answer: a list of some ten thousand users.
const FRAME_BYTES: usize = 4 << 20;

/// How long the other side may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Binds a socket that only this user can open, in place of one that a killed server left behind.
///
/// # Errors
/// When the path can't be had.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The name appears with its mode: nobody can connect between the two.
    let draft = path.with_extension("new");
    let _ = std::fs::remove_file(&draft);
    let socket = short(&draft, |draft| UnixListener::bind(draft))?;
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&draft, path)?;
    Ok(socket)
}

/// Names a socket in few enough bytes: the kernel takes 107, a data directory may be deeper.
fn short<T>(path: &Path, use_path: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    const LONGEST: usize = 107;
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return use_path(path) };
    if path.as_os_str().len() <= LONGEST {
        return use_path(path);
    }
    let dir = std::fs::File::open(dir)?;
    use_path(&PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name))
}

/// Answers requests until the order to stop.
pub async fn serve<Q, A, E, F, H>(socket: UnixListener, handler: H, shutdown: Shutdown)
where
    Q: Request + Send,
    A: Serialize + Send,
    E: Fault,
    F: Future<Output = Result<A, E>> + Send,
    H: Fn(Q) -> F + Send + Sync + 'static,
{
    serve_within(PATIENCE, socket, handler, shutdown).await;
}

/// As [`serve`], for requests that may take so long.
pub async fn serve_within<Q, A, E, F, H>(patience: Duration, socket: UnixListener, handler: H, shutdown: Shutdown)
where
    Q: Request + Send,
    A: Serialize + Send,
    E: Fault,
    F: Future<Output = Result<A, E>> + Send,
    H: Fn(Q) -> F + Send + Sync + 'static,
{
    let handler = Arc::new(handler);
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = shutdown.begun() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let handler = handler.clone();
        tokio::spawn(async move { tokio::time::timeout(patience, converse(stream, &*handler)).await });
    }
}

async fn converse<Q, A, E, F, H>(mut stream: UnixStream, handler: &H) -> io::Result<()>
where
    Q: Request,
    A: Serialize,
    E: Fault,
    F: Future<Output = Result<A, E>>,
    H: Fn(Q) -> F,
{
    let request_id = RequestId::fresh();
    let body = frame::read(&mut stream, &mut BytesMut::new(), FRAME_BYTES).await?;
    let reply = match Q::from_json(&body) {
        Err(error) => Reply::failure(&describe(&WireFault::Decode(error), &request_id)),
        Ok(request) => match handler(request).await {
            Ok(answer) => Reply::success(&answer, &request_id),
            Err(fault) => Reply::failure(&describe(&fault, &request_id)),
        },
    };
    frame::write(&mut stream, &reply.into_body()).await
}

/// Sends one request to the server behind a socket.
///
/// # Errors
/// The outer error when nobody answers there, the inner one when the server refuses.
pub async fn call<Q: Serialize, A: DeserializeOwned>(path: &Path, request: &Q) -> io::Result<Result<A, ErrorReply>> {
    call_within(PATIENCE, path, request).await
}

/// As [`call`], for requests that may take so long.
///
/// # Errors
/// As [`call`].
pub async fn call_within<Q: Serialize, A: DeserializeOwned>(
    patience: Duration,
    path: &Path,
    request: &Q,
) -> io::Result<Result<A, ErrorReply>> {
    let socket = short(path, |path| std::os::unix::net::UnixStream::connect(path))?;
    socket.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(socket)?;
    let body = serde_json::to_vec(request)?;
    let exchange = async {
        frame::write(&mut stream, &body).await?;
        frame::read(&mut stream, &mut BytesMut::new(), FRAME_BYTES).await
    };
    let answer = tokio::time::timeout(patience, exchange).await.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok(match serde_json::from_slice(&answer) {
        Ok(answer) => Ok(answer),
        Err(unexpected) => Err(serde_json::from_slice(&answer).map_err(|_| unexpected)?),
    })
}
