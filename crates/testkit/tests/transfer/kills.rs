//! Clients and servers that die in the middle of an upload: what was acknowledged is there, what was not is no file, and
//! the same command goes on.

use std::fs;
use std::path::Path;
use std::time::Duration;

use client::{Contents, StoredFile, Teehouse};
use crypto::random;
use rpc::config::Config;
use testkit::process::Process;
use testkit::{Cluster, loopback};
use tokio::time::sleep;
use types::file::{Format, PART_BYTES};
use types::service::{Api, Role};

use crate::scene::{content, get, put, remote};

/// How often something dies; more with `TEEHOUSE_KILLS`.
fn kills() -> usize {
    std::env::var("TEEHOUSE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(12)
}

/// Up to so long, at random.
fn soon(most: Duration) -> Duration {
    most.mul_f64(f64::from(u16::from_be_bytes(random::bytes())) / f64::from(u16::MAX))
}

async fn put_path(client: &Teehouse, path: &Path) -> Result<StoredFile, client::FileError> {
    client.put_file(Contents::File(path.to_owned()), put(Format::Chunked), |_, _| {}).await
}

/// A client that is cut off at random points, again and again, ends with one file: the right one. What arrived before is
/// not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_killed_again_and_again_goes_on_where_it_was() {
    let (cluster, dir) = (Cluster::start().await, tempfile::tempdir().expect("a folder"));
    cluster.add_example_users().await;
    let (source, state) = (dir.path().join("source"), dir.path().join("state"));
    let bytes = content(3 * PART_BYTES as usize + 999);
    fs::write(&source, &bytes).expect("written");
    let (mut died, mut files) = (0, 0);
    while died < kills() {
        let client = remote(&cluster, Some(state.clone()));
        let (path, whole) = (source.clone(), tokio::time::Instant::now());
        let putting = tokio::spawn(async move { put_path(&client, &path).await });
        sleep(soon(Duration::from_millis(150))).await;
        putting.abort();
        match putting.await {
            Err(_) => died += 1,
            Ok(stored) => {
                let file = stored.unwrap_or_else(|error| panic!("{error:?} after {:?}", whole.elapsed())).file_id;
                let client = remote(&cluster, None);
                assert!(get(&client, &file).await == bytes, "after {died}");
                client.delete_file(&file).await.expect("deleted");
                files += 1;
            }
        }
    }
    let client = remote(&cluster, Some(state));
    let file_id = put_path(&client, &source).await.expect("it ends").file_id;
    assert!(get(&client, &file_id).await == bytes, "after {died} kills and {files} files");
    // Whoever dies between the end and the word of it leaves a file that nobody was told of: whole, like any other.
    let listed = client.described_files().await.expect("a list");
    for whole in listed.iter().filter(|file| !file.incomplete && file.file_id != file_id) {
        assert!(get(&client, &whole.file_id).await == bytes, "no half is left as a file");
    }
    cluster.stop().await;
}

/// Starts the services on fixed ports, so that clients find them again.
fn start(config: &Config) -> Process {
    Process::start(config, &[Role::Kms, Role::Tdfs, Role::Tms])
}

/// Starts them where they were. A port of theirs may be a connection's for a moment.
async fn start_again(config: &Config) -> Process {
    for _ in 0..60 {
        if let Ok(server) = Process::try_start(config, &[Role::Kms, Role::Tdfs, Role::Tms]) {
            return server;
        }
        sleep(Duration::from_secs(1)).await;
    }
    start(config)
}

/// A server that is killed at random points of an upload: the client that goes on ends with the right file; whatever was
/// acknowledged before is still there.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_again_and_again_loses_nothing_that_it_acknowledged() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("made");
    let mut config = loopback(&data);
    let first = start(&config);
    first.site.add_example_users().await;
    // From here on on the ports of the first.
    for api in [Api::Kms, Api::TdfsExternal, Api::TdfsInternal, Api::TmsExternal, Api::TmsInternal] {
        *config.listen_mut(api) = first.site.address(api);
    }
    let (source, state) = (dir.path().join("source"), dir.path().join("state"));
    let (bytes, site) = (content(2 * PART_BYTES as usize + 999), first.site.clone());
    fs::write(&source, &bytes).expect("written");
    let (mut server, mut acknowledged) = (first, Vec::new());
    for died in 1..=kills() {
        let (client, path) = (remote(&site, Some(state.clone())), source.clone());
        let putting = tokio::spawn(async move { put_path(&client, &path).await });
        sleep(soon(Duration::from_millis(300))).await;
        server.kill();
        server = start_again(&config).await;
        if let Ok(Ok(stored)) = tokio::time::timeout(Duration::from_secs(40), putting).await.expect("it ends") {
            acknowledged.push(stored.file_id);
        }
        let client = remote(&site, None);
        for file in &acknowledged {
            assert!(get(&client, file).await == bytes);
        }
        if died % 100 == 0 {
            println!("killed {died} times");
        }
        if acknowledged.len() > 3 {
            client.delete_file(&acknowledged.remove(0)).await.expect("deleted");
        }
    }
    let client = remote(&site, Some(state));
    let file = put_path(&client, &source).await.expect("it ends").file_id;
    assert!(get(&client, &file).await == bytes);
    server.kill();
}
