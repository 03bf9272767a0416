//! One connection to one API, in any of the three protocols, with answers as the bytes that came.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rpc::tls::Identity;
use serde_json::Value;

use crate::{Protocol, attesting, wire};

/// Where sessions are attested over HTTP.
pub const ATTESTATION: &str = "/.well-known/attestation";

/// How long an answer may take: hyper's client can wait for ever on a connection that ended as its request set out.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that carries requests one after the other.
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
    /// Connects, and attests the session where there is an identity to do that with.
    ///
    /// # Errors
    /// When nobody listens, the handshake fails, or the identity is refused.
    pub async fn open(protocol: Protocol, at: SocketAddr, identity: Option<&Identity>) -> io::Result<Self> {
        let (mut channel, stream) = Self::open_unattested(protocol, at, identity).await?;
        if let Some(identity) = identity {
            channel.attest(&stream, identity).await?;
        }
        Ok(channel)
    }

    /// Connects and shows the certificate of an identity if there is one, and nothing more.
    ///
    /// # Errors
    /// When nobody listens or the handshake fails.
    pub async fn open_unattested(
        protocol: Protocol,
        at: SocketAddr,
        identity: Option<&Identity>,
    ) -> io::Result<(Self, wire::Stream)> {
        let alpn: &[&[u8]] = match protocol {
            Protocol::Framed => &[],
            Protocol::Http1 => &[b"http/1.1"],
            Protocol::Http2 => &[b"h2"],
        };
        let stream = wire::connect_as(at, alpn, identity.map(Identity::certified_key)).await?;
        Ok((Self::over(protocol, stream.clone()).await?, stream))
    }

    /// Attests the session of the connection that `stream` is.
    ///
    /// # Errors
    /// When the connection ends, or the server refuses.
    pub async fn attest(&mut self, stream: &wire::Stream, identity: &Identity) -> io::Result<()> {
        let attested = self.send_to(ATTESTATION, &attesting::question().to_string()).await?.json();
        match attesting::answer(stream, identity, &attesting::check(attested)?) {
            Some(own) => attesting::check(self.send_to(ATTESTATION, &own.to_string()).await?.json()).map(|_| ()),
            None => Ok(()),
        }
    }

    async fn over(protocol: Protocol, stream: wire::Stream) -> io::Result<Self> {
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
        self.send_to("/", document).await
    }

    /// Sends a document to a path, where the protocol has paths.
    ///
    /// # Errors
    /// When the connection ends instead, or nothing comes for a minute.
    pub async fn send_to(&mut self, path: &str, document: &str) -> io::Result<Answer> {
        tokio::time::timeout(PATIENCE, self.exchange(path, document)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    async fn exchange(&mut self, path: &str, document: &str) -> io::Result<Answer> {
        let response = match self {
            Channel::Framed(stream) => {
                wire::send(stream, document.as_bytes()).await?;
                return Ok(Answer { status: None, text: wire::receive_text(stream).await? });
            }
            Channel::Http1(sender) => {
                sender.ready().await.map_err(io::Error::other)?;
                sender.send_request(request(path, document)).await
            }
            Channel::Http2(sender) => sender.send_request(request(&format!("https://localhost{path}"), document)).await,
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
