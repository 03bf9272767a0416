//! The folder keeps what it acknowledged, and shows nothing that isn't whole.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use blobs::{Blobs, Error, Id, Kind, Layout, Options, PART_SIZE, Reason};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

struct Place {
    folder: tempfile::TempDir,
    blobs: Blobs,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path().to_str().unwrap(), &Options::default()).unwrap();
        Place { folder, blobs }
    }

    fn again(&self) -> Blobs {
        Blobs::open(&format!("file://{}", self.folder.path().display()), &Options::default()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn content(&self, id: &Id) -> Vec<u8> {
        let len = self.blobs.len(id, Layout::Whole).await.unwrap().expect("finished");
        read(&self.blobs, id, 0, len).await
    }
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

/// Bytes that differ everywhere.
fn data(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at % 251 + at / 65_536) as u8).collect()
}

fn body(bytes: &[u8]) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let pieces: Vec<_> = bytes.chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

/// Breaks off after these bytes.
fn broken(bytes: &[u8]) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    body(bytes).chain(stream::iter([Err(io::ErrorKind::ConnectionReset.into())]))
}

async fn read(blobs: &Blobs, id: &Id, start: u64, end: u64) -> Vec<u8> {
    let pieces: Vec<Bytes> =
        blobs.read(id, Layout::Whole, start..end).await.unwrap().try_collect().await.expect("every piece");
    assert!(pieces.iter().all(|piece| piece.len() <= blobs::PIECE_LEN));
    pieces.concat()
}

#[track_caller]
fn check_refused<T: std::fmt::Debug>(result: Result<T, Error>, why: fn(&Reason) -> bool) {
    let error = result.expect_err("refused");
    assert!(why(error.reason()), "{error:?}");
}

#[tokio::test]
async fn a_file_in_one_piece() {
    let (place, id, data) = (Place::new(), id("a"), data(700_001));
    assert_eq!(place.blobs.len(&id, Layout::Whole).await.unwrap(), None);
    place.blobs.write_whole(&id, 700_001, body(&data)).await.unwrap();
    assert_eq!(fs::read(place.blobs.access_path(&id)).unwrap(), data, "where documented clients look for it");
    assert_eq!(place.content(&id).await, data);
    assert_eq!(read(&place.blobs, &id, 262_143, 524_289).await, data[262_143..524_289]);
    assert_eq!(read(&place.blobs, &id, 700_001, 700_001).await, b"");
    check_refused(place.blobs.read(&id, Layout::Whole, 0..700_002).await.map(drop), |reason| {
        matches!(reason, Reason::OutOfRange { len: 700_001, .. })
    });
    check_refused(place.blobs.len(&id, Layout::Parts { count: 1 }).await, |reason| matches!(reason, Reason::InParts));
}

#[tokio::test]
async fn nothing_is_left_of_a_body_that_is_not_what_was_declared() {
    let (place, id, data) = (Place::new(), id("a"), data(1 << 20));
    let write = |len, body| place.blobs.write_whole(&id, len, body);
    check_refused(write((1 << 20) - 1, body(&data).boxed()).await, |why| matches!(why, Reason::TooLong { .. }));
    check_refused(write((1 << 20) + 1, body(&data).boxed()).await, |why| {
        matches!(why, Reason::TooShort { received: 0x100000, .. })
    });
    check_refused(write(1 << 20, broken(&data[..9]).boxed()).await, |why| matches!(why, Reason::Body(_)));
    check_refused(write(1 << 20, broken(&data[1..]).boxed()).await, |why| matches!(why, Reason::Body(_)));
    assert_eq!(place.blobs.len(&id, Layout::Whole).await.unwrap(), None);
    // Drafts are removed on a thread of their own.
    for _ in 0..100 {
        if place.blobs.list().count().await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a draft stayed");
}

#[tokio::test]
async fn a_finished_file_is_never_replaced() {
    let (place, id) = (Place::new(), id("a"));
    place.blobs.write_whole(&id, 3, body(b"one")).await.unwrap();
    place.blobs.write_whole(&id, 3, body(b"one")).await.expect("the same again is fine");
    for other in [&b"two"[..], b"", b"ones"] {
        let result = place.blobs.write_whole(&id, other.len() as u64, body(other)).await;
        check_refused(result, |why| matches!(why, Reason::Exists));
    }
    check_refused(place.blobs.write_part(&id, 0, 9, body(b"two")).await, |why| matches!(why, Reason::Exists));
    check_refused(place.blobs.complete(&id, 4).await, |why| matches!(why, Reason::Exists));
    assert_eq!(place.blobs.complete(&id, 3).await.unwrap(), Layout::Whole);
    assert_eq!(place.content(&id).await, b"one");
}

/// The documented client writes to the access path itself, perhaps while an upload is under way.
#[tokio::test]
async fn an_upload_does_not_replace_what_a_client_wrote() {
    let (place, id) = (Place::new(), id("a"));
    place.blobs.write_part(&id, 0, 9, body(b"two")).await.unwrap();
    fs::write(place.blobs.access_path(&id), b"one").unwrap();
    check_refused(place.blobs.complete(&id, 3).await, |why| matches!(why, Reason::Exists));
    assert_eq!(place.content(&id).await, b"one");
}

#[tokio::test]
async fn parts_in_any_order_and_at_once() {
    let (place, id) = (Place::new(), id("a"));
    let data = data(3 * PART_SIZE + 17);
    let parts: Vec<&[u8]> = data.chunks(PART_SIZE as usize).collect();
    let send = |part: usize| place.blobs.write_part(&id, part as u32, PART_SIZE, body(parts[part]));
    assert_eq!(send(3).await.unwrap(), 17);
    check_refused(place.blobs.complete(&id, data.len() as u64).await, |why| {
        matches!(why, Reason::Incomplete { part: 0, expected: PART_SIZE, received: 0 })
    });
    let (two, zero) = tokio::join!(send(2), send(0));
    assert_eq!([two.unwrap(), zero.unwrap()], [PART_SIZE; 2]);
    assert_eq!(place.again().received(&id).await.unwrap(), [(0, PART_SIZE), (2, PART_SIZE), (3, 17)]);
    assert_eq!(place.blobs.len(&id, Layout::Whole).await.unwrap(), None, "not before it is complete");
    send(1).await.unwrap();
    for wrong in [0, 1, data.len() as u64 - 1, data.len() as u64 + 1, 3 * PART_SIZE, u64::MAX] {
        assert!(place.blobs.complete(&id, wrong).await.is_err(), "{wrong}");
    }
    for _ in 0..2 {
        assert_eq!(place.again().complete(&id, data.len() as u64).await.unwrap(), Layout::Whole);
    }
    assert!(place.content(&id).await == data);
    assert_eq!(place.blobs.received(&id).await.unwrap(), []);
    assert_eq!(fs::read_dir(place.path(".uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_part_counts_when_its_body_was_good() {
    let (place, id) = (Place::new(), id("a"));
    let part = |max, body| place.blobs.write_part(&id, 0, max, body);
    check_refused(part(9, body(b"").boxed()).await, |why| matches!(why, Reason::TooShort { .. }));
    check_refused(part(2, body(b"abc").boxed()).await, |why| matches!(why, Reason::TooLong { max: 2 }));
    check_refused(part(9, broken(&data(600_000)).boxed()).await, |why| matches!(why, Reason::TooLong { .. }));
    check_refused(part(PART_SIZE, broken(&data(600_000)).boxed()).await, |why| matches!(why, Reason::Body(_)));
    check_refused(part(u64::MAX, body(&data(PART_SIZE + 1)).boxed()).await, |why| {
        matches!(why, Reason::TooLong { .. })
    });
    assert_eq!(place.blobs.received(&id).await.unwrap(), []);
    let far = place.blobs.write_part(&id, blobs::MAX_PARTS, 9, body(b"abc")).await;
    check_refused(far, |why| matches!(why, Reason::TooLarge));
}

#[tokio::test]
async fn a_part_that_is_sent_again() {
    let (place, id) = (Place::new(), id("a"));
    let first = data(600_000);
    place.blobs.write_part(&id, 0, PART_SIZE, body(&first)).await.unwrap();
    // Nothing came of the second attempt: the first one counts.
    assert!(place.blobs.write_part(&id, 0, PART_SIZE, broken(b"")).await.is_err());
    assert_eq!(place.blobs.received(&id).await.unwrap(), [(0, 600_000)]);
    // The second attempt overwrote some: neither counts.
    assert!(place.blobs.write_part(&id, 0, PART_SIZE, broken(&data(300_000))).await.is_err());
    assert_eq!(place.blobs.received(&id).await.unwrap(), []);
    // A shorter one replaces a longer one wholly.
    place.blobs.write_part(&id, 0, PART_SIZE, body(&first)).await.unwrap();
    place.blobs.write_part(&id, 0, PART_SIZE, body(b"short")).await.unwrap();
    place.blobs.complete(&id, 5).await.unwrap();
    assert_eq!(place.content(&id).await, b"short");
}

/// The older connection was cut, but the server doesn't know yet.
#[tokio::test]
async fn whoever_comes_back_need_not_wait_for_the_dead_connection() {
    let (place, id) = (Place::new(), id("a"));
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let dead = tokio::spawn({
        let (blobs, id) = (place.blobs.clone(), id.clone());
        let body = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
        async move { blobs.write_part(&id, 0, PART_SIZE, body).await }
    });
    sender.send(Ok(Bytes::from(vec![7; 300_000]))).await.unwrap();
    while fs::metadata(place.path(".uploads/a")).map_or(0, |found| found.len()) < 300_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    place.blobs.write_part(&id, 0, PART_SIZE, body(b"alive")).await.unwrap();
    sender.send(Ok(Bytes::from(vec![8; 300_000]))).await.unwrap();
    check_refused(dead.await.unwrap(), |why| matches!(why, Reason::Superseded));
    place.blobs.complete(&id, 5).await.unwrap();
    assert_eq!(place.content(&id).await, b"alive");
}

#[tokio::test]
async fn deleting_takes_everything() {
    let (place, id) = (Place::new(), id("a"));
    place.blobs.delete(&id).await.expect("nothing to delete is fine");
    place.blobs.write_whole(&id, 1, body(b"x")).await.unwrap();
    place.blobs.delete(&id).await.unwrap();
    assert_eq!(place.blobs.len(&id, Layout::Whole).await.unwrap(), None);
    place.blobs.write_part(&id, 0, 1, body(b"x")).await.unwrap();
    place.blobs.delete(&id).await.unwrap();
    assert_eq!(place.blobs.list().count().await, 0);
    check_refused(place.blobs.complete(&id, 1).await, |why| matches!(why, Reason::Missing));
}

#[tokio::test]
async fn links_folders_and_fifos_are_not_followed() {
    let (place, outside) = (Place::new(), tempfile::NamedTempFile::new().unwrap());
    fs::write(outside.path(), b"secret").unwrap();
    std::os::unix::fs::symlink(outside.path(), place.path("link")).unwrap();
    std::os::unix::fs::symlink(outside.path(), place.path(".uploads/up")).unwrap();
    fs::create_dir(place.path("dir")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(place.path("fifo")).status().unwrap();
    assert!(fifo.success());
    for name in ["link", "dir", "fifo"] {
        let id = id(name);
        check_refused(place.blobs.read(&id, Layout::Whole, 0..1).await.map(drop), |why| {
            matches!(why, Reason::NotAFile)
        });
        check_refused(place.blobs.len(&id, Layout::Whole).await, |why| matches!(why, Reason::NotAFile));
        check_refused(place.blobs.write_whole(&id, 1, body(b"x")).await, |why| matches!(why, Reason::Exists));
    }
    check_refused(place.blobs.write_part(&id("up"), 0, 1, body(b"x")).await, |why| matches!(why, Reason::NotAFile));
    check_refused(place.blobs.complete(&id("up"), 6).await, |why| matches!(why, Reason::NotAFile));
    place.blobs.delete(&id("link")).await.expect("the link goes");
    assert_eq!(fs::read(outside.path()).unwrap(), b"secret", "and what it pointed to stays");
    let strays = place.blobs.list().try_filter(|entry| std::future::ready(entry.kind == Kind::Stray));
    assert_eq!(strays.count().await, 2);
}

#[tokio::test]
async fn the_folder_has_a_name_of_its_own() {
    let place = Place::new();
    let name = place.blobs.volume().unwrap().to_owned();
    assert_eq!(fs::read_to_string(place.path(".volume")).unwrap(), name);
    assert_eq!(place.again().volume(), Some(&*name));
    assert_ne!(Place::new().blobs.volume(), Some(&*name));
    for wrong in ["", "zz", &"A".repeat(32), &"a".repeat(33)] {
        fs::write(place.path(".volume"), wrong).unwrap();
        assert!(Blobs::open(place.folder.path().to_str().unwrap(), &Options::default()).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_listing_says_what_everything_is() {
    let place = Place::new();
    place.blobs.write_whole(&id("whole"), 4, body(b"four")).await.unwrap();
    place.blobs.write_part(&id("up"), 0, 9, body(b"abc")).await.unwrap();
    fs::write(place.path(".uploads/gone.parts"), b"").unwrap();
    fs::write(place.path(".uploads/dead.0011223344556677.new"), b"12").unwrap();
    fs::write(place.path("note.txt"), b"?").unwrap();
    let entries: Vec<_> = place.blobs.list().try_collect().await.unwrap();
    let mut seen: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.id.as_ref(), e.kind, e.bytes)).collect();
    seen.sort_by_key(|entry| entry.0);
    assert_eq!(
        seen,
        [
            (".uploads/dead.0011223344556677.new", Some(&id("dead")), Kind::Draft, 2),
            (".uploads/gone.parts", Some(&id("gone")), Kind::Upload, 0),
            (".uploads/up", Some(&id("up")), Kind::Upload, 3),
            ("note.txt", None, Kind::Stray, 1),
            ("whole", Some(&id("whole")), Kind::Finished, 4),
        ]
    );
}

#[tokio::test]
async fn sweeping_takes_what_nobody_goes_on_with() {
    let place = Place::new();
    place.blobs.write_whole(&id("whole"), 4, body(b"four")).await.unwrap();
    place.blobs.write_part(&id("up"), 0, 9, body(b"abc")).await.unwrap();
    fs::write(place.path(".uploads/gone.parts"), b"").unwrap();
    fs::write(place.path(".uploads/dead.0011223344556677.new"), b"12").unwrap();
    fs::write(place.path("note.txt"), b"?").unwrap();
    let sweep = |older_than| place.blobs.sweep(older_than, |_: Id| async { Ok(true) });
    assert_eq!(sweep(SystemTime::now() - Duration::from_secs(60)).await.unwrap(), []);
    let mut swept = sweep(SystemTime::now() + Duration::from_secs(60)).await.unwrap();
    swept.sort();
    assert_eq!(swept, [id("dead"), id("gone"), id("up")]);
    assert_eq!(place.blobs.list().count().await, 2);
}

/// A client that is slow is not one that gave up.
#[tokio::test]
async fn sweeping_leaves_uploads_that_are_being_written() {
    let (place, id) = (Place::new(), id("a"));
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let body = stream::once(async { Ok(Bytes::from_static(b"late")) })
        .chain(stream::once(receiver).filter_map(|piece: Result<Bytes, _>| std::future::ready(piece.ok().map(Ok))));
    let slow = tokio::spawn({
        let (blobs, id) = (place.blobs.clone(), id.clone());
        async move { blobs.write_part(&id, 0, 9, body).await }
    });
    while !place.path(".uploads/a.parts").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let later = SystemTime::now() + Duration::from_secs(60);
    assert_eq!(place.blobs.sweep(later, |_: Id| async { Ok(false) }).await.unwrap(), []);
    sender.send(Bytes::from_static(b"!")).unwrap();
    assert_eq!(slow.await.unwrap().unwrap(), 5);
    place.blobs.complete(&id, 5).await.unwrap();
}

#[tokio::test]
async fn messages_say_what_to_do() {
    let (place, id) = (Place::new(), id("a"));
    place.blobs.write_part(&id, 0, 9, body(b"abc")).await.unwrap();
    let error = place.blobs.complete(&id, 4).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "completing the upload of file a failed: part 0 must have 4 bytes and has 3; send this part again"
    );
}

/// An upload whose first part broke off stood in the way of the same file in one piece.
#[tokio::test]
async fn an_upload_without_parts_is_in_nobodys_way() {
    let (place, id) = (Place::new(), id("a"));
    assert!(place.blobs.write_part(&id, 0, 9, broken(b"abc")).await.is_err());
    place.blobs.write_whole(&id, 3, body(b"abc")).await.unwrap();
    assert_eq!(place.blobs.complete(&id, 3).await.unwrap(), Layout::Whole);
    assert_eq!(place.blobs.list().count().await, 1);
}
