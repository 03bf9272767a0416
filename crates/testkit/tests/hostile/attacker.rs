//! What attackers stand on: connections that nobody helps to be right, in every protocol.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rpc::tls::Identity;
use serde_json::Value;
use testkit::{Cluster, attesting, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use types::service::Api;

/// Longer than anything honest takes, even on a machine that does other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The attacker's secret: in every request where a token belongs, in no answer.
pub(crate) const TOKEN: &str = "the-attackers-own-secret-token";

/// What every port answers when it is well.
pub(crate) const HEALTHZ: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

/// Ends what should have ended by itself.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// A connection to an API, with the certificate of a service that may call it where one is needed.
pub(crate) async fn connect(cluster: &Cluster, api: Api, alpn: &[&[u8]]) -> wire::Stream {
    let identity = api.callers().roles().first().map(|role| cluster.identity(*role));
    let key = identity.as_ref().map(Identity::certified_key);
    let mut stream = soon(wire::connect_as(cluster.address(api), alpn, key)).await.expect("a connection");
    match identity {
        Some(identity) if alpn.is_empty() => soon(attesting::attest(&mut stream, &identity)).await.expect("attested"),
        Some(identity) if alpn == [b"http/1.1"] => attest_http1(&mut stream, &identity).await,
        _ => {}
    }
    stream
}

async fn attest_http1(stream: &mut wire::Stream, identity: &Identity) {
    let ask = |document: &Value| {
        let body = document.to_string();
        let path = "/.well-known/attestation";
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let attested = http(stream, &ask(&attesting::question())).await.expect("an answer").json();
    let presented = attesting::answer(stream, identity, &attested).expect("service ports ask back");
    assert_eq!(http(stream, &ask(&presented)).await.expect("an answer").status, 200);
}

/// An answer to one HTTP/1.1 request.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl HttpAnswer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// `POST /` with a length.
pub(crate) fn post(body: &[u8]) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Reads one answer and nothing after it. `None` when the connection ends first.
pub(crate) async fn read_http(stream: &mut wire::Stream) -> Option<HttpAnswer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.ok()?);
    }
    let head = String::from_utf8(head).expect("ASCII").to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| {
        length.parse().expect("a length") // HEAD names one and sends nothing; callers of HEAD know.
    });
    let mut body = vec![0; length];
    soon(stream.read_exact(&mut body)).await.ok()?;
    Some(HttpAnswer { status, head, body })
}

/// Sends raw bytes and reads one HTTP answer.
pub(crate) async fn http(stream: &mut wire::Stream, bytes: &[u8]) -> Option<HttpAnswer> {
    // A server that has seen enough may end the connection while there is more to send.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    read_http(stream).await
}

/// Whether the other side ends the connection without another byte.
pub(crate) async fn is_closed(stream: &mut wire::Stream) -> bool {
    let mut byte = [0];
    !matches!(soon(stream.read(&mut byte)).await, Ok(1))
}

/// A connection on which documents are sent, whatever the protocol.
pub(crate) enum Line {
    Framed(wire::Stream),
    Http1(wire::Stream),
    Http2(SendRequest<Full<Bytes>>),
}

/// The protocols, by name.
pub(crate) const PROTOCOLS: [&str; 3] = ["framed", "http/1.1", "h2"];

impl Line {
    pub(crate) async fn open(cluster: &Cluster, api: Api, protocol: &str) -> Line {
        match protocol {
            "framed" => Line::Framed(connect(cluster, api, &[]).await),
            "http/1.1" => Line::Http1(connect(cluster, api, &[b"http/1.1"]).await),
            _ => Line::Http2(connect_http2(cluster, api).await),
        }
    }

    /// Sends a document; returns the status, where there is one, and the answer's bytes.
    pub(crate) async fn ask(&mut self, document: &[u8]) -> (Option<u16>, Vec<u8>) {
        match self {
            Line::Framed(stream) => {
                soon(wire::send(stream, document)).await.expect("sent");
                let length = soon(stream.read_u64()).await.expect("an answer");
                let mut body = vec![0; usize::try_from(length).expect("a small answer")];
                soon(stream.read_exact(&mut body)).await.expect("the whole answer");
                (None, body)
            }
            Line::Http1(stream) => {
                let answer = http(stream, &post(document)).await.expect("an answer");
                (Some(answer.status), answer.body)
            }
            Line::Http2(sender) => {
                let (status, body) = ask_http2(sender, Bytes::copy_from_slice(document)).await.expect("an answer");
                (Some(status), body)
            }
        }
    }
}

/// A connection to an API that speaks HTTP/2, attested where the port demands it.
pub(crate) async fn connect_http2(cluster: &Cluster, api: Api) -> SendRequest<Full<Bytes>> {
    let Some(role) = api.callers().roles().first() else {
        return http2(connect(cluster, api, &[b"h2"]).await).await;
    };
    let identity = cluster.identity(*role);
    let stream = wire::connect_as(cluster.address(api), &[b"h2"], Some(identity.certified_key()));
    let stream = soon(stream).await.expect("a connection");
    let mut sender = http2(stream.clone()).await;
    let mut ask = async |document: &Value| {
        let body = Bytes::from(document.to_string());
        let (status, answer) = ask_http2_at(&mut sender, "/.well-known/attestation", body).await.expect("an answer");
        assert_eq!(status, 200);
        serde_json::from_slice::<Value>(&answer).expect("JSON")
    };
    let attested = ask(&attesting::question()).await;
    ask(&attesting::answer(&stream, &identity, &attested).expect("service ports ask back")).await;
    sender
}

/// Speaks HTTP/2 on a connection.
pub(crate) async fn http2(stream: wire::Stream) -> SendRequest<Full<Bytes>> {
    let (sender, driver) =
        soon(hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))).await.expect("h2");
    tokio::spawn(driver);
    sender
}

/// One `POST /` in HTTP/2.
pub(crate) async fn ask_http2(sender: &mut SendRequest<Full<Bytes>>, body: Bytes) -> hyper::Result<(u16, Vec<u8>)> {
    ask_http2_at(sender, "/", body).await
}

async fn ask_http2_at(sender: &mut SendRequest<Full<Bytes>>, path: &str, body: Bytes) -> hyper::Result<(u16, Vec<u8>)> {
    let uri = format!("https://localhost{path}");
    let request = hyper::Request::post(uri).body(Full::new(body)).expect("a request");
    let response = soon(sender.send_request(request)).await?;
    let status = response.status().as_u16();
    Ok((status, soon(response.into_body().collect()).await?.to_bytes().to_vec()))
}

/// Checks the one shape of failures, and that nothing secret or boundless is in it. Returns the message.
pub(crate) fn check_error(answer: &[u8], code: &str) -> String {
    let text = std::str::from_utf8(answer).expect("UTF-8");
    let value: Value = serde_json::from_slice(answer).expect("JSON");
    assert_eq!((&value["type"], &value["code"]), (&"Error".into(), &code.into()), "{text}");
    assert!(value["request_id"].as_str().is_some_and(|id| id.len() == 36), "{text}");
    assert!(!text.contains(TOKEN) && answer.len() < 2048, "{text}");
    value["message"].as_str().expect("a message").to_owned()
}

/// A well-formed request of every kind that names nobody and nothing that exists.
pub(crate) fn stranger(api: Api) -> &'static [u8] {
    match api {
        Api::Kms => br#"{"type":"Get","key_id":"none"}"#,
        Api::Enrolment => br#"{"type":"Enrol","names":[""],"evidence":""}"#,
        Api::TdfsExternal => br#"{"type":"List","user_id":"nobody","user_token":"none"}"#,
        Api::TdfsInternal => br#"{"type":"Get","file_id":"none"}"#,
        Api::TmsExternal => br#"{"type":"List","user_id":"nobody","user_token":"none"}"#,
        Api::TmsInternal => br#"{"type":"Get","task_id":"none"}"#,
        Api::FnsExternal => br#"{"task_id":"none","function_name":"echo","task_token":"none"}"#,
    }
}

/// What [`stranger`] is answered.
pub(crate) fn strangers_answer(api: Api) -> &'static str {
    match api {
        Api::TdfsExternal | Api::TmsExternal => "unauthenticated",
        Api::Enrolment => "invalid_request",
        _ => "not_found",
    }
}
