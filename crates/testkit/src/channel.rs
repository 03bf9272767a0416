//! One connection to one API, in any of the three protocols, with answers as the bytes that came.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::sign::CertifiedKey;
use serde_json::Value;

use crate::{Protocol, wire};

/// A connection that carries requests one after the other.
#[expect(clippy::large_enum_variant, reason = "a test has a few of them")]
pub enum Channel {
    /// Frames.
    Framed(wire::Stream),
    /// HTTP/1.1.
    Http1(http1::SendRequest<Full<Bytes>>),
    /// HTTP/2.
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status; frames have none.
    pub status: Option<u16>,
    /// The body, byte for byte.
    pub text: String,
}

impl Answer {
    /// The body as a document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Channel {
    /// Connects, showing a certificate if there is one.
    ///
    /// # Errors
    /// When nobody listens or the handshake fails.
    pub async fn open(protocol: Protocol, at: SocketAddr, key: Option<CertifiedKey>) -> io::Result<Self> {
        let alpn: &[&[u8]] = match protocol {
            Protocol::Framed => &[],
            Protocol::Http1 => &[b"http/1.1"],
            Protocol::Http2 => &[b"h2"],
        };
        let stream = wire::connect_as(at, alpn, key).await?;
        match protocol {
            Protocol::Framed => Ok(Channel::Framed(stream)),
            Protocol::Http1 => {
                let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
                tokio::spawn(driver);
                Ok(Channel::Http1(sender))
            }
            Protocol::Http2 => {
                let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
                let (sender, driver) = handshake.await.map_err(io::Error::other)?;
                tokio::spawn(driver);
                Ok(Channel::Http2(sender))
            }
        }
    }

    /// Sends a document and waits for its answer.
    ///
    /// # Errors
    /// When the connection ends instead.
    pub async fn send(&mut self, document: &str) -> io::Result<Answer> {
        let response = match self {
            Channel::Framed(stream) => {
                wire::send(stream, document.as_bytes()).await?;
                return Ok(Answer { status: None, text: wire::receive_text(stream).await? });
            }
            Channel::Http1(sender) => {
                sender.ready().await.map_err(io::Error::other)?;
                sender.send_request(request("/", document)).await
            }
            Channel::Http2(sender) => sender.send_request(request("https://localhost/", document)).await,
        };
        let (parts, body) = response.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let text = String::from_utf8(body.to_vec()).map_err(io::Error::other)?;
        Ok(Answer { status: Some(parts.status.as_u16()), text })
    }
}

fn request(uri: &str, document: &str) -> hyper::Request<Full<Bytes>> {
    let body = Full::new(Bytes::copy_from_slice(document.as_bytes()));
    hyper::Request::post(uri).header("host", "localhost").body(body).expect("a request")
}
