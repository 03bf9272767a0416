//! Frames that lie about their length, end early, or come in pieces.

use serde_json::Value;
use testkit::{Cluster, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use types::service::Api;

use crate::attacker::{Line, check_error, connect, is_closed, soon, stranger, strangers_answer};

/// A small limit, so that what is over it is soon sent. The answers are the same for any.
const LIMIT: usize = 64 << 10;

async fn small_cluster() -> Cluster {
    Cluster::start_with(|config| {
        config.limits.request_bytes = LIMIT;
        config.limits.invoke_bytes = LIMIT;
    })
    .await
}

async fn answer(stream: &mut wire::Stream) -> Vec<u8> {
    let length = soon(stream.read_u64()).await.expect("an answer");
    assert!(length < 1 << 20, "no length of an answer: {length:x}");
    let mut body = vec![0; length as usize];
    soon(stream.read_exact(&mut body)).await.expect("the whole answer");
    body
}

async fn check_served(stream: &mut wire::Stream, api: Api) {
    soon(wire::send(stream, stranger(api))).await.expect("sent");
    check_error(&answer(stream).await, strangers_answer(api));
}

/// Claims that no reader could hold: the answer, and then the end, on a fresh connection and in the middle of one.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_of_exabytes_is_refused_without_waiting_for_them() {
    let cluster = small_cluster().await;
    for api in Api::ALL {
        for claimed in [1 << 27, 1 << 32, 1 << 40, 1 << 55, 1 << 56, 1 << 62, 1 << 63, u64::MAX] {
            for later in [false, true] {
                let mut stream = connect(&cluster, api, &[]).await;
                if later {
                    check_served(&mut stream, api).await;
                }
                stream.write_all(&claimed.to_be_bytes()).await.expect("sent");
                stream.flush().await.expect("sent");
                // A first byte of 1 to 127 starts no length but HTTP, which these bytes aren't either.
                let spoken = later || !api.callers().roles().is_empty();
                if spoken || !(1..0x80).contains(&claimed.to_be_bytes()[0]) {
                    let message = check_error(&answer(&mut stream).await, "payload_too_large");
                    assert!(message.contains(&LIMIT.to_string()), "{message}");
                    assert!(is_closed(&mut stream).await, "{claimed:x}");
                } else {
                    let _ = stream.shutdown().await;
                    let mut rest = Vec::new();
                    let _ = soon(stream.read_to_end(&mut rest)).await;
                    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{claimed:x}: {rest:?}");
                }
            }
        }
    }
    cluster.stop().await;
}

/// At the limit: a request. One byte over it: refused, skipped, and the connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn one_byte_over_the_limit_is_refused_and_skipped() {
    let cluster = small_cluster().await;
    for api in Api::ALL {
        let mut stream = connect(&cluster, api, &[]).await;
        for _ in 0..3 {
            let mut largest = stranger(api).to_vec();
            largest.resize(LIMIT, b' ');
            soon(wire::send(&mut stream, &largest)).await.expect("sent");
            check_error(&answer(&mut stream).await, strangers_answer(api));
            for over in [1, LIMIT, 20 * LIMIT] {
                largest.resize(LIMIT + over, b' ');
                soon(wire::send(&mut stream, &largest)).await.expect("sent");
                let message = check_error(&answer(&mut stream).await, "payload_too_large");
                assert!(message.contains(&LIMIT.to_string()), "{message}");
            }
        }
        check_served(&mut stream, api).await;
    }
    cluster.stop().await;
}

/// The connection ends after every possible number of bytes, politely and by a reset: nothing is answered, nothing is
/// done, and the next caller is served.
#[tokio::test(flavor = "multi_thread")]
async fn frames_that_end_early_do_nothing() {
    let cluster = Cluster::start().await;
    cluster.add_user("u", "t").await;
    let document = br#"{"type":"Create","function_name":"echo","collaborator_list":[],"files":[],
        "user_id":"u","user_token":"t"}"#;
    let frame = [&(document.len() as u64).to_be_bytes()[..], document].concat();
    let ends = (0..16).chain((16..frame.len()).step_by(11)).chain([frame.len() - 1]);
    for (number, end) in ends.enumerate() {
        let mut stream = connect(&cluster, Api::TmsExternal, &[]).await;
        stream.write_all(&frame[..end]).await.expect("sent");
        stream.flush().await.expect("sent");
        if number % 2 == 0 {
            stream.shutdown().await.expect("shut down");
            assert!(is_closed(&mut stream).await, "{end}");
        } else {
            stream.with(|stream| {
                let at_once = Some(std::time::Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(stream.get_ref().0, at_once).expect("set");
            });
            drop(stream);
        }
    }
    let list = br#"{"type":"List","user_id":"u","user_token":"t"}"#;
    let (_, answer) = Line::open(&cluster, Api::TmsExternal, "framed").await.ask(list).await;
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(answer["list"], serde_json::json!([]), "a truncated request was carried out");
    cluster.stop().await;
}

/// Every byte alone, a hundred requests in one write, an empty frame between them: answers come in order.
#[tokio::test(flavor = "multi_thread")]
async fn requests_come_in_any_pieces() {
    let cluster = Cluster::start().await;
    let mut stream = connect(&cluster, Api::TdfsExternal, &[]).await;
    let body = stranger(Api::TdfsExternal);
    let frame = [&(body.len() as u64).to_be_bytes()[..], body].concat();
    for byte in &frame {
        stream.write_all(std::slice::from_ref(byte)).await.expect("sent");
        stream.flush().await.expect("sent");
    }
    check_error(&answer(&mut stream).await, "unauthenticated");
    let many = [&frame[..], &[0; 8]].concat().repeat(100);
    stream.write_all(&many).await.expect("sent");
    stream.flush().await.expect("sent");
    for _ in 0..100 {
        check_error(&answer(&mut stream).await, "unauthenticated");
        check_error(&answer(&mut stream).await, "invalid_request");
    }
    // The other side has said everything, and still wants its answer.
    stream.write_all(&frame).await.expect("sent");
    stream.shutdown().await.expect("its own side ended");
    check_error(&answer(&mut stream).await, "unauthenticated");
    assert!(is_closed(&mut stream).await);
    cluster.stop().await;
}
