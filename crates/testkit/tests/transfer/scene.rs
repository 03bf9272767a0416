//! What these tests need: clients that share no disk with the server, files of any length, and plain HTTP.

use std::path::PathBuf;

use bytes::Bytes;
use client::{Contents, Put, StoredFile, Teehouse, Transfers};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use testkit::{Site, wire};
use types::file::Format;
use types::id::FileId;
use types::service::Api;

/// `user1`'s client, which sends and fetches everything, and remembers in this folder.
pub(crate) fn remote(site: &Site, state: Option<PathBuf>) -> Teehouse {
    let transfers = Transfers { state, always_send: true, ..Transfers::default() };
    site.client_with("user1", "token1", transfers)
}

/// Bytes that differ from place to place.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// How a file of this format is put.
pub(crate) fn put(format: Format) -> Put {
    Put { format: Some(format), ..Put::named("file".parse().expect("a name")) }
}

/// Puts bytes in memory.
pub(crate) async fn put_bytes(client: &Teehouse, bytes: &[u8], format: Format) -> StoredFile {
    let contents = Contents::Bytes(bytes.to_vec().into());
    client.put_file(contents, put(format), |_, _| {}).await.expect("it is put")
}

/// Gets a file.
pub(crate) async fn get(client: &Teehouse, file: &FileId) -> Vec<u8> {
    client.get_file(file, |_, _| {}).await.expect("it comes back").1.to_vec()
}

/// One request to a URL of the tdfs, and the status, headers' range and body of its answer.
pub(crate) async fn http(site: &Site, method: &str, url: &str, range: Option<&str>, body: &[u8]) -> (u16, Vec<u8>) {
    let stream = wire::connect(site.address(Api::TdfsExternal), &[b"http/1.1"]).await.expect("connected");
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    let driver = tokio::spawn(driver);
    let path = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("whole").to_bytes().to_vec();
    driver.abort();
    (status, body)
}

/// The code of a refusal's body.
pub(crate) fn code(body: &[u8]) -> String {
    let refusal: Value = serde_json::from_slice(body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(body)));
    refusal["code"].as_str().expect("a code").to_owned()
}
