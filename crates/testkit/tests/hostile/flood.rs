//! More of everything than a listener takes: connections, requests, bytes. The server is a process of its own, so that
//! its memory can be seen.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rpc::config::Config;
use serde_json::{Value, json};
use testkit::{Cluster, wire};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use types::service::Api;

use crate::attacker::{check_error, http, post, read_http, soon};

const CHILD_VARIABLE: &str = "TEEHOUSE_HOSTILE_TEST_LIMITS";

const LIST: &[u8] = br#"{"type":"List","user_id":"u","user_token":"t"}"#;

/// A server in a process of its own: this test binary, asked to run the one ignored test.
struct Server {
    child: Child,
    addresses: HashMap<String, SocketAddr>,
}

/// The limits that a server is started with.
fn apply(config: &mut Config, limits: &Value) {
    let number = |name: &str, usual: usize| limits[name].as_u64().map_or(usual, |number| number as usize);
    let of = &mut config.limits;
    of.connections = number("connections", of.connections);
    of.requests = number("requests", of.requests);
    of.buffered_bytes = number("buffered_bytes", of.buffered_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(limits) = std::env::var(CHILD_VARIABLE) else { return };
    let limits: Value = serde_json::from_str(&limits).expect("JSON");
    let cluster = Cluster::start_with(|config| apply(config, &limits)).await;
    cluster.add_user("u", "t").await;
    for api in Api::ALL {
        println!("\nlistens {api} {}", cluster.address(api));
    }
    println!("\nready");
    // The end of the input is the order to stop.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.expect("no panic");
    cluster.stop().await;
}

impl Server {
    fn start(limits: &Value) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a path"))
            .args(["flood::child", "--exact", "--nocapture"])
            .env(CHILD_VARIABLE, limits.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this binary runs");
        let mut addresses = HashMap::new();
        for line in BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["listens", api, address] => _ = addresses.insert(api.to_owned(), address.parse().expect("an address")),
                ["ready"] => return Server { child, addresses },
                _ => {}
            }
        }
        panic!("the server did not start")
    }

    fn address(&self, api: Api) -> SocketAddr {
        self.addresses[api.as_str()]
    }

    /// Resident memory in KiB.
    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    async fn connect(&self, api: Api) -> std::io::Result<wire::Stream> {
        wire::connect(self.address(api), &[]).await
    }

    /// One small request of an honest user on a new connection: how long it took.
    async fn serve_someone(&self) -> Duration {
        let started = Instant::now();
        let asked = async {
            let mut stream = self.connect(Api::TmsExternal).await?;
            wire::send(&mut stream, LIST).await?;
            wire::receive(&mut stream).await
        };
        let answer = soon(asked).await.expect("honest clients are served");
        assert_eq!(answer["type"], "List", "{answer}");
        started.elapsed()
    }

    /// The slowest of some honest requests.
    async fn slowest(&self, count: usize) -> Duration {
        let mut slowest = Duration::ZERO;
        for _ in 0..count {
            slowest = slowest.max(self.serve_someone().await);
        }
        slowest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As many file descriptors as thousands of connections need.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the maximum is allowed");
}

/// What a quiet machine takes for a handshake and a request is some 10 ms; this is still no outage.
const NOTICED: Duration = Duration::from_secs(1);

/// Three thousand connections that never shake hands and some hundred that do and then say nothing, where two hundred
/// are allowed: whoever comes is served, whoever was connected and quiet makes room, and memory stays where it was.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_idle_connections_keep_nobody_out() {
    raise_file_limit();
    let server = Server::start(&json!({"connections": 200}));
    server.slowest(20).await;
    let before = server.memory_kib();
    let mut idle = Vec::new();
    for number in 0..3000 {
        idle.push(TcpStream::connect(server.address(Api::TmsExternal)).await.expect("accepted"));
        if number % 100 == 0 {
            let took = server.serve_someone().await;
            assert!(took < NOTICED, "an honest client waited for {took:?}");
        }
    }
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(server.connect(Api::TmsExternal).await.expect("a handshake"));
    }
    let (slowest, after) = (server.slowest(20).await, server.memory_kib());
    println!("3,400 idle connections, 200 allowed: {before} KiB, then {after} KiB; slowest answer {slowest:?}");
    assert!(slowest < NOTICED, "an honest client waited for {slowest:?}");
    assert!(after < before + (64 << 10), "from {before} KiB to {after} KiB");
}

/// As many as are allowed by default, all shaken hands with: what each costs.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_costs_little_memory() {
    const COUNT: u64 = 500;
    raise_file_limit();
    let server = Server::start(&json!({}));
    server.slowest(20).await;
    let before = server.memory_kib();
    let mut idle = Vec::new();
    for _ in 0..COUNT {
        let mut stream = server.connect(Api::TmsExternal).await.expect("a handshake");
        wire::send(&mut stream, LIST).await.expect("sent");
        wire::receive(&mut stream).await.expect("an answer");
        idle.push(stream);
    }
    let each = server.memory_kib().saturating_sub(before) / COUNT;
    println!("an idle TLS connection costs {each} KiB");
    assert!(each < 64, "{each} KiB for each connection");
}

/// Two hundred requests of 900 KiB that never end, in both protocols, where 8 MiB may be buffered: memory stays within
/// it, small requests are served all the while, large ones are told when to try again, and all of it is given back.
#[tokio::test(flavor = "multi_thread")]
async fn half_sent_requests_share_a_bounded_buffer() {
    const SIZE: usize = 900 << 10;
    raise_file_limit();
    let server = Server::start(&json!({"buffered_bytes": 8 << 20}));
    server.slowest(20).await;
    let before = server.memory_kib();
    let part = vec![b' '; SIZE - 1000];
    let mut half_sent = Vec::new();
    for number in 0..200 {
        let mut stream = server.connect(Api::TmsExternal).await.expect("a handshake");
        let head = match number % 2 {
            0 => (SIZE as u64).to_be_bytes().to_vec(),
            _ => format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {SIZE}\r\n\r\n").into_bytes(),
        };
        stream.write_all(&head).await.expect("sent");
        stream.write_all(&part).await.expect("sent");
        stream.flush().await.expect("sent");
        half_sent.push(stream);
    }
    let (slowest, during) = (server.slowest(20).await, server.memory_kib());
    println!("200 half-sent requests: {before} KiB, then {during} KiB; slowest answer {slowest:?}");
    assert!(during < before + (64 << 10), "from {before} KiB to {during} KiB");
    assert!(slowest < NOTICED, "an honest client waited for {slowest:?}");

    check_large_requests(&server, "resource_exhausted").await;
    // The refused go on where they are: what is left of their bodies is skipped, and the next request is served.
    let mut last = half_sent.pop().expect("there are many");
    last.write_all(&[b' '; 1000]).await.expect("sent");
    let answer = read_http(&mut last).await.expect("an answer");
    check_busy(answer.status, &answer.body);
    assert_eq!(http(&mut last, &post(LIST)).await.expect("the same connection").status, 200);
    let mut last = half_sent.pop().expect("there are many");
    let answer = soon(wire::receive(&mut last)).await.expect("an answer").to_string();
    check_busy(429, answer.as_bytes());
    last.write_all(&[b' '; 1000]).await.expect("sent");
    wire::send(&mut last, LIST).await.expect("sent");
    assert_eq!(soon(wire::receive(&mut last)).await.expect("the same connection")["type"], "List");

    drop(half_sent);
    tokio::time::sleep(Duration::from_millis(500)).await;
    check_large_requests(&server, "invalid_request").await;
}

/// A large request in both protocols on new connections, and the code of its answer.
async fn check_large_requests(server: &Server, code: &str) {
    let large = vec![b' '; 900 << 10];
    let mut stream = server.connect(Api::TmsExternal).await.expect("a handshake");
    wire::send(&mut stream, &large).await.expect("sent");
    let answer = soon(wire::receive(&mut stream)).await.expect("an answer").to_string();
    check_error(answer.as_bytes(), code);
    let mut stream = server.connect(Api::TmsExternal).await.expect("a handshake");
    let answer = http(&mut stream, &post(&large)).await.expect("an answer");
    check_error(&answer.body, code);
}

fn check_busy(status: u16, answer: &[u8]) {
    check_error(answer, "resource_exhausted");
    let answer: Value = serde_json::from_slice(answer).expect("JSON");
    assert!(answer["retry_after_ms"].as_u64().is_some_and(|wait| (1..=10_000).contains(&wait)), "{answer}");
    assert_eq!(status, 429);
}

/// Forty clients at once where two are allowed: some are done, the others are told when to try again, none is
/// lost, and no connection ends.
#[tokio::test(flavor = "multi_thread")]
async fn requests_over_the_limit_are_told_when_to_come_back() {
    let server = Server::start(&json!({"requests": 2}));
    let create = json!({"type": "Create", "file_name": "f", "sha256": "0".repeat(64), "file_size": 1, "user_id": "u",
        "user_token": "t"})
    .to_string();
    let mut streams = Vec::new();
    for _ in 0..40 {
        streams.push(server.connect(Api::TdfsExternal).await.expect("a handshake"));
    }
    let mut clients = JoinSet::new();
    for (number, mut stream) in streams.into_iter().enumerate() {
        let create = create.clone();
        clients.spawn(async move {
            let mut refused = 0;
            loop {
                let answer = match number % 2 {
                    0 => {
                        wire::send(&mut stream, create.as_bytes()).await.expect("sent");
                        soon(wire::receive(&mut stream)).await.expect("an answer")
                    }
                    _ => http(&mut stream, &post(create.as_bytes())).await.expect("an answer").json(),
                };
                if answer["type"] == "Create" {
                    return refused;
                }
                check_busy(429, answer.to_string().as_bytes());
                refused += 1;
                tokio::time::sleep(Duration::from_millis(answer["retry_after_ms"].as_u64().expect("a time"))).await;
            }
        });
    }
    let refused: usize = soon(clients.join_all()).await.into_iter().sum();
    assert!(refused > 0, "forty at once met no limit of two");
}

/// Callers who send a whole request's start and nothing more hold no place among the requests in flight.
#[tokio::test(flavor = "multi_thread")]
async fn unfinished_requests_take_no_place_in_flight() {
    let server = Server::start(&json!({"requests": 2}));
    let mut unfinished = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect(Api::TmsExternal).await.expect("a handshake");
        stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").await.expect("sent");
        stream.flush().await.expect("sent");
        unfinished.push(stream);
    }
    server.slowest(5).await;
}
