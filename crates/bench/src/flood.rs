//! Ten thousand hostile connections a second, or as many as the machine makes, against a service port on which kept
//! connections do requests.
//!
//! The attackers share the processors with the service, and what they use of them is no fault of it: so the same flood
//! first goes to a port behind which nobody does anything. Two kinds come: some send a recorded ClientHello and leave
//! when its answer begins, which costs them almost nothing and a server a key exchange and a signature; the others have
//! a caller's papers, shake hands, and have evidence made and appraised.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rpc::Client;
use rpc::protocol::Kms;
use rpc::tls::Identity;
use rustls::ClientConnection;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use testkit::{attesting, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use types::id::KeyId;
use types::service::{Api, Role};
use types::wire::kms::{CreateKey, GetKey, Response};

use crate::cluster::Cluster;
use crate::figure::{Figure, Report, number};
use crate::load::{self, Round, rates, times};
use crate::stats::{median, percentile};

/// What comes every second.
const WANTED: u64 = 10_000;

/// Hostile connections that are open at once.
const OPEN: usize = 512;

/// After so long an attacker gives a connection up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Callers that keep their connections.
const CLIENTS: usize = 8;
const ROUND: Duration = Duration::from_secs(2);

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let cluster = Cluster::start_limited().await?;
    let (address, thief) = (cluster.address(Api::Kms)?, Arc::new(cluster.identity(Role::Tdfs)?));
    let callers = callers(&cluster).await?;
    let quiet = load::rounds(&callers, ROUND, get).await?;
    report.add(figure("before", &quiet).beside(latency(&quiet)));
    let sink = sink().await?;
    let hello: Arc<[u8]> = client_hello()?.into();
    let floods = [
        ("beside the attackers alone", Attack::Hello(hello.clone()), sink),
        ("during a flood of ClientHellos", Attack::Hello(hello), address),
        ("during a flood with stolen papers", Attack::Stolen(thief), address),
    ];
    for (when, attack, address) in floods {
        let flood = Flood::start(attack, address);
        let rounds = load::rounds(&callers, ROUND, get).await?;
        let beside = format!("{}; {}", latency(&rounds), flood.stop()?);
        report.add(figure(when, &rounds).beside(beside));
    }
    cluster.stop().await;
    Ok(())
}

fn figure(when: &str, rounds: &[Round]) -> Figure {
    Figure::of_rounds("flood", format!("requests on kept connections, {when}"), "/s", &rates(rounds))
}

fn latency(rounds: &[Round]) -> String {
    let times = times(rounds);
    let [middle, slow] = [median(&times), percentile(&times, 99.0)].map(number);
    format!("latency {middle} ms, p99 {slow} ms, slowest {} ms", number(percentile(&times, 100.0)))
}

/// Callers with a connection of their own and a key to ask for.
async fn callers(cluster: &Cluster) -> anyhow::Result<Vec<(Client<Kms>, KeyId)>> {
    let (connector, target) = (cluster.connector(Api::Kms, Some(Role::Fns))?, cluster.address(Api::Kms)?.to_string());
    let mut callers = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        let client = Client::<Kms>::remote(connector.clone(), target.clone());
        let Response::Create(created) = client.call(CreateKey { policy: None }).await? else { bail!("not a new key") };
        callers.push((client, created.key_id));
    }
    Ok(callers)
}

async fn get((kms, key_id): (Client<Kms>, KeyId)) -> anyhow::Result<()> {
    match kms.call(GetKey { key_id }).await? {
        Response::Get(_) => Ok(()),
        other => bail!("not the key: {other:?}"),
    }
}

/// A port that hangs up.
async fn sink() -> anyhow::Result<SocketAddr> {
    let socket = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = socket.local_addr()?;
    tokio::spawn(async move { while socket.accept().await.is_ok() {} });
    Ok(address)
}

/// What a client says first, good for any number of connections.
fn client_hello() -> anyhow::Result<Vec<u8>> {
    let config = wire::believing(default_provider(), None);
    let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let mut hello = Vec::new();
    connection.write_tls(&mut hello)?;
    Ok(hello)
}

/// What an attacker does with a connection.
#[derive(Clone)]
enum Attack {
    /// Sends this and leaves when the answer begins.
    Hello(Arc<[u8]>),
    /// Shakes hands as this caller, asks for evidence and presents some.
    Stolen(Arc<Identity>),
}

impl Attack {
    /// Whether the server did what it was to waste its time with.
    async fn once(&self, address: SocketAddr) -> anyhow::Result<()> {
        match self {
            Attack::Hello(hello) => {
                let mut socket = TcpStream::connect(address).await?;
                // Ports are scarce: the connection ends with a reset.
                socket.set_zero_linger()?;
                socket.write_all(hello).await?;
                anyhow::ensure!(socket.read(&mut [0; 64]).await? > 0, "hung up");
            }
            Attack::Stolen(papers) => {
                let mut stream = wire::connect_as(address, &[], Some(papers.certified_key())).await?;
                stream.with(|stream| stream.get_ref().0.set_zero_linger())?;
                attesting::attest(&mut stream, papers).await?;
            }
        }
        Ok(())
    }
}

/// Attackers on a thread of their own.
struct Flood {
    ended: Arc<AtomicBool>,
    counted: Arc<Counted>,
    began: Instant,
    thread: JoinHandle<anyhow::Result<()>>,
}

#[derive(Default)]
struct Counted {
    made: AtomicU64,
    answered: AtomicU64,
}

impl Flood {
    fn start(attack: Attack, address: SocketAddr) -> Self {
        let (ended, counted) = (Arc::new(AtomicBool::new(false)), Arc::new(Counted::default()));
        let (end, count) = (ended.clone(), counted.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(rage(&attack, address, &end, &count))
        });
        Flood { ended, counted, began: Instant::now(), thread }
    }

    /// Ends it; says how large it was.
    fn stop(self) -> anyhow::Result<String> {
        self.ended.store(true, Ordering::Relaxed);
        let seconds = self.began.elapsed().as_secs_f64();
        self.thread.join().ok().context("the attackers' thread panicked")??;
        let rate = |count: &AtomicU64| number(count.load(Ordering::Relaxed) as f64 / seconds);
        let Counted { made, answered } = &*self.counted;
        Ok(format!("{} hostile connections/s, {}/s answered", rate(made), rate(answered)))
    }
}

/// Makes [`WANTED`] connections a second until the end, as far as there is time for them.
async fn rage(attack: &Attack, address: SocketAddr, ended: &AtomicBool, counted: &Arc<Counted>) -> anyhow::Result<()> {
    const TICK: Duration = Duration::from_millis(5);
    let (places, mut clock) = (Arc::new(Semaphore::new(OPEN)), tokio::time::interval(TICK));
    while !ended.load(Ordering::Relaxed) {
        clock.tick().await;
        for _ in 0..WANTED * TICK.as_millis() as u64 / 1000 {
            let place = places.clone().acquire_owned().await?;
            let (attack, counted) = (attack.clone(), counted.clone());
            tokio::spawn(async move {
                counted.made.fetch_add(1, Ordering::Relaxed);
                if let Ok(Ok(())) = tokio::time::timeout(PATIENCE, attack.once(address)).await {
                    counted.answered.fetch_add(1, Ordering::Relaxed);
                }
                drop(place);
            });
        }
    }
    Ok(())
}
