//! Closed-loop load: every client does one operation after another until the time is over.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::stats::{median, millis, percentile};

/// How often rounds are repeated: enough for a median that one disturbance does not move.
pub(crate) const ROUNDS: usize = 5;

/// One round's outcome.
pub(crate) struct Round {
    /// Operations per second.
    pub(crate) rate: f64,
    /// Each operation's time, in milliseconds.
    pub(crate) millis: Vec<f64>,
}

/// Lets every client do `operation` over and over for `duration`.
pub(crate) async fn round<C, F>(
    clients: &[C],
    duration: Duration,
    operation: impl Fn(C) -> F + Copy + Send + 'static,
) -> anyhow::Result<Round>
where
    C: Clone + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let start = Instant::now();
    let mut running = JoinSet::new();
    for client in clients {
        let client = client.clone();
        running.spawn(async move {
            let mut times = Vec::new();
            while start.elapsed() < duration {
                let began = Instant::now();
                operation(client.clone()).await?;
                times.push(began.elapsed());
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = running.join_next().await {
        times.extend(done??);
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    Ok(Round { rate, millis: millis(&times) })
}

/// A warm-up, then [`ROUNDS`] rounds of which only the latter count.
pub(crate) async fn rounds<C, F>(
    clients: &[C],
    duration: Duration,
    operation: impl Fn(C) -> F + Copy + Send + 'static,
) -> anyhow::Result<Vec<Round>>
where
    C: Clone + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    round(clients, duration / 2, operation).await?;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push(round(clients, duration, operation).await?);
    }
    Ok(rounds)
}

/// The rate of each round.
pub(crate) fn rates(rounds: &[Round]) -> Vec<f64> {
    rounds.iter().map(|round| round.rate).collect()
}

/// The times of all rounds, in milliseconds.
pub(crate) fn times(rounds: &[Round]) -> Vec<f64> {
    rounds.iter().flat_map(|round| round.millis.iter().copied()).collect()
}

/// Median and 99th percentile of the times of all rounds, as text.
pub(crate) fn latency(rounds: &[Round]) -> String {
    let times = times(rounds);
    format!("latency {:.1} ms, p99 {:.1} ms", median(&times), percentile(&times, 99.0))
}
