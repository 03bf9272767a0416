//! Full handshakes of attested TLS beside plain rustls ones, in rounds that take turns.

use std::time::Duration;

use rpc::tls::Connector;
use types::service::{Api, Role};

use crate::cluster::Cluster;
use crate::figure::{Figure, Report, Target};
use crate::load::{ROUNDS, round};
use crate::plain_tls::{Plain, Verification};
use crate::stats::median;

/// Enough to keep every processor busy on both ends.
const CLIENTS: usize = 8;
const ROUND: Duration = Duration::from_secs(2);

/// Two that are compared: handshakes per second, round by round.
#[derive(Default)]
struct Pair {
    attested: Vec<f64>,
    plain: Vec<f64>,
}

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let service = Attested::to(&cluster, Api::TdfsInternal, Some(Role::Tms))?;
    let user = Attested::to(&cluster, Api::TdfsExternal, None)?;
    let (mutual, server_only) =
        (Plain::start(Verification::Mutual).await?, Plain::start(Verification::ServerOnly).await?);
    let (mut service_plane, mut user_plane) = (Pair::default(), Pair::default());
    for warm_up in [true].into_iter().chain([false; ROUNDS]) {
        let (first, second) = (compare(&service, &mutual).await?, compare(&user, &server_only).await?);
        if !warm_up {
            service_plane.push(first);
            user_plane.push(second);
        }
    }
    cluster.stop().await;
    let share = Figure::of_rounds("handshake", "service port, mutual, of plain", "×", &service_plane.shares());
    report.add(share.wanted(Target::AtLeast(0.7)).beside(service_plane.text()));
    let share = Figure::of_rounds("handshake", "user port, of plain", "×", &user_plane.shares());
    report.add(share.beside(user_plane.text()));
    Ok(())
}

/// One round of each.
async fn compare(attested: &Attested, plain: &Plain) -> anyhow::Result<(f64, f64)> {
    let attested = round(&vec![attested.clone(); CLIENTS], ROUND, Attested::handshake).await?;
    let plain = round(&vec![plain.clone(); CLIENTS], ROUND, Plain::handshake).await?;
    Ok((attested.rate, plain.rate))
}

impl Pair {
    fn push(&mut self, (attested, plain): (f64, f64)) {
        self.attested.push(attested);
        self.plain.push(plain);
    }

    fn shares(&self) -> Vec<f64> {
        self.attested.iter().zip(&self.plain).map(|(attested, plain)| attested / plain).collect()
    }

    fn text(&self) -> String {
        format!("{:.0}/s attested, {:.0}/s plain", median(&self.attested), median(&self.plain))
    }
}

/// Where attested handshakes lead.
#[derive(Clone)]
struct Attested {
    connector: Connector,
    target: String,
}

impl Attested {
    fn to(cluster: &Cluster, api: Api, role: Option<Role>) -> anyhow::Result<Self> {
        Ok(Attested { connector: cluster.connector(api, role)?, target: cluster.address(api)?.to_string() })
    }

    async fn handshake(self) -> anyhow::Result<()> {
        self.connector.probe(&self.target).await?;
        Ok(())
    }
}
