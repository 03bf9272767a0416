//! One raw document to one API, over either protocol: for people who debug clients.

use std::io;

use bytes::{Bytes, BytesMut};
use hyper_util::rt::TokioIo;

use crate::attestation::over_http;
use crate::frame;
use crate::tls::{Connected, Connector};

/// Largest answer that is read.
const ANSWER_BYTES: usize = 256 << 20;

/// Sends a document in a frame and returns the answer's body.
///
/// # Errors
/// When the service can't be reached or ends the connection.
pub async fn call_framed(connector: &Connector, target: &str, document: &[u8]) -> io::Result<Bytes> {
    let mut connection = connector.connect(target).await?.0.stream;
    frame::write(&mut connection, document).await?;
    frame::read(&mut connection, &mut BytesMut::new(), ANSWER_BYTES).await
}

/// Sends a document as an HTTP/1.1 `POST /` and returns the status and the answer's body.
///
/// # Errors
/// When the service can't be reached or does not speak HTTP.
pub async fn call_http(connector: &Connector, target: &str, document: &[u8]) -> io::Result<(u16, Bytes)> {
    let Connected { stream, challenger } = connector.connect_unattested(target, &[b"http/1.1"]).await?;
    let (mut sender, driver) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let driver = tokio::spawn(driver);
    over_http::attest(&challenger, &mut sender, target).await?;
    let answer = over_http::post(&mut sender, target, "/", document).await;
    driver.abort();
    answer
}
