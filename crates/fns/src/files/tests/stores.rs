//! Ciphertext in an object store that is slow, breaks off, says no, or has other bytes.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Mutex;

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::RANGE;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rpc::courier::Courier;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use types::wire::tdfs_external::DownloadPart;

use super::*;

/// What the store does with its next request.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Says(u16),
    /// Gives so many bytes, and closes the connection.
    BreaksAfter(usize),
}

/// An object store without a signature, for whoever knows its address.
#[derive(Clone, Default)]
struct Bucket {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    moods: Arc<Mutex<VecDeque<Mood>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

type Answer = Response<StreamBody<Receiving>>;

struct Receiving(mpsc::Receiver<Result<Frame<Bytes>, std::io::Error>>);

impl futures_core::Stream for Receiving {
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

impl Bucket {
    async fn serve(&self) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (bucket, mut serving) = (self.clone(), JoinSet::new());
        serving.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let bucket = bucket.clone();
                tokio::spawn(async move {
                    let answer = |request| {
                        let bucket = bucket.clone();
                        async move { Ok::<_, Infallible>(bucket.answer(request).await) }
                    };
                    let service = hyper::service::service_fn(answer);
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        (address, serving)
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let range = request.headers().get(RANGE).map(|range| range.to_str().unwrap().to_owned());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        self.requests.lock().unwrap().push(format!("{method} {path} {}", range.as_deref().unwrap_or("all")));
        let mood = self.moods.lock().unwrap().pop_front();
        match (mood, method) {
            (Some(Mood::Says(status)), _) => body(StatusCode::from_u16(status).unwrap(), vec![], false),
            (mood, Method::GET) => {
                let Some(object) = self.objects.lock().unwrap().get(&path).cloned() else {
                    return body(StatusCode::NOT_FOUND, vec![], false);
                };
                let range = range.unwrap();
                let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
                let mut part = object[first.parse().unwrap()..=last.parse().unwrap()].to_vec();
                let Some(Mood::BreaksAfter(length)) = mood else {
                    return body(StatusCode::PARTIAL_CONTENT, part, false);
                };
                part.truncate(length);
                body(StatusCode::PARTIAL_CONTENT, part, true)
            }
            _ => {
                let content = request.into_body().collect().await.unwrap().to_bytes();
                self.objects.lock().unwrap().insert(path, content.to_vec());
                body(StatusCode::OK, vec![], false)
            }
        }
    }

    fn feel(&self, moods: impl IntoIterator<Item = Mood>) {
        self.moods.lock().unwrap().extend(moods);
    }

    fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn body(status: StatusCode, bytes: Vec<u8>, breaks: bool) -> Answer {
    let (sender, receiver) = mpsc::channel(4);
    sender.try_send(Ok(Frame::data(bytes.into()))).unwrap();
    if breaks {
        tokio::spawn(async move {
            // What was sent before arrives.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let _ = sender.send(Err(std::io::ErrorKind::ConnectionReset.into())).await;
        });
    }
    Response::builder().status(status).body(StreamBody::new(Receiving(receiver))).unwrap()
}

/// A chunked file in a bucket, in three parts.
struct Shop {
    bucket: Bucket,
    address: String,
    _serving: JoinSet<()>,
    plaintext: Vec<u8>,
    config: KeyConfig,
    declared: Declared,
    lengths: Vec<u64>,
}

impl Shop {
    async fn open() -> Self {
        let (bucket, plaintext, (config, key)) = (Bucket::default(), content(5 * BLOCK + 100), keys());
        let (address, serving) = bucket.serve().await;
        let mut rest = &sealed(&plaintext, &key, 16)[..];
        let mut lengths = Vec::new();
        for part in 0..3 {
            let length = if part == 2 { rest.len() } else { 2 * BLOCK + 33 };
            bucket.objects.lock().unwrap().insert(format!("/part{part}"), rest[..length].to_vec());
            lengths.push(length as u64);
            rest = &rest[length..];
        }
        let declared = Declared { size: plaintext.len() as u64, sha256: digest(&plaintext), format: Format::Chunked };
        Shop { bucket, address, _serving: serving, plaintext, config, declared, lengths }
    }

    fn parts(&self, folder: &str) -> Vec<DownloadPart> {
        let url = |part: usize| format!("{}{folder}/part{part}", self.address);
        self.lengths.iter().enumerate().map(|(part, size)| DownloadPart { url: url(part), size: *size }).collect()
    }

    fn store(&self, folder: &str) -> Arc<Store> {
        let courier = Arc::new(Courier::for_stores(None).unwrap());
        let fresh = self.parts("");
        let renew: Renew = Box::new(move || {
            let fresh = fresh.clone();
            Box::pin(async move { fresh })
        });
        Arc::new(Store::new(courier, self.parts(folder), renew, StopSignal::new()))
    }

    /// What a function reads, twice, of the file behind the URLs of this folder.
    async fn read(&self, folder: &str) -> Result<Vec<u8>, Unsettled> {
        let unopened = |source| Unsettled::Input { input: 0, source };
        let (store, declared, config) = (self.store(folder), self.declared, self.config_again());
        spawn_blocking(move || {
            let input = Input::open(Source::Store(store), &config, declared, &mut Room::for_streams());
            let (input, (spool, _dir)) = (input.map_err(unopened)?, spool());
            let seen = Mutex::new(Vec::new());
            let (ran, _) = run_on(vec![input], spool, |invocation| {
                for _ in 0..2 {
                    seen.lock().unwrap().clear();
                    invocation.input(0)?.read_to_end(&mut seen.lock().unwrap())?;
                }
                Ok(String::new())
            })?;
            ran.unwrap();
            Ok(seen.into_inner().unwrap())
        })
        .await
        .unwrap()
    }

    fn config_again(&self) -> KeyConfig {
        let again = |part: &SecretBytes| SecretBytes::new(part.expose().to_vec());
        KeyConfig { key: again(&self.config.key), nonce: again(&self.config.nonce), ad: again(&self.config.ad) }
    }

    async fn check_reads(&self, folder: &str) {
        assert!(self.read(folder).await.unwrap() == self.plaintext);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_parts_is_read_with_one_request_for_each() {
    let shop = Shop::open().await;
    shop.check_reads("").await;
    let requests = shop.bucket.take_requests();
    assert_eq!(requests.len(), 6, "{requests:?}");
    assert_eq!(requests[0], format!("GET /part0 bytes=0-{}", shop.lengths[0] - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_goes_on_where_it_was() {
    let shop = Shop::open().await;
    shop.bucket.feel([Mood::Says(500), Mood::BreaksAfter(0), Mood::BreaksAfter(1000), Mood::BreaksAfter(70_000)]);
    shop.check_reads("").await;
    let requests = shop.bucket.take_requests();
    assert!(requests[3].starts_with("GET /part0 bytes=1000-"), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_that_expired_are_asked_for_anew() {
    let shop = Shop::open().await;
    shop.bucket.feel([Mood::Says(403)]);
    shop.check_reads("/expired").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_from_failures() {
    let shop = Shop::open().await;
    let problem = |settled: Result<_, Unsettled>| match settled {
        Err(Unsettled::Input { source, .. }) => source,
        other => panic!("{:?}", other.map(|_: Vec<u8>| ())),
    };
    assert!(matches!(problem(shop.read("/nowhere").await), ReadError::Missing));
    shop.bucket.feel([Mood::Says(400)]);
    assert!(matches!(problem(shop.read("").await), ReadError::Store(_)));
    // Other bytes.
    shop.bucket.objects.lock().unwrap().get_mut("/part1").unwrap()[5] ^= 1;
    assert!(matches!(problem(shop.read("").await), ReadError::Stream(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_is_fetched_whole() {
    let (mut shop, (config, key)) = (Shop::open().await, keys());
    let message = crypto::file::seal(shop.plaintext.clone(), key).unwrap();
    for (part, piece) in message.chunks(2 * BLOCK + 33).enumerate() {
        shop.lengths[part] = piece.len() as u64;
        shop.bucket.objects.lock().unwrap().insert(format!("/part{part}"), piece.to_vec());
    }
    (shop.config, shop.declared.format) = (config, Format::Single);
    shop.bucket.feel([Mood::BreaksAfter(1000)]);
    shop.check_reads("").await;
    shop.bucket.objects.lock().unwrap().get_mut("/part2").unwrap()[0] ^= 1;
    assert!(matches!(shop.read("").await, Err(Unsettled::Input { source: ReadError::Open(_), .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_seek() {
    let shop = Shop::open().await;
    let store = shop.store("");
    spawn_blocking(move || {
        let mut remote = super::super::remote::Remote::new(store);
        let length = remote.seek(SeekFrom::End(0)).unwrap();
        assert_eq!((remote.read(&mut [0; 9]).unwrap(), length), (0, shop.lengths.iter().sum()));
        let whole: Vec<u8> = shop.bucket.objects.lock().unwrap().values().flatten().copied().collect();
        for at in [0, 5, shop.lengths[0] - 1, shop.lengths[0], length - 1] {
            remote.seek(SeekFrom::Start(at)).unwrap();
            let mut bytes = [0; 1];
            remote.read_exact(&mut bytes).unwrap();
            assert_eq!(bytes[0], whole[usize::try_from(at).unwrap()], "{at}");
        }
    })
    .await
    .unwrap();
}

/// Sends an output, and opens what the bucket then has.
async fn check_sent(format: Format, length: usize, moods: &[Mood]) {
    let (bucket, plaintext, (config, key)) = (Bucket::default(), content(length), keys());
    let (address, _serving) = bucket.serve().await;
    bucket.feel(moods.iter().copied());
    let written = plaintext.clone();
    let sealed = spawn_blocking(move || {
        let (spool, _dir) = spool();
        let (_, mut outputs) = run_on(vec![], spool, |invocation| {
            let mut output = invocation.output(Output::Creator)?;
            output.write_all(&written[..written.len() / 2])?;
            output.write_all(&written[written.len() / 2..])?;
            output.finish()?;
            Ok(String::new())
        })
        .unwrap();
        let output = outputs.remove(&Output::Creator).unwrap();
        Sealing::new(output, format, config).prepare().unwrap()
    });
    let courier = Courier::for_stores(None).unwrap();
    send(&courier, sealed.await.unwrap(), &format!("{address}/id"), ()).await.unwrap();
    let (stored, size) = (bucket.objects.lock().unwrap()["/id"].clone(), plaintext.len() as u64);
    let mut opened = Vec::new();
    match format {
        Format::Single => {
            let reader = crypto::file::Reader::new(&key, size, Sha256::digest(&plaintext));
            opened.extend_from_slice(&reader.open(stored).unwrap());
        }
        Format::Chunked => {
            let mut reader = crypto::file::stream::Reader::new(&stored[..], &key, size).unwrap();
            reader.read_to_end(&mut opened).unwrap();
        }
    }
    assert!(opened == plaintext);
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_sent_again_until_they_are_there() {
    for format in [Format::Single, Format::Chunked] {
        for length in [0, 1000, 9 << 20] {
            check_sent(format, length, &[]).await;
        }
        check_sent(format, 9 << 20, &[Mood::Says(503), Mood::Says(500)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_the_store_does_not_want_fails() {
    let (bucket, (config, _)) = (Bucket::default(), keys());
    let (address, _serving) = bucket.serve().await;
    bucket.feel([Mood::Says(403)]);
    let output = Content::Memory(content(BLOCK).into());
    let sealed = Sealing::new(output, Format::Chunked, config).prepare().unwrap();
    let courier = Courier::for_stores(None).unwrap();
    let refused = send(&courier, sealed, &format!("{address}/id"), ()).await;
    assert!(matches!(refused, Err(SendError::Store(_))));
    assert_eq!(bucket.take_requests().len(), 1);
}
