//! Durable key creations over mutually verified TLS, beside the same records written to a store alone.

use std::time::Duration;

use anyhow::bail;
use crypto::SealingKey;
use rpc::Client;
use rpc::protocol::Kms;
use store::{Options, Store, StoreError, Table};
use types::service::{Api, Role};
use types::wire::kms::{CreateKey, Response};

use crate::cluster::{Cluster, folder};
use crate::figure::{Figure, Report, Target};
use crate::load::{self, rates, times};
use crate::stats::median;

const CLIENTS: usize = 64;
const ROUND: Duration = Duration::from_secs(2);
const KEYS: Table<String, String> = Table::new("keys");

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let (connector, target) = (cluster.connector(Api::Kms, Some(Role::Tdfs))?, cluster.address(Api::Kms)?.to_string());
    let clients: Vec<_> = (0..CLIENTS).map(|_| Client::<Kms>::remote(connector.clone(), target.clone())).collect();
    let alone = load::rounds(&clients[..1], ROUND, create).await?;
    let together = load::rounds(&clients, ROUND, create).await?;
    cluster.stop().await;
    let floor = store_alone().await?;
    let many = Figure::of_rounds("kms", format!("keys created, {CLIENTS} clients"), "/s", &rates(&together));
    report.add(
        many.wanted(Target::AtLeast(4000.0))
            .beside(format!("{}; {floor:.0}/s by the store without TLS", load::latency(&together))),
    );
    report.add(Figure::of_samples("kms", "a key created, 1 client", "ms", &times(&alone)));
    Ok(())
}

async fn create(kms: Client<Kms>) -> anyhow::Result<()> {
    match kms.call(CreateKey { policy: None }).await? {
        Response::Create(_) => Ok(()),
        other => bail!("not a new key: {other:?}"),
    }
}

/// Records as long as keys, per second, by as many writers.
async fn store_alone() -> anyhow::Result<f64> {
    let dir = folder()?;
    let store = Store::open(&dir.path().join("store.redb"), &SealingKey::generate(), Options::default())?;
    let writers = vec![store.clone(); CLIENTS];
    let rounds = load::rounds(&writers, ROUND, write).await?;
    store.close().await;
    Ok(median(&rates(&rounds)))
}

async fn write(store: Store) -> anyhow::Result<()> {
    let id = types::id::KeyId::from_random(crypto::random::bytes());
    let value = "x".repeat(100);
    let written: Result<(), StoreError> = store.write(move |tx| tx.insert(&KEYS, id.as_str(), &value)).await;
    Ok(written?)
}
