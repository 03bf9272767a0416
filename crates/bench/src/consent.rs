//! Consent beside none: a task whose creator signs exactly its manifest and keeps the receipt, against a plain one; and how
//! long it takes to verify a receipt.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::consent::receipt;
use anyhow::{Context as _, ensure};
use client::{Signer, Teehouse};
use types::id::TaskId;
use types::secret::Secret;
use types::task::Status;
use types::wire::fns;
use types::wire::tms_external::CreatedTask;

use crate::cluster::{Cluster, folder};
use crate::figure::{Figure, Report, Target};
use crate::load::{self, Round, rates, times};
use crate::stats::{median, millis};

const CLIENTS: usize = 64;
const ROUND: Duration = Duration::from_secs(3);
const PAYLOAD: &str = "Hello, world";

/// How often a receipt is verified.
const VERIFIED: usize = 500;

/// A user and what signs for them.
#[derive(Clone)]
struct Party {
    user: Teehouse,
    signer: Arc<Signer>,
}

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let (cluster, keys) = (Cluster::start().await?, folder()?);
    let (mut plain, mut signing) = (Vec::new(), Vec::new());
    for number in 0..CLIENTS {
        plain.push(cluster.user(&format!("user{number}")).await?);
        let user = cluster.user(&format!("signer{number}")).await?;
        let signer = Arc::new(Signer::make(&keys.path().join(number.to_string()))?);
        user.set_key(Some(&signer), true, None).await?;
        signing.push(Party { user, signer });
    }
    let without = load::rounds(&plain[..1], ROUND, plain_task).await?;
    let with = load::rounds(&signing[..1], ROUND, whole_consent).await?;
    add(report, "median of a task, 1 client", (&without, &with), |rounds| median(&times(rounds)), Target::AtMost(1.5));
    let without = load::rounds(&plain, ROUND, plain_task).await?;
    let with = load::rounds(&signing, ROUND, whole_consent).await?;
    let what = "tasks per second, 64 clients";
    add(report, what, (&without, &with), |rounds| median(&rates(rounds)), Target::AtLeast(0.7));
    verify(report, &cluster, &signing[0]).await?;
    cluster.stop().await;
    Ok(())
}

/// Adds what consent comes to, as a part of what a plain task does.
fn add(
    report: &mut Report,
    what: &str,
    (without, with): (&[Round], &[Round]),
    figure: impl Fn(&[Round]) -> f64,
    target: Target,
) {
    let (plain, consent) = (figure(without), figure(with));
    let ratio = Figure::of_samples("consent", format!("{what}, with consent"), "of plain", &[consent / plain]);
    report.add(ratio.wanted(target).beside(format!("{consent:.2} with, {plain:.2} plain")));
}

async fn plain_task(user: Teehouse) -> anyhow::Result<()> {
    let created = user.create_task("echo", &[], &[]).await?;
    invoke(&user, &created).await?;
    ensure!(user.task(&created.task_id).await?.status == Status::Finished, "a task did not finish");
    Ok(())
}

/// Creates a task, approves its manifest with a signature, runs it and fetches its receipt.
async fn whole_consent(party: Party) -> anyhow::Result<()> {
    let id = approved_and_run(&party).await?;
    party.user.receipt(&id).await?;
    Ok(())
}

async fn approved_and_run(party: &Party) -> anyhow::Result<TaskId> {
    let created = party.user.create_task("echo", &[], &[]).await?;
    let found = party.user.manifest(&created.task_id).await?;
    party.user.approve_manifest(&created.task_id, found.manifest_sha256, Some(&party.signer)).await?;
    invoke(&party.user, &created).await?;
    Ok(created.task_id)
}

async fn invoke(user: &Teehouse, created: &CreatedTask) -> anyhow::Result<()> {
    let request = fns::Request {
        task_id: created.task_id.clone(),
        function_name: "echo".to_owned(),
        task_token: created.task_token.clone(),
        payload: Some(Secret::new(PAYLOAD.to_owned())),
    };
    let result = user.invoke(SocketAddr::new(created.ip, created.port), request).await?;
    ensure!(result == PAYLOAD, "a task answered {result}");
    Ok(())
}

/// Verifies one receipt again and again, from its text on.
async fn verify(report: &mut Report, cluster: &Cluster, party: &Party) -> anyhow::Result<()> {
    let id = approved_and_run(party).await?;
    let text = serde_json::to_vec(&party.user.receipt(&id).await?)?;
    let trust = cluster.trust()?;
    let mut took = Vec::new();
    for _ in 0..VERIFIED {
        let start = Instant::now();
        let signed = serde_json::from_slice(&text)?;
        let proven = trust.appraise_with(|verifier| receipt::verify(&signed, verifier, &trust.deployment));
        proven.context("a receipt of this deployment")?;
        took.push(start.elapsed());
    }
    let figure = Figure::of_samples("consent", "a receipt, verified", "ms", &millis(&took));
    report.add(figure.wanted(Target::AtMost(5.0)).beside(format!("{} bytes", text.len())));
    Ok(())
}
