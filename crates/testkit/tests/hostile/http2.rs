//! HTTP/2 as an attacker uses it: many streams, resets without end, headers that never end.

use std::time::Instant;

use bytes::Bytes;
use testkit::{Cluster, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use types::service::Api;

use crate::attacker::{Line, ask_http2, check_error, connect, connect_http2, soon, stranger, strangers_answer};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 4;

/// `:method POST`, `:scheme https`, `:path /`, `:authority x` (RFC 7541, appendix A and section 6.2.2).
const POST: &[u8] = &[0x83, 0x87, 0x84, 0x01, 0x01, b'x'];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

async fn open(cluster: &Cluster) -> wire::Stream {
    let mut stream = connect(cluster, Api::TmsExternal, &[b"h2"]).await;
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.expect("sent");
    stream
}

async fn check_others_are_served(cluster: &Cluster) {
    let started = Instant::now();
    let (_, answer) = Line::open(cluster, Api::TmsExternal, "h2").await.ask(stranger(Api::TmsExternal)).await;
    check_error(&answer, "unauthenticated");
    assert!(started.elapsed().as_secs() < 2, "another client waited for {:?}", started.elapsed());
}

/// Sends frames until the server has enough; how many it took, at most `most`.
async fn send_while_taken(stream: &mut wire::Stream, most: u32, frames: impl Fn(u32) -> Vec<u8>) -> u32 {
    let (mut read, mut write) = tokio::io::split(stream);
    // A server whose answers nobody takes stops reading, which would be its right but is another attack.
    let drain = async {
        let mut sink = vec![0; 64 << 10];
        while matches!(read.read(&mut sink).await, Ok(1..)) {}
    };
    let flood = async {
        for number in 0..most {
            if write.write_all(&frames(number)).await.is_err() {
                return number;
            }
        }
        let _ = write.flush().await;
        most
    };
    soon(async {
        tokio::select! {
            sent = flood => sent,
            () = async { drain.await; std::future::pending().await } => unreachable!("the flood ends"),
        }
    })
    .await
}

/// CVE-2023-44487: streams are opened and reset at once, so that none of them counts as open.
#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_end_the_connection_that_sends_them() {
    let cluster = Cluster::start().await;
    let mut stream = open(&cluster).await;
    let sent = send_while_taken(&mut stream, 100_000, |number| {
        let id = 2 * number + 1;
        let cancel = 8_u32.to_be_bytes();
        [frame(HEADERS, END_HEADERS, id, POST), frame(RST_STREAM, 0, id, &cancel)].concat()
    })
    .await;
    assert!(sent < 100_000, "the server took every one");
    check_others_are_served(&cluster).await;
    cluster.stop().await;
}

/// CVE-2024-27316: a header that goes on for ever in CONTINUATION frames.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_without_end_ends_the_connection_that_sends_it() {
    let cluster = Cluster::start().await;
    let mut stream = open(&cluster).await;
    stream.write_all(&frame(HEADERS, 0, 1, POST)).await.expect("sent");
    // Literal header fields that are not to be indexed.
    let fields = [&[0x00, 0x01, b'a', 0x7f, 0x81, 0x7f][..], &[b'v'; 256]].concat().repeat(60);
    let sent = send_while_taken(&mut stream, 10_000, |_| frame(CONTINUATION, 0, 1, &fields)).await;
    assert!(sent < 10_000, "the server took every one");
    check_others_are_served(&cluster).await;
    cluster.stop().await;
}

/// Pings and settings cost their sender as much as the server: taken or not, others notice nothing, and the server
/// stops when it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_pings_and_settings_disturbs_nobody() {
    let cluster = Cluster::start().await;
    let mut stream = open(&cluster).await;
    let flood = send_while_taken(&mut stream, 20_000, |_| {
        [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[]), frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())]
            .concat()
    });
    tokio::join!(flood, check_others_are_served(&cluster));
    // The attacker is still connected and answers nothing, not even that it is to go.
    let started = Instant::now();
    cluster.stop().await;
    assert!(started.elapsed().as_secs() < 5, "the attacker held up the end for {:?}", started.elapsed());
    drop(stream);
}

/// More streams than allowed at once, and a stream per wrong thing: the rest of the connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_stream_fails_alone() {
    let cluster = Cluster::start_with(|config| config.limits.request_bytes = 32 << 10).await;
    for api in [Api::TmsExternal, Api::TdfsExternal, Api::Kms] {
        let sender = connect_http2(&cluster, api).await;
        let mut streams = JoinSet::new();
        for number in 0..600 {
            let mut sender = sender.clone();
            let (body, status, code) = match number % 4 {
                0 => (stranger(api).to_vec(), None, strangers_answer(api)),
                1 => (b"nonsense".to_vec(), Some(400), "invalid_request"),
                2 => (vec![b' '; 40 << 10], Some(413), "payload_too_large"),
                _ => (vec![b' '; 400 << 10], Some(413), "payload_too_large"),
            };
            streams.spawn(async move {
                match ask_http2(&mut sender, Bytes::from(body)).await {
                    Ok((answered, body)) => {
                        check_error(&body, code);
                        assert_eq!(answered, status.unwrap_or(answered));
                    }
                    // Its body was refused while it was being sent; hyper does not always show the answer then.
                    Err(error) => assert_eq!(number % 4, 3, "{error:?}"),
                }
            });
        }
        while let Some(done) = streams.join_next().await {
            done.expect("no stream but its own is harmed");
        }
        let (_, answer) = ask_http2(&mut sender.clone(), Bytes::from_static(stranger(api))).await.expect("an answer");
        check_error(&answer, strangers_answer(api));
    }
    cluster.stop().await;
}
