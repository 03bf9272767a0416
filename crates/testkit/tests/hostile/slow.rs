//! Whoever takes his time, to the point where it is an attack; and whoever is only quiet, which is none.

use std::time::{Duration, Instant};

use testkit::{Cluster, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use types::service::Api;

use crate::attacker::{HEALTHZ, check_error, connect, http, is_closed, post, read_http, soon, stranger};

const HANDSHAKE: u64 = 1;
const HEADER: u64 = 1;
const REQUEST: u64 = 2;
const IDLE: u64 = 4;

/// How much later than planned a timer may fire on a busy machine.
const LATE: f64 = 2.5;

const API: Api = Api::TdfsExternal;

fn check_time(what: &str, started: Instant, expected: u64) {
    let took = started.elapsed().as_secs_f64();
    assert!((expected as f64 - 0.1..expected as f64 + LATE).contains(&took), "{what} took {took:.2} s");
}

/// Sends these bytes over and over, ten a second, until the other side ends the connection.
async fn drip(stream: &mut wire::Stream, bytes: &[u8]) -> Vec<u8> {
    let (mut read, mut write) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let dripping = async {
        for byte in bytes.iter().cycle() {
            if write.write_all(&[*byte]).await.and(write.flush().await).is_err() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        std::future::pending().await
    };
    soon(async {
        tokio::select! {
            _ = read.read_to_end(&mut answer) => {}
            () = dripping => {}
        }
    })
    .await;
    answer
}

/// A TCP connection that never shakes hands, and one that begins to.
async fn no_handshake(cluster: &Cluster) {
    for begin in [&b""[..], &[22, 3, 1, 1, 0, 1, 0]] {
        let started = Instant::now();
        let mut socket = TcpStream::connect(cluster.address(API)).await.expect("a connection");
        socket.write_all(begin).await.expect("sent");
        let _ = soon(socket.read_to_end(&mut Vec::new())).await;
        check_time("a missing handshake", started, HANDSHAKE);
    }
}

/// Slowloris: a header of HTTP that is always one line from its end.
async fn http_header_that_drips(cluster: &Cluster) {
    for before in [0, 2] {
        let mut stream = connect(cluster, API, &[b"http/1.1"]).await;
        for _ in 0..before {
            assert_eq!(http(&mut stream, HEALTHZ).await.expect("an answer").status, 200);
        }
        let started = Instant::now();
        let answer = drip(&mut stream, b"GET /healthz HTTP/1.1\r\na: b\r\n").await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
        check_time("a header that drips", started, HEADER);
    }
}

/// The start of a header, and then nothing.
async fn http_header_that_stops(cluster: &Cluster) {
    let mut stream = connect(cluster, API, &[b"http/1.1"]).await;
    assert_eq!(http(&mut stream, HEALTHZ).await.expect("an answer").status, 200);
    let started = Instant::now();
    stream.write_all(b"GET /heal").await.expect("sent");
    assert!(is_closed(&mut stream).await);
    check_time("half a header", started, HEADER);
}

async fn frame_header_that_drips(cluster: &Cluster) {
    let mut stream = connect(cluster, API, &[]).await;
    let started = Instant::now();
    stream.write_all(&[0]).await.expect("sent");
    sleep(Duration::from_millis(500)).await;
    stream.write_all(&[0]).await.expect("sent");
    let answer = soon(wire::receive(&mut stream)).await.expect("an answer");
    check_error(answer.to_string().as_bytes(), "invalid_request");
    check_time("a length that drips", started, HEADER);
    assert!(is_closed(&mut stream).await);
}

/// A body whose bytes come, but not in this life.
async fn bodies_that_stall(cluster: &Cluster) {
    let started = Instant::now();
    let mut framed = connect(cluster, API, &[]).await;
    framed.write_all(&[&1000_u64.to_be_bytes()[..], b"{\"type\":"].concat()).await.expect("sent");
    let mut plain = connect(cluster, API, &[b"http/1.1"]).await;
    plain.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{\"type\":").await.expect("sent");
    let mut chunked = connect(cluster, API, &[b"http/1.1"]).await;
    let head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    chunked.write_all(head).await.expect("sent");

    let (framed_answer, plain_answer, dripped) =
        tokio::join!(soon(wire::receive(&mut framed)), read_http(&mut plain), drip(&mut chunked, b"1\r\n \r\n"),);
    check_time("a stalled body", started, REQUEST);
    check_error(framed_answer.expect("an answer").to_string().as_bytes(), "invalid_request");
    check_error(&plain_answer.expect("an answer").body, "invalid_request");
    assert!(dripped.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&dripped));
    assert!(is_closed(&mut framed).await && is_closed(&mut plain).await);
}

/// Quiet is no crime: between requests a connection lives for the idle time, whatever a header may take.
async fn idle_connections_live_for_the_idle_time(cluster: &Cluster) {
    let quiet = Duration::from_millis(1000 * (HEADER + 1) + 500);
    let framed = async {
        let mut stream = connect(cluster, API, &[]).await;
        for _ in 0..2 {
            sleep(quiet).await;
            wire::send(&mut stream, stranger(API)).await.expect("sent");
            soon(wire::receive(&mut stream)).await.expect("still open");
        }
        let started = Instant::now();
        assert!(is_closed(&mut stream).await);
        check_time("an idle framed connection", started, IDLE);
    };
    let plain = async {
        let mut stream = connect(cluster, API, &[b"http/1.1"]).await;
        for request in [HEALTHZ, &post(stranger(API))] {
            sleep(quiet).await;
            http(&mut stream, request).await.expect("still open");
        }
        let started = Instant::now();
        assert!(is_closed(&mut stream).await);
        check_time("an idle HTTP connection", started, IDLE);
    };
    let silent = async {
        for alpn in [&[][..], &[&b"http/1.1"[..]], &[&b"h2"[..]]] {
            let mut stream = connect(cluster, API, alpn).await;
            let started = Instant::now();
            // HTTP/2 servers speak first.
            let _ = soon(stream.read_to_end(&mut Vec::new())).await;
            // An h2 client that never speaks is given one request's time more to end the connection.
            let grace = if alpn == [b"h2"] { REQUEST } else { 0 };
            check_time("a silent connection", started, IDLE + grace);
        }
    };
    tokio::join!(framed, plain, silent);
}

/// A client that asks and asks and never reads its answers: given up once nothing was read for long enough.
async fn answers_that_nobody_reads(cluster: &Cluster) {
    let framed_request = [&(stranger(API).len() as u64).to_be_bytes()[..], stranger(API)].concat();
    for (request, expected) in [
        (framed_request.repeat(1000), REQUEST),
        (b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000), IDLE + REQUEST),
    ] {
        let mut stream = connect(cluster, API, &[]).await;
        let mut last = Instant::now();
        loop {
            // Writing goes on for as long as the server reads, which it does not do without end.
            match tokio::time::timeout(Duration::from_secs(expected + 3), stream.write_all(&request)).await {
                Ok(Ok(())) => last = Instant::now(),
                Ok(Err(_)) => break,
                Err(_) => panic!("the server keeps a connection whose answers nobody reads"),
            }
        }
        println!("a client that reads nothing was given up after {:?}", last.elapsed());
    }
}

/// All at once, since each mostly waits; and other clients notice nothing.
#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off_and_quiet_ones_are_not() {
    let cluster = Cluster::start_with(|config| {
        config.limits.handshake_seconds = HANDSHAKE;
        config.limits.header_seconds = HEADER;
        config.limits.request_seconds = REQUEST;
        config.limits.idle_seconds = IDLE;
    })
    .await;
    tokio::join!(
        no_handshake(&cluster),
        http_header_that_drips(&cluster),
        http_header_that_stops(&cluster),
        frame_header_that_drips(&cluster),
        bodies_that_stall(&cluster),
        idle_connections_live_for_the_idle_time(&cluster),
        answers_that_nobody_reads(&cluster),
    );
    cluster.stop().await;
}
