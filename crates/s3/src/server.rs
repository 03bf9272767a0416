//! A real S3 server (the crate `s3s-fs`) on a free loopback port, which checks signatures.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::HttpResponse;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The bucket that every server has.
pub const BUCKET: &str = "bucket";

/// The region that it says it is in.
pub const REGION: &str = "us-east-1";

/// The name of the one key that it knows.
pub const ACCESS_KEY: &str = "TESTACCESSKEY";

/// That key.
pub const SECRET_KEY: &str = "a-secret-key-for-tests";

/// A running server.
pub struct Server {
    folder: tempfile::TempDir,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts a server with an empty [`BUCKET`].
    ///
    /// # Panics
    /// When the machine has no room or no port for it.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let files = s3s_fs::FileSystem::new(folder.path()).expect("a file system");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let accepting = tokio::spawn(accept(listener, builder.build(), folder.path().into()));
        Server { folder, address, accepting }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it keeps the bucket's objects, each in a file of its key's name.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, service: S3Service, folder: Arc<Path>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (service, folder) = (service.clone(), folder.clone());
        let answer = service_fn(move |request| answer(request, service.clone(), folder.clone()));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), answer);
        connections.spawn(async move { drop(connection.await) });
        while connections.try_join_next().is_some() {}
    }
}

/// `s3s-fs` keeps `a/b` in a folder `a` and fails when asked about an object `a`, of which S3 says that there is none.
async fn answer(request: Request<Incoming>, s3: S3Service, folder: Arc<Path>) -> Result<HttpResponse, Infallible> {
    let key = request.uri().path().trim_start_matches('/');
    if request.method() == Method::HEAD && key.contains('/') && folder.join(key).is_dir() {
        return Ok(status(StatusCode::NOT_FOUND));
    }
    Ok(s3.call(request.map(Into::into)).await.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR)))
}

fn status(status: StatusCode) -> HttpResponse {
    let mut response = HttpResponse::new(s3s::Body::empty());
    *response.status_mut() = status;
    response
}
