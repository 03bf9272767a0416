//! The client's half over HTTP/1.1, before any other request of its connection.

use std::io;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_TYPE, HOST};

use super::Challenger;
use crate::courier::Outgoing;
use crate::http::ATTESTATION;

/// Has the session attested.
///
/// # Errors
/// When either side refuses the other's evidence, or the connection breaks.
pub(crate) async fn attest(challenger: &Challenger, sender: &mut Sender, target: &str) -> io::Result<()> {
    let (nonce, question) = challenger.question();
    let (_, answer) = post(sender, target, ATTESTATION, &question).await?;
    if let (_, Some(own)) = challenger.check(nonce, &answer).await? {
        let (_, answer) = post(sender, target, ATTESTATION, &own).await?;
        challenger.check_accepted(&answer)?;
    }
    Ok(())
}

/// A connection of HTTP/1.1.
pub(crate) type Sender = SendRequest<Outgoing>;

/// Sends one document, and reads the answer's status and body.
///
/// # Errors
/// When the connection breaks.
pub(crate) async fn post(sender: &mut Sender, target: &str, path: &str, document: &[u8]) -> io::Result<(u16, Bytes)> {
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
