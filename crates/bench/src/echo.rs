//! Whole tasks: create, invoke and get over kept connections, with one client and with many.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use client::Teehouse;
use types::secret::Secret;
use types::task::Status;
use types::wire::fns;

use crate::cluster::{Cluster, folder};
use crate::figure::{Figure, Report, Target};
use crate::load::{self, rates, times};
use crate::stats::{median, millis};

const CLIENTS: usize = 64;
const ROUND: Duration = Duration::from_secs(3);
const PAYLOAD: &str = "Hello, world";

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(cluster.user(&format!("user{number}")).await?);
    }
    let alone = load::rounds(&clients[..1], ROUND, whole_task).await?;
    let together = load::rounds(&clients, ROUND, whole_task).await?;
    cluster.stop().await;
    let flush = format!("one write + fsync of 4 KiB takes {:.2} ms", median(&flushes()?));
    let one = Figure::of_samples("echo", "a task, 1 client", "ms", &times(&alone));
    report.add(one.wanted(Target::AtMost(5.0)).beside(flush));
    let many = Figure::of_rounds("echo", format!("tasks, {CLIENTS} clients"), "/s", &rates(&together));
    report.add(many.wanted(Target::AtLeast(1000.0)).beside(load::latency(&together)));
    Ok(())
}

async fn whole_task(user: Teehouse) -> anyhow::Result<()> {
    let created = user.create_task("echo", &[], &[]).await?;
    let request = fns::Request {
        task_id: created.task_id.clone(),
        function_name: "echo".to_owned(),
        task_token: created.task_token,
        payload: Some(Secret::new(PAYLOAD.to_owned())),
    };
    let result = user.invoke(SocketAddr::new(created.ip, created.port), request).await?;
    let task = user.task(&created.task_id).await?;
    ensure!(result == PAYLOAD && task.status == Status::Finished, "a task ended as {}: {result}", task.status);
    Ok(())
}

/// What durability costs on this disk at least, in milliseconds; a whole task waits for three commits.
fn flushes() -> anyhow::Result<Vec<f64>> {
    let dir = folder()?;
    let mut file = File::create(dir.path().join("flushes"))?;
    let mut times = Vec::new();
    for _ in 0..500 {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(millis(&times))
}
