//! Requests on kept connections: a service port whose sessions are attested beside a user port whose clients ask for
//! nothing, with the same requests, answers and service behind both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use attest::attester::Attester;
use rpc::tls::Identity;
use testkit::house::House;
use testkit::stand::{REQUEST, ServicePort, Stand, UserPort};
use testkit::{attesting, wire};
use types::service::Role;

use crate::figure::{Figure, Report, Target, number};
use crate::stats::median;

/// Requests of one round on one connection.
const REQUESTS: u32 = 2000;

/// Rounds of each, in turns: many short ones, since what else the machine does changes slowly.
const ROUNDS: usize = 30;

/// The share of the unattested rate that is no measurable cost.
const WANTED: f64 = 0.97;

pub(crate) async fn run(report: &mut Report, house: &House, attester: &Arc<dyn Attester>) -> anyhow::Result<()> {
    let start = |role| house.identity(role, attester);
    let service = Stand::start::<ServicePort>(start(Role::Kms), house.trust()).await;
    let user = Stand::start::<UserPort>(start(Role::Tdfs), house.trust()).await;
    let caller = start(Role::Fns);
    let mut attested = connect(&service, &caller).await?;
    attesting::attest(&mut attested, &caller).await?;
    let mut unattested = connect(&user, &caller).await?;
    let [mut shares, mut one, mut other] = [const { Vec::new() }; 3];
    for number in 0..ROUNDS + 1 {
        let (with, without) = (requests(&mut attested).await?, requests(&mut unattested).await?);
        // The first is a warm-up.
        if number > 0 {
            shares.push(without.as_secs_f64() / with.as_secs_f64());
            one.push(each(with));
            other.push(each(without));
        }
    }
    service.stop().await;
    user.stop().await;
    let figure = Figure::of_rounds("attestation", "requests on a kept connection, of unattested", "×", &shares);
    let beside = format!("{} µs attested, {} µs not", number(median(&one)), number(median(&other)));
    report.add(figure.wanted(Target::AtLeast(WANTED)).beside(beside));
    Ok(())
}

async fn connect(stand: &Stand, caller: &Identity) -> anyhow::Result<wire::Stream> {
    wire::connect_as(stand.address(), &[], Some(caller.certified_key())).await.context("layer one accepts")
}

/// How long the requests of one round take.
async fn requests(stream: &mut wire::Stream) -> anyhow::Result<Duration> {
    let began = Instant::now();
    for _ in 0..REQUESTS {
        wire::send(stream, REQUEST).await?;
        let answer = wire::receive_text(stream).await?;
        anyhow::ensure!(answer.contains("not_found"), "{answer}");
    }
    Ok(began.elapsed())
}

/// One request's time, in microseconds.
fn each(round: Duration) -> f64 {
    round.as_secs_f64() * 1e6 / f64::from(REQUESTS)
}
