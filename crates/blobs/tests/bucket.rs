//! A bucket does what a folder does, against a real S3 server; and stores that misbehave are named in bounded time.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::io;
use std::time::{Duration, SystemTime};

use blobs::{Blobs, Error, Id, Kind, Layout, Options, PART_SIZE, Reason, Url};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use s3::{Hostile, Mischief, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn options(endpoint: String) -> Options {
    Options {
        endpoint: Some(endpoint),
        region: Some(s3::REGION.to_owned()),
        access_key_id: Some(s3::ACCESS_KEY.to_owned()),
        secret_access_key: Some(s3::SECRET_KEY.to_owned()),
        allow_http: Some(true),
    }
}

async fn store() -> (Server, Blobs) {
    let server = Server::start().await;
    let blobs = Blobs::open(&format!("s3://{}/files/here", s3::BUCKET), &options(server.endpoint())).unwrap();
    (server, blobs)
}

async fn hostile(mischief: Mischief) -> (Hostile, Blobs) {
    let server = Hostile::start(mischief).await;
    let blobs = Blobs::open("s3://bucket", &options(server.endpoint())).unwrap();
    (server, blobs)
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn data(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at % 251 + at / 65_536) as u8).collect()
}

fn body(bytes: &[u8]) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let pieces: Vec<_> = bytes.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

async fn read(blobs: &Blobs, id: &Id, layout: Layout, start: u64, end: u64) -> Vec<u8> {
    let pieces: Vec<Bytes> = blobs.read(id, layout, start..end).await.unwrap().try_collect().await.expect("all pieces");
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
    let ((_server, blobs), id, data) = (store().await, id("a"), data(700_001));
    assert_eq!(blobs.access_path(&id), "s3://bucket/files/here/a");
    assert_eq!(blobs.volume(), None);
    assert_eq!(blobs.len(&id, Layout::Whole).await.unwrap(), None);
    blobs.write_whole(&id, 700_001, body(&data)).await.unwrap();
    assert_eq!(blobs.len(&id, Layout::Whole).await.unwrap(), Some(700_001));
    assert_eq!(blobs.complete(&id, 700_001).await.unwrap(), Layout::Whole);
    check_refused(blobs.complete(&id, 700_000).await, |why| matches!(why, Reason::OtherLength { .. }));
    assert!(read(&blobs, &id, Layout::Whole, 0, 700_001).await == data);
    assert!(read(&blobs, &id, Layout::Whole, 5, 600_000).await == data[5..600_000]);
    assert_eq!(read(&blobs, &id, Layout::Whole, 7, 7).await, b"");
    check_refused(blobs.read(&id, Layout::Whole, 0..700_002).await.map(drop), |why| {
        matches!(why, Reason::OutOfRange { len: 700_001, .. })
    });
    check_refused(blobs.write_whole(&id, 1, body(b"x")).await, |why| matches!(why, Reason::Exists));
    blobs.delete(&id).await.unwrap();
    blobs.delete(&id).await.expect("nothing to delete is fine");
    assert_eq!(blobs.len(&id, Layout::Whole).await.unwrap(), None);
    check_refused(blobs.read(&id, Layout::Whole, 0..1).await.map(drop), |why| matches!(why, Reason::Missing));
    check_refused(blobs.complete(&id, 1).await, |why| matches!(why, Reason::Missing));
}

#[tokio::test]
async fn nothing_is_left_of_a_body_that_is_not_what_was_declared() {
    let ((_server, blobs), id) = (store().await, id("a"));
    // Past the size from which objects are put together.
    for len in [10, 6 << 20] {
        let data = data(len);
        check_refused(blobs.write_whole(&id, len - 1, body(&data)).await, |why| matches!(why, Reason::TooLong { .. }));
        check_refused(blobs.write_whole(&id, len + 1, body(&data)).await, |why| matches!(why, Reason::TooShort { .. }));
        let broken = body(&data).chain(stream::iter([Err(io::ErrorKind::ConnectionReset.into())]));
        check_refused(blobs.write_part(&id, 0, PART_SIZE, broken).await, |why| matches!(why, Reason::Body(_)));
    }
    check_refused(blobs.write_part(&id, 0, 9, body(b"")).await, |why| matches!(why, Reason::TooShort { .. }));
    assert_eq!(blobs.list().count().await, 0);
}

#[tokio::test]
async fn a_file_in_parts() {
    let ((_server, blobs), id) = (store().await, id("a"));
    let data = data(2 * PART_SIZE + 17);
    let parts: Vec<&[u8]> = data.chunks(PART_SIZE as usize).collect();
    for part in [2, 0] {
        blobs.write_part(&id, part as u32, PART_SIZE, body(parts[part])).await.unwrap();
    }
    assert_eq!(blobs.received(&id).await.unwrap(), [(0, PART_SIZE), (2, 17)]);
    check_refused(blobs.complete(&id, data.len() as u64).await, |why| {
        matches!(why, Reason::Incomplete { part: 1, received: 0, .. })
    });
    blobs.write_part(&id, 1, PART_SIZE, body(parts[1])).await.unwrap();
    let layout = blobs.complete(&id, data.len() as u64).await.unwrap();
    assert_eq!(layout, Layout::Parts { count: 3 });
    check_refused(blobs.complete(&id, 2 * PART_SIZE).await, |why| matches!(why, Reason::PastTheEnd { part: 2, .. }));
    assert_eq!(blobs.len(&id, layout).await.unwrap(), Some(data.len() as u64));
    assert_eq!(blobs.len(&id, Layout::Parts { count: 2 }).await.unwrap(), None);
    assert!(read(&blobs, &id, layout, 0, data.len() as u64).await == data);
    let (start, end) = (PART_SIZE - 3, 2 * PART_SIZE + 3);
    assert!(read(&blobs, &id, layout, start, end).await == data[start as usize..end as usize]);
    let entries: Vec<_> = blobs.list().try_collect().await.unwrap();
    let seen: Vec<_> = entries.iter().map(|entry| (entry.id.clone(), entry.kind, entry.bytes)).collect();
    assert_eq!(seen, [(Some(id.clone()), Kind::Parts { count: 3 }, data.len() as u64)]);
    blobs.delete(&id).await.unwrap();
    assert_eq!(blobs.list().count().await, 0);
}

#[tokio::test]
async fn sweeping_asks_before_it_takes_parts() {
    let (server, blobs) = store().await;
    for name in ["finished", "given-up", "unknown"] {
        blobs.write_part(&id(name), 0, 9, body(b"abc")).await.unwrap();
    }
    blobs.write_whole(&id("whole"), 3, body(b"abc")).await.unwrap();
    std::fs::write(server.bucket().join("files/here/a.txt"), b"?").unwrap();
    let answer = |id: Id| async move {
        match id.as_str() {
            "finished" => Ok(true),
            "given-up" => Ok(false),
            _ => Err(io::Error::other("the records can't be read")),
        }
    };
    let (before, later) = (Duration::from_secs(3600), Duration::from_secs(3600));
    assert_eq!(blobs.sweep(SystemTime::now() - before, answer).await.unwrap(), []);
    assert_eq!(blobs.sweep(SystemTime::now() + later, answer).await.unwrap(), [id("given-up")]);
    let entries: Vec<_> = blobs.list().try_collect().await.unwrap();
    let mut left: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    left.sort_by_key(|entry| entry.0);
    let parts = Kind::Parts { count: 1 };
    assert_eq!(left, [("a.txt", Kind::Stray), ("finished", parts), ("unknown", parts), ("whole", Kind::Finished)]);
}

/// What any HTTP client does, without knowing S3: status and body.
async fn http(method: &str, url: &Url, body: &[u8]) -> (u16, Vec<u8>) {
    let authority = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut socket = tokio::net::TcpStream::connect(&authority).await.unwrap();
    let target = format!("{}?{}", url.path(), url.query().unwrap());
    let len = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn clients_put_and_get_with_signed_addresses() {
    let ((_server, blobs), id) = (store().await, id("a"));
    for (part, bytes) in [(0, data(PART_SIZE)), (1, b"the rest".to_vec())] {
        let url = blobs.upload_url(&id, Some(part), HOUR).await.unwrap().unwrap();
        assert_eq!(http("PUT", &url, &bytes).await.0, 200);
    }
    let layout = blobs.complete(&id, PART_SIZE + 8).await.unwrap();
    let urls = blobs.download_urls(&id, layout, PART_SIZE + 8, HOUR).await.unwrap().unwrap();
    assert_eq!(urls.iter().map(|url| (url.offset, url.len)).collect::<Vec<_>>(), [(0, PART_SIZE), (PART_SIZE, 8)]);
    assert_eq!(http("GET", &urls[1].url, b"").await, (200, b"the rest".to_vec()));
    let whole = self::id("whole");
    let url = blobs.upload_url(&whole, None, HOUR).await.unwrap().unwrap();
    assert_eq!(http("PUT", &url, b"abc").await.0, 200);
    assert_eq!(blobs.complete(&whole, 3).await.unwrap(), Layout::Whole);
    let urls = blobs.download_urls(&whole, Layout::Whole, 3, HOUR).await.unwrap().unwrap();
    assert_eq!(http("GET", &urls[0].url, b"").await, (200, b"abc".to_vec()));
}

#[tokio::test]
async fn a_signed_address_is_good_for_one_thing_for_a_while() {
    let ((_server, blobs), id) = (store().await, id("a"));
    blobs.write_whole(&id, 3, body(b"abc")).await.unwrap();
    let urls = blobs.download_urls(&id, Layout::Whole, 3, HOUR).await.unwrap().unwrap();
    let good = &urls[0].url;
    assert_eq!(http("PUT", good, b"xyz").await.0, 403, "another operation");
    let other: Url = good.as_str().replace("/here/a?", "/here/b?").parse().unwrap();
    assert_eq!(http("GET", &other, b"").await.0, 403, "another file");
    let longer: Url = good.as_str().replace("Expires=3600", "Expires=3601").parse().unwrap();
    assert_eq!(http("GET", &longer, b"").await.0, 403, "another time");
    let urls = blobs.download_urls(&id, Layout::Whole, 3, Duration::from_secs(1)).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(http("GET", &urls[0].url, b"").await.0, 403, "expired");
    assert!(!good.as_str().contains(s3::SECRET_KEY));
}

#[tokio::test]
async fn a_wrong_key_is_named_and_not_shown() {
    let server = Server::start().await;
    let wrong = Options { secret_access_key: Some("not-the-key".to_owned()), ..options(server.endpoint()) };
    let blobs = Blobs::open("s3://bucket", &wrong).unwrap();
    let error = blobs.write_whole(&id("a"), 3, body(b"abc")).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Refused(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("not-the-key"));
}

/// Every operation ends, says so, and is not taken for "there is nothing".
async fn check_all_fail(blobs: &Blobs) {
    let (id, old) = (id("a"), SystemTime::now());
    let start = tokio::time::Instant::now();
    let mut errors = Vec::new();
    errors.push(blobs.len(&id, Layout::Whole).await.unwrap_err());
    errors.push(blobs.received(&id).await.unwrap_err());
    errors.push(blobs.complete(&id, 3).await.unwrap_err());
    errors.push(blobs.write_part(&id, 0, 3, body(b"abc")).await.unwrap_err());
    errors.push(blobs.delete(&id).await.unwrap_err());
    errors.push(blobs.sweep(old, |_: Id| async { Ok(false) }).await.unwrap_err());
    errors.extend(blobs.list().next().await.unwrap().err());
    let took = start.elapsed() / 7;
    assert!(took <= Duration::from_secs(31), "{took:?} each");
    for error in errors {
        let reason = error.reason();
        assert!(matches!(reason, Reason::Unavailable(_)), "{error:?}");
        let text = format!("{error}: {}", std::error::Error::source(&error).expect("the store's words"));
        assert!(!text.contains(s3::SECRET_KEY) && !text.contains('\u{1b}') && text.len() < 1500, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers() {
    let (_server, blobs) = hostile(Mischief::Silent).await;
    check_all_fail(&blobs).await;
}

#[tokio::test]
async fn a_store_that_hangs_up() {
    let (_server, blobs) = hostile(Mischief::Closes).await;
    check_all_fail(&blobs).await;
}

#[tokio::test]
async fn a_store_that_is_no_store() {
    let (_server, blobs) = hostile(Mischief::Babbles).await;
    check_all_fail(&blobs).await;
}

#[tokio::test]
async fn a_store_that_fails() {
    let (server, blobs) = hostile(Mischief::Status(500)).await;
    let error = blobs.len(&id("a"), Layout::Whole).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::Unavailable(_)), "{error:?}");
    let tries = server.connections();
    assert!((2..=4).contains(&tries), "{tries} tries");
    check_all_fail(&blobs).await;
}

/// Right length, then too few bytes.
#[tokio::test]
async fn a_store_that_sends_a_part_of_an_object() {
    let (_server, blobs) = hostile(Mischief::Partial { stated: 500_000, sent: 300_000 }).await;
    let pieces = blobs.read(&id("a"), Layout::Whole, 0..500_000).await.unwrap();
    let read: Result<Vec<Bytes>, _> = pieces.try_collect().await;
    assert!(read.is_err(), "short data is never the end");
}

/// The store has an older, shorter object than the record says.
#[tokio::test]
async fn a_store_that_has_old_data() {
    let (_server, blobs) = hostile(Mischief::Partial { stated: 500, sent: 500 }).await;
    check_refused(blobs.read(&id("a"), Layout::Whole, 0..501).await.map(drop), |why| {
        matches!(why, Reason::OutOfRange { len: 500, .. })
    });
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stops_sending() {
    let (_server, blobs) = hostile(Mischief::Drips { stated: 500, pause: Duration::from_secs(3600) }).await;
    let start = tokio::time::Instant::now();
    let pieces = blobs.read(&id("a"), Layout::Whole, 0..500).await.unwrap();
    let read: Result<Vec<Bytes>, _> = pieces.try_collect().await;
    assert!(read.is_err());
    assert!(start.elapsed() <= Duration::from_secs(65), "{:?}", start.elapsed());
}
