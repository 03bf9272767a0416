//! One raw document to one API, over either protocol: for people who debug clients.

use std::io;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;

use crate::frame;
use crate::tls::Connector;

/// Largest answer that is read.
const ANSWER_BYTES: usize = 256 << 20;

/// Sends a document in a frame and returns the answer's body.
///
/// # Errors
/// When the service can't be reached or ends the connection.
pub async fn call_framed(connector: &Connector, target: &str, document: &[u8]) -> io::Result<Bytes> {
    let (mut connection, _) = connector.connect(target, &[]).await?;
    frame::write(&mut connection, document).await?;
    frame::read(&mut connection, &mut BytesMut::new(), ANSWER_BYTES).await
}

/// Sends a document as an HTTP/1.1 `POST /` and returns the status and the answer's body.
///
/// # Errors
/// When the service can't be reached or does not speak HTTP.
pub async fn call_http(connector: &Connector, target: &str, document: &[u8]) -> io::Result<(u16, Bytes)> {
    let (connection, _) = connector.connect(target, &[b"http/1.1"]).await?;
    let (mut sender, driver) =
        hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.map_err(io::Error::other)?;
    let driver = tokio::spawn(driver);
    let request = Request::post("/")
        .header(HOST, target)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::copy_from_slice(document)))
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    driver.abort();
    Ok((status, body))
}
