//! One raw document to one API, over either protocol: for people who debug clients.

use std::io;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;

use crate::attestation::Challenger;
use crate::courier::Outgoing;
use crate::frame;
use crate::http::ATTESTATION;
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
    attest_http(&challenger, &mut sender, target).await?;
    let answer = post(&mut sender, target, "/", document).await;
    driver.abort();
    answer
}

/// Has the session attested over HTTP.
pub(crate) async fn attest_http(challenger: &Challenger, sender: &mut Sender, target: &str) -> io::Result<()> {
    let (nonce, question) = challenger.question();
    let (_, answer) = post(sender, target, ATTESTATION, &question).await?;
    if let (_, Some(own)) = challenger.check(nonce, &answer).await? {
        let (_, answer) = post(sender, target, ATTESTATION, &own).await?;
        challenger.check_accepted(&answer)?;
    }
    Ok(())
}

type Sender = hyper::client::conn::http1::SendRequest<Outgoing>;

async fn post(sender: &mut Sender, target: &str, path: &str, document: &[u8]) -> io::Result<(u16, Bytes)> {
    let request = Request::post(path)
        .header(HOST, target)
        .header(CONTENT_TYPE, "application/json")
        .body(Outgoing::of(Bytes::copy_from_slice(document)))
        .map_err(io::Error::other)?;
    sender.ready().await.map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok((status, body))
}
