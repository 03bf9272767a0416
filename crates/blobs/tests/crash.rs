//! A server that is killed, or has no room, loses nothing that it acknowledged and finishes nothing by half.
//!
//! The server is this program, started again for one test with a folder in its environment. It says on its standard
//! output what it acknowledges.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use blobs::{Blobs, Id, Layout, Options, PART_SIZE, Reason};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};

/// Names the folder for the process that is killed.
const FOLDER: &str = "BLOBS_CRASH_FOLDER";

/// Runs of a server that is killed.
const KILLS: u64 = 20;

/// Bytes of the last part.
const LAST: u64 = 12_345;

fn open(folder: &Path) -> Blobs {
    Blobs::open(folder.to_str().unwrap(), &Options::default()).unwrap()
}

fn id(round: u32) -> Id {
    format!("file-{round}").parse().unwrap()
}

/// Bytes that differ from part to part.
fn part_data(part: u32, len: u64) -> Bytes {
    (0..len).map(|at| (at % 253) as u8 ^ part as u8).collect::<Vec<_>>().into()
}

fn body(data: Bytes) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let pieces = (0..data.len()).step_by(100_000).map(move |at| Ok(data.slice(at..data.len().min(at + 100_000))));
    stream::iter(pieces.collect::<Vec<_>>())
}

/// Uploads file after file: parts 1 and 0, then completes; and one file in one piece between them.
async fn serve(folder: &Path) {
    let blobs = open(folder);
    for round in 0.. {
        let id = id(round);
        for (part, len) in [(1, LAST), (0, PART_SIZE)] {
            blobs.write_part(&id, part, PART_SIZE, body(part_data(part, len))).await.unwrap();
            println!("part {round} {part}");
        }
        blobs.complete(&id, PART_SIZE + LAST).await.unwrap();
        println!("complete {round}");
        let whole = format!("whole-{round}").parse().unwrap();
        blobs.write_whole(&whole, LAST, body(part_data(9, LAST))).await.unwrap();
        println!("whole {round}");
    }
}

/// Not a test by itself: what the killed process runs. Without a folder it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_is_killed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        serve(Path::new(&folder)).await;
    }
}

/// Kills a server after a while and returns what it acknowledged.
fn kill_after(folder: &Path, time: Duration) -> Vec<String> {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(time);
    server.kill().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let acknowledged = lines.filter(|line| ["part ", "complete ", "whole "].iter().any(|word| line.starts_with(word)));
    let acknowledged = acknowledged.collect();
    server.wait().unwrap();
    acknowledged
}

async fn content(blobs: &Blobs, id: &Id) -> Option<Vec<u8>> {
    let len = blobs.len(id, Layout::Whole).await.unwrap()?;
    let pieces: Vec<Bytes> = blobs.read(id, Layout::Whole, 0..len).await.unwrap().try_collect().await.unwrap();
    Some(pieces.concat())
}

/// Whatever was acknowledged is there; whatever is finished is whole; what is half-way can be gone on with.
async fn check(folder: &Path, acknowledged: &[String]) {
    let blobs = open(folder);
    let whole = [part_data(0, PART_SIZE), part_data(1, LAST)].concat();
    let rounds = acknowledged.iter().filter(|line| line.starts_with("whole")).count() as u32 + 1;
    for round in 0..rounds {
        let id = id(round);
        let has = |line: String| acknowledged.contains(&line);
        let finished = content(&blobs, &id).await;
        assert!(finished.is_some() || !has(format!("complete {round}")), "file {round} is lost");
        match finished {
            Some(found) => assert!(found == whole, "file {round} is not whole"),
            None => finish(&blobs, &id, |part| has(format!("part {round} {part}"))).await,
        }
        let piece = content(&blobs, &format!("whole-{round}").parse().unwrap()).await;
        assert!(piece.is_some() || !has(format!("whole {round}")), "piece {round} is lost");
        assert!(piece.is_none_or(|piece| piece == part_data(9, LAST)), "piece {round} is not whole");
    }
}

/// Goes on where the upload was cut.
async fn finish(blobs: &Blobs, id: &Id, acknowledged: impl Fn(u32) -> bool) {
    let received = blobs.received(id).await.unwrap();
    for (part, len) in [(0, PART_SIZE), (1, LAST)] {
        assert!(received.contains(&(part, len)) || !acknowledged(part), "part {part} of {id} is lost");
        if !received.contains(&(part, len)) {
            blobs.write_part(id, part, PART_SIZE, body(part_data(part, len))).await.unwrap();
        }
    }
    blobs.complete(id, PART_SIZE + LAST).await.unwrap();
    assert!(content(blobs, id).await.unwrap() == [part_data(0, PART_SIZE), part_data(1, LAST)].concat());
}

#[tokio::test]
async fn a_killed_server_keeps_what_it_acknowledged() {
    let mut seen = 0;
    for run in 0..KILLS {
        let folder = tempfile::tempdir().unwrap();
        let acknowledged = kill_after(folder.path(), Duration::from_millis(20 + run * 31));
        seen += acknowledged.len();
        check(folder.path(), &acknowledged).await;
    }
    assert!(seen > 0, "the server got somewhere");
}

/// What the process with a limit on file sizes runs: an error that says so, and a good upload afterwards.
#[tokio::test]
async fn server_without_room() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (blobs, id) = (open(Path::new(&folder)), id(0));
    blobs.write_part(&id, 0, PART_SIZE, body(part_data(0, 9))).await.unwrap();
    for part in [0, 1] {
        let full = blobs.write_part(&id, part, PART_SIZE, body(part_data(part, 1 << 20))).await.unwrap_err();
        assert!(matches!(full.reason(), Reason::Full(_)), "{full:?}");
        assert_eq!(blobs.received(&id).await.unwrap(), [], "what was overwritten counts no more");
    }
    let full = blobs.write_whole(&id, 1 << 20, body(part_data(0, 1 << 20))).await.unwrap_err();
    assert!(matches!(full.reason(), Reason::Full(_)), "{full:?}");
    assert_eq!(content(&blobs, &id).await, None);
    blobs.write_part(&id, 0, PART_SIZE, body(part_data(0, 9))).await.unwrap();
    blobs.complete(&id, 9).await.unwrap();
    println!("went on");
}

/// The limit stands for a full disk: writes fail in the same places. `ulimit` counts 512 bytes, or 1024 in some shells.
#[test]
fn a_full_disk_is_named_and_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$0\" --exact server_without_room --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("went on"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Every state that a crash between two steps of completing can leave is completed by trying again.
#[tokio::test]
async fn completing_can_be_cut_anywhere() {
    let steps: [fn(&Path); 4] = [
        |_| {},
        // named by linking, not yet unlinked
        |folder| std::fs::hard_link(folder.join(".uploads/file-0"), folder.join("file-0")).unwrap(),
        // named, journal not yet removed
        |folder| std::fs::rename(folder.join(".uploads/file-0"), folder.join("file-0")).unwrap(),
        |folder| {
            std::fs::rename(folder.join(".uploads/file-0"), folder.join("file-0")).unwrap();
            std::fs::remove_file(folder.join(".uploads/file-0.parts")).unwrap();
        },
    ];
    for step in steps {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(folder.path());
        blobs.write_part(&id(0), 0, 9, body(part_data(0, 9))).await.unwrap();
        step(folder.path());
        let blobs = open(folder.path());
        blobs.complete(&id(0), 9).await.unwrap();
        assert_eq!(content(&blobs, &id(0)).await.unwrap(), part_data(0, 9));
        assert_eq!(std::fs::read_dir(folder.path().join(".uploads")).unwrap().count(), 0);
    }
}

/// A finished file was removed by hand, and its journal had stayed: it vouches for nothing of a new upload.
#[tokio::test]
async fn an_old_journal_does_not_vouch_for_new_data() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    blobs.write_part(&id(0), 0, 9, body(part_data(0, 9))).await.unwrap();
    std::fs::remove_file(folder.path().join(".uploads/file-0")).unwrap();
    assert_eq!(blobs.received(&id(0)).await.unwrap(), []);
    blobs.write_part(&id(0), 1, 9, body(part_data(1, 9))).await.unwrap();
    assert_eq!(blobs.received(&id(0)).await.unwrap(), [(1, 9)]);
}

/// Data that became shorter than its journal says is not finished.
#[tokio::test]
async fn lost_data_is_not_completed() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    blobs.write_part(&id(0), 0, 9, body(part_data(0, 9))).await.unwrap();
    std::fs::OpenOptions::new().write(true).open(folder.path().join(".uploads/file-0")).unwrap().set_len(8).unwrap();
    let error = blobs.complete(&id(0), 9).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Damaged), "{error:?}");
}
