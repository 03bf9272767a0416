//! Downgrade and resumption: whoever is in between would rather have an older protocol, or a session without attestation.
//! What servers answer to old clients is in `hostile::tls`.

use std::io;
use std::sync::{Arc, Mutex};

use rustls::HandshakeKind;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::ServerSessionMemoryCache;
use testkit::stand::{REQUEST, ServicePort, UserPort};
use testkit::{attesting, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::scene::{self, Scene, read, request, serve, server_config, soon, write};

/// A ServerHello of TLS 1.2 (RFC 5246, section 7.4.1.3) for ECDHE-ECDSA with AES-128-GCM.
fn tls12_server_hello(random: [u8; 32]) -> Vec<u8> {
    let hello = [&[3, 3][..], &random, &[0, 0xc0, 0x2b, 0]].concat();
    let handshake = [&[2, 0, 0, hello.len() as u8][..], &hello].concat();
    [&[22, 3, 3, 0, handshake.len() as u8][..], &handshake].concat()
}

/// One TLS record: its type and content.
async fn record(socket: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    socket.read_exact(&mut head).await?;
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    socket.read_exact(&mut content).await?;
    Ok((head[0], content))
}

/// A client whose server, or whoever stands before it, speaks TLS 1.2: it offers 1.3 alone, says so in an alert, and
/// sends nothing else. The second random number is the sign of a server that was made to downgrade (RFC 8446, 4.1.3).
#[tokio::test(flavor = "multi_thread")]
async fn a_client_offered_tls_12_sends_an_alert_and_nothing_else() {
    let scene = Scene::set::<UserPort>().await;
    let mut downgraded = [7; 32];
    downgraded[24..].copy_from_slice(b"DOWNGRD\x01");
    for random in [[7; 32], downgraded] {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = socket.local_addr().expect("bound").to_string();
        let server = tokio::spawn(async move {
            let (mut client, _) = socket.accept().await?;
            let hello = record(&mut client).await?;
            client.write_all(&tls12_server_hello(random)).await?;
            let answer = record(&mut client).await?;
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await?;
            io::Result::Ok((hello, answer, rest))
        });
        soon(rpc::raw::call_framed(&scene.connector(), &target, REQUEST)).await.expect_err("no TLS 1.2");
        let ((kind, hello), answer, rest) = soon(server).await.expect("no panic").expect("the client speaks");
        // supported_versions (43): one, and that is 3.4.
        let only_13 = [0, 43, 0, 3, 2, 3, 4];
        assert!(kind == 22 && hello.windows(7).any(|part| part == only_13), "{hello:02x?}");
        let (kind, alert) = answer;
        assert_eq!((kind, alert[0], rest.len()), (21, 2, 0), "a fatal alert: {alert:?}, then {rest:?}");
    }
    scene.stand.stop().await;
}

/// A thief's server, with the stolen key, gives tickets and takes early data. Our client comes back with a whole
/// handshake and a new question.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_resumes_nothing_whatever_the_server_offers() {
    let scene = Scene::set::<UserPort>().await;
    let papers = Arc::new(scene.service());
    let mut config = server_config(&papers);
    config.session_storage = ServerSessionMemoryCache::new(64);
    config.send_tls13_tickets = 4;
    config.max_early_data_size = 1 << 14;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorded = seen.clone();
    let target = serve(config, move |mut stream| {
        let (papers, seen) = (papers.clone(), recorded.clone());
        async move {
            let early = stream.get_mut().1.early_data().is_some();
            let question = read(&mut stream).await?;
            let kind = stream.get_ref().1.handshake_kind();
            seen.lock().expect("no panic").push((kind, early, question["nonce"].to_string()));
            let stream = Mutex::new(stream);
            let exported = scene::exported(&stream, "server", papers.role, &attesting::nonce(&question));
            let mut stream = stream.into_inner().expect("no panic");
            write(&mut stream, &attesting::attested(&papers, &exported)).await?;
            read(&mut stream).await?;
            write(&mut stream, &serde_json::json!({})).await
        }
    })
    .await;
    // What the server offers is good: a client that takes tickets resumes.
    let willing = wire::believing(default_provider(), None);
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let address = target.parse().expect("an address");
        let mut stream = soon(wire::shake_hands(address, willing.clone())).await.expect("a handshake");
        scene::ask(&mut stream, &attesting::question()).await;
        assert_eq!(stream.with(|stream| stream.get_ref().1.handshake_kind()), Some(expected));
    }
    seen.lock().expect("no panic").clear();

    let connector = scene.connector();
    for _ in 0..3 {
        soon(rpc::raw::call_framed(&connector, &target, REQUEST)).await.expect("it holds papers and platform");
    }
    let seen = seen.lock().expect("no panic").clone();
    assert!(seen.iter().all(|(kind, early, _)| *kind == Some(HandshakeKind::Full) && !early), "{seen:?}");
    assert!(seen.len() == 3 && seen[0].2 != seen[1].2 && seen[1].2 != seen[2].2, "{seen:?}");
    scene.stand.stop().await;
}

/// A caller that would resume an attested session, or send its request early: it gets no ticket, and its next connection
/// begins with nothing attested.
#[tokio::test(flavor = "multi_thread")]
async fn an_attested_session_is_never_resumed() {
    let scene = Scene::set::<ServicePort>().await;
    let mut config = wire::believing(default_provider(), Some(scene.caller().certified_key()));
    config.enable_early_data = true;
    let mut first = soon(wire::shake_hands(scene.stand.address(), config.clone())).await.expect("layer one accepts");
    soon(attesting::attest(&mut first, &scene.caller())).await.expect("layer two accepts");
    assert_eq!(request(&mut first).await, "not_found");
    assert_eq!(first.with(|stream| stream.get_ref().1.tls13_tickets_received()), 0);

    let mut second = soon(wire::shake_hands(scene.stand.address(), config)).await.expect("layer one accepts");
    second.with(|stream| {
        let connection = stream.get_mut().1;
        assert!(connection.early_data().is_none() && !connection.is_early_data_accepted());
        assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full));
    });
    assert_eq!(request(&mut second).await, "unauthenticated");
    assert_eq!(scene.stand.heard(), 1);
    scene.stand.stop().await;
}
