//! HTTP/1.1 as nobody should write it.

use testkit::{Cluster, wire};
use tokio::io::AsyncWriteExt as _;
use types::service::Api;

use crate::attacker::{
    HEALTHZ, HttpAnswer, check_error, connect, http, is_closed, post, read_http, soon, stranger, strangers_answer,
};

/// A small limit, so that what is over it is soon sent.
const LIMIT: usize = 32 << 10;

async fn small_cluster() -> Cluster {
    Cluster::start_with(|config| {
        config.limits.request_bytes = LIMIT;
        config.limits.invoke_bytes = LIMIT;
    })
    .await
}

/// A body in chunks of this size.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut request = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(size) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

fn check_answer(answer: &HttpAnswer, status: u16, code: &str) -> String {
    assert_eq!(answer.status, status, "{}", answer.head);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    check_error(&answer.body, code)
}

async fn check_served(stream: &mut wire::Stream, api: Api) {
    let answer = http(stream, &post(stranger(api))).await.expect("an answer");
    check_error(&answer.body, strangers_answer(api));
}

/// Wrong paths and methods, with and without bodies, bodies over the limit with a length and in chunks, `GET` and
/// `HEAD` with and without a body: each is answered, and the same connection then serves the next request.
#[tokio::test(flavor = "multi_thread")]
async fn failed_requests_never_close_a_healthy_connection() {
    let cluster = small_cluster().await;
    let filler = vec![b' '; LIMIT - 100];
    for api in Api::ALL {
        let mut stream = connect(&cluster, api, &[b"http/1.1"]).await;
        for line in ["GET /", "GET /x", "GET /healthz/", "GET //healthz", "DELETE /", "PUT /", "OPTIONS *", "PATCH /x"]
        {
            for body in [&b""[..], b"{}", &filler] {
                let head = format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
                let answer = http(&mut stream, &[head.as_bytes(), body].concat()).await.expect(line);
                check_answer(&answer, 404, "not_found");
            }
        }
        for path in ["/x", "/..", "/../", "/%2e%2e", "/healthz", "/openapi.json", "/?/../..", "*", "/\u{7f}%00"] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", filler.len());
            let Some(answer) = http(&mut stream, &[head.as_bytes(), &filler].concat()).await else { panic!("{path}") };
            match answer.status {
                404 => _ = check_answer(&answer, 404, "not_found"),
                // hyper takes no control character in a path, and says so before it ends the connection.
                400 if path.contains('\u{7f}') => stream = connect(&cluster, api, &[b"http/1.1"]).await,
                _ => _ = check_answer(&answer, 400, "invalid_request"),
            }
        }
        for over in [1, LIMIT, 2 * LIMIT] {
            let body = vec![b' '; LIMIT + over];
            for request in [post(&body), chunked(&body, 1000), chunked(&body, body.len())] {
                let answer = http(&mut stream, &request).await.expect("an answer");
                let message = check_answer(&answer, 413, "payload_too_large");
                assert!(message.contains(&LIMIT.to_string()), "{message}");
            }
        }
        let mut largest = stranger(api).to_vec();
        largest.resize(LIMIT, b' ');
        for request in [post(&largest), chunked(&largest, 7000), chunked(stranger(api), 1)] {
            let answer = http(&mut stream, &request).await.expect("an answer");
            check_error(&answer.body, strangers_answer(api));
        }
        check_served(&mut stream, api).await;
    }
    cluster.stop().await;
}

/// `GET /healthz` and `GET /openapi.json` are there on every port, in whatever dress.
#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_to_odd_but_honest_clients() {
    let cluster = small_cluster().await;
    for api in Api::ALL {
        let mut stream = connect(&cluster, api, &[b"http/1.1"]).await;
        for request in [
            "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /healthz?deep=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
            "GET https://x/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        ] {
            let answer = http(&mut stream, request.as_bytes()).await.expect("an answer");
            assert_eq!(answer.status, 200, "{request}");
            answer.json();
        }
        let _ = stream.write_all(b"HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let mut rest = Vec::new();
        let _ = soon(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)).await;
        let rest = String::from_utf8(rest).expect("ASCII");
        assert!(rest.starts_with("HTTP/1.1 200") && rest.ends_with("\r\n\r\n"), "HEAD has no body: {rest}");

        let mut stream = connect(&cluster, api, &[b"http/1.1"]).await;
        let answer = http(&mut stream, b"GET /healthz HTTP/1.0\r\n\r\n").await.expect("an answer");
        assert_eq!(answer.status, 200);
        assert!(is_closed(&mut stream).await, "HTTP/1.0 ends with its answer");
    }
    cluster.stop().await;
}

/// Not HTTP at all, or HTTP whose end nobody could find: an error at most, and the end.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_http_end_the_connection() {
    let cluster = small_cluster().await;
    let long = "a".repeat(20 << 10);
    let many: String = (0..2000).map(|number| format!("h{number}: v\r\n")).collect();
    let cases = [
        "\r\n\r\n\r\n\r\nnonsense\r\n\r\n".to_owned(),
        "POST\r\n\r\n".to_owned(),
        "POST / HTTP/9.9\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost x\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: x\r\nbad header: x\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 18446744073709551616\r\n\r\n{}".to_owned(),
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ".to_owned(),
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2, 3\r\n\r\n{} ".to_owned(),
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n{}".to_owned(),
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n{}".to_owned(),
        format!("POST /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nhost: {long}\r\n\r\n"),
        format!("POST / HTTP/1.1\r\n{long}: x\r\n\r\n"),
        format!("POST / HTTP/1.1\r\n{many}\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}\r\n\r\n".to_owned(),
    ];
    for case in cases {
        let mut stream = connect(&cluster, Api::TmsExternal, &[]).await;
        if let Some(answer) = http(&mut stream, case.as_bytes()).await {
            assert!((400..600).contains(&answer.status), "{case:.60}: {answer:?}");
        }
        assert!(is_closed(&mut stream).await, "{case:.60}");
    }
    check_served(&mut connect(&cluster, Api::TmsExternal, &[]).await, Api::TmsExternal).await;
    cluster.stop().await;
}

/// A whole document in a body that breaks afterwards, as a proxy may be made to cut it: it must not be carried out.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_is_not_carried_out() {
    let cluster = small_cluster().await;
    cluster.add_user("u", "t").await;
    let create =
        r#"{"type":"Create","function_name":"echo","collaborator_list":[],"files":[],"user_id":"u","user_token":"t"}"#;
    let size = create.len();
    let head = "POST / HTTP/1.1\r\nhost: x\r\n";
    for broken in [
        format!("{head}transfer-encoding: chunked\r\n\r\n{size:x}\r\n{create}\r\nzz\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n{size:x}\r\n{create}xx0\r\n\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n{size:x}\r\n{create}\r\nffffffffffffffffff\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n{size:x}\r\n{create}\r\n"),
        format!("{head}content-length: {}\r\n\r\n{create}", size + 1),
    ] {
        let mut stream = connect(&cluster, Api::TmsExternal, &[b"http/1.1"]).await;
        stream.write_all(broken.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("its own side ended");
        if let Some(answer) = read_http(&mut stream).await {
            check_answer(&answer, 400, "invalid_request");
            assert!(is_closed(&mut stream).await, "{broken}");
        }
    }
    let list = br#"{"type":"List","user_id":"u","user_token":"t"}"#;
    let answer = http(&mut connect(&cluster, Api::TmsExternal, &[]).await, &post(list)).await.expect("an answer");
    assert_eq!(answer.json()["list"], serde_json::json!([]), "a broken request was carried out");
    cluster.stop().await;
}

/// `Expect: 100-continue`: told to go on for a body within the limit, and told at once for one far over it.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_first_is_told() {
    let cluster = small_cluster().await;
    let body = stranger(Api::TdfsExternal);
    let asks = |length: usize| {
        format!("POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n").into_bytes()
    };
    let mut stream = connect(&cluster, Api::TdfsExternal, &[b"http/1.1"]).await;
    let go_on = http(&mut stream, &asks(body.len())).await.expect("an answer");
    assert_eq!(go_on.status, 100);
    let answer = http(&mut stream, body).await.expect("an answer");
    check_answer(&answer, 401, "unauthenticated");
    let answer = http(&mut stream, &asks(100 * LIMIT)).await.expect("an answer");
    check_answer(&answer, 413, "payload_too_large");
    cluster.stop().await;
}

/// A body without end: refused as soon as it is far over the limit, whatever its length says.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_is_cut_off() {
    let cluster = small_cluster().await;
    let chunk = [b"4000\r\n".to_vec(), vec![b' '; 0x4000], b"\r\n".to_vec()].concat();
    for head in ["transfer-encoding: chunked", "content-length: 9223372036854775807"] {
        let mut stream = connect(&cluster, Api::TmsExternal, &[b"http/1.1"]).await;
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let endless = async {
            for sent in 0.. {
                if stream.write_all(&chunk).await.is_err() {
                    return sent * chunk.len();
                }
            }
            unreachable!("it never ends")
        };
        // What lies in the buffers of two sockets comes on top of what the server read.
        let sent = soon(endless).await;
        assert!(sent < 32 << 20, "{sent} bytes were taken");
    }
    let answer = http(&mut connect(&cluster, Api::TmsExternal, &[]).await, HEALTHZ).await.expect("an answer");
    assert_eq!(answer.status, 200);
    cluster.stop().await;
}

/// Requests in one write, good and bad in turn: as many answers, in order.
#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let cluster = small_cluster().await;
    let mut stream = connect(&cluster, Api::TdfsExternal, &[]).await;
    let pair = [&post(stranger(Api::TdfsExternal))[..], HEALTHZ, &post(b"nonsense")].concat();
    stream.write_all(&pair.repeat(50)).await.expect("sent");
    stream.flush().await.expect("sent");
    for _ in 0..50 {
        for status in [401, 200, 400] {
            assert_eq!(read_http(&mut stream).await.expect("an answer").status, status);
        }
    }
    cluster.stop().await;
}
