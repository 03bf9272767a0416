//! An independent, unverified view of the wire, for tests that play other clients and attackers.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crypto::FileKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A TLS connection whose other end nobody checked. Clones are the same connection, for whoever needs its keys while
/// another reads and writes.
#[derive(Clone)]
pub struct Stream(Arc<Mutex<TlsStream<TcpStream>>>);

impl Stream {
    /// Looks at the connection itself.
    pub fn with<T>(&self, look: impl FnOnce(&mut TlsStream<TcpStream>) -> T) -> T {
        look(&mut self.0.lock().expect("no test panics meanwhile"))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        self.with(|stream| Pin::new(stream).poll_read(cx, out))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.with(|stream| Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.with(|stream| Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.with(|stream| Pin::new(stream).poll_shutdown(cx))
    }
}

/// Connects as a client that believes everything and shows no certificate.
///
/// # Errors
/// When the server ends the handshake.
pub async fn connect(address: SocketAddr, alpn: &[&[u8]]) -> std::io::Result<Stream> {
    connect_as(address, alpn, None).await
}

/// Connects as a client that believes everything, and shows a certificate if there is one.
///
/// # Errors
/// When the server ends the handshake.
pub async fn connect_as(
    address: SocketAddr,
    alpn: &[&[u8]],
    key: Option<Arc<CertifiedKey>>,
) -> std::io::Result<Stream> {
    let mut config = believing(rustls::crypto::aws_lc_rs::default_provider(), key);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    shake_hands(address, config).await
}

/// A client that believes everything, with this cryptography and, if there is one, this certificate.
pub fn believing(provider: CryptoProvider, key: Option<Arc<CertifiedKey>>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer));
    match key {
        Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from((*key).clone()))),
        None => builder.with_no_client_auth(),
    }
}

/// Connects to what calls itself `localhost` at an address.
///
/// # Errors
/// When either side ends the handshake.
pub async fn shake_hands(address: SocketAddr, config: ClientConfig) -> std::io::Result<Stream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
    Ok(Stream(Arc::new(Mutex::new(stream))))
}

/// Writes one frame.
pub async fn send(stream: &mut Stream, body: &[u8]) -> std::io::Result<()> {
    stream.write_all(&(body.len() as u64).to_be_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

/// Reads one frame.
pub async fn receive(stream: &mut Stream) -> std::io::Result<Value> {
    Ok(serde_json::from_str(&receive_text(stream).await?)?)
}

/// Reads one frame as the text that it is.
pub async fn receive_text(stream: &mut Stream) -> std::io::Result<String> {
    let length = stream.read_u64().await?;
    let mut body = vec![0; usize::try_from(length).expect("a small answer")];
    stream.read_exact(&mut body).await?;
    String::from_utf8(body).map_err(std::io::Error::other)
}

/// The key of a `key_config`.
pub fn file_key(config: &Value) -> FileKey {
    let part = |name: &str| -> Vec<u8> {
        let secret: types::secret::SecretBytes = serde_json::from_value(config[name].clone()).expect("base64");
        secret.expose().to_vec()
    };
    FileKey::new(&part("key"), &part("nonce"), &part("ad")).expect("a key configuration")
}

/// Believes every certificate.
#[derive(Debug)]
struct Believer;

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
