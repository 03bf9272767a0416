//! Data before layer two: whoever holds a caller's key, and not its platform, hopes that a request slips in.

use serde_json::json;
use testkit::channel::{ATTESTATION, Channel};
use testkit::stand::{REQUEST, ServicePort, UserPort};
use testkit::{Protocol, attesting, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::scene::{Scene, ask, code, request, soon};

fn text() -> &'static str {
    std::str::from_utf8(REQUEST).expect("JSON")
}

/// The request first, in every protocol; over HTTP, where the connection goes on, a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_before_attestation_is_refused_in_every_protocol() {
    let scene = Scene::set::<ServicePort>().await;
    for protocol in Protocol::ALL {
        let (mut channel, _) = scene.open(protocol).await;
        let answer = soon(channel.send(text())).await.expect("an answer");
        assert_eq!(code(&answer.json()), "unauthenticated", "{protocol:?}");
        match soon(channel.send(text())).await {
            Ok(answer) => assert_eq!(code(&answer.json()), "unauthenticated", "{protocol:?}"),
            Err(_) => assert_eq!(protocol, Protocol::Framed),
        }
    }
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

/// The request right behind the question, in one piece, so that it is there before anything was appraised.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_pipelined_behind_the_question_is_refused() {
    let scene = Scene::set::<ServicePort>().await;
    let question = attesting::question().to_string();

    let frame = |body: &[u8]| [&(body.len() as u64).to_be_bytes(), body].concat();
    let mut stream = scene.connect(&[]).await;
    let pipelined = [frame(question.as_bytes()), frame(REQUEST)].concat();
    stream.write_all(&pipelined).await.expect("sent");
    stream.flush().await.expect("sent");
    assert_eq!(soon(wire::receive(&mut stream)).await.expect("an answer")["type"], "Attest");
    assert_eq!(code(&soon(wire::receive(&mut stream)).await.expect("an answer")), "unauthenticated");

    let post = |path: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let mut stream = scene.connect(&[b"http/1.1"]).await;
    let pipelined =
        [post(ATTESTATION, &question), post("/", text()).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")];
    stream.write_all(pipelined.concat().as_bytes()).await.expect("sent");
    stream.flush().await.expect("sent");
    let mut answers = String::new();
    soon(stream.read_to_string(&mut answers)).await.expect("two answers");
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 401").count(), 1, "{answers}");

    let (channel, _) = scene.open(Protocol::Http2).await;
    let Channel::Http2(sender) = channel else { unreachable!("as asked") };
    let (mut one, mut other) = (Channel::Http2(sender.clone()), Channel::Http2(sender));
    let (attested, refused) = tokio::join!(soon(one.send_to(ATTESTATION, &question)), soon(other.send(text())));
    assert_eq!(attested.expect("an answer").json()["type"], "Attest");
    assert_eq!(code(&refused.expect("an answer").json()), "unauthenticated");
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

/// The whole ceremony and the request in one piece, with evidence that can't be right since the nonce was not known.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_behind_guessed_evidence_is_refused() {
    let scene = Scene::set::<ServicePort>().await;
    let (caller, mut stream) = (scene.caller(), scene.connect(&[]).await);
    let exported = stream.with(|stream| attesting::exported(stream.get_ref().1, "client", "fns", &[7; 32]));
    let documents =
        [attesting::question(), attesting::present(&caller, &exported)].map(|document| document.to_string());
    let all = [documents[0].as_bytes(), documents[1].as_bytes(), REQUEST];
    let pipelined = all.map(|body| [&(body.len() as u64).to_be_bytes(), body].concat()).concat();
    stream.write_all(&pipelined).await.expect("sent");
    stream.flush().await.expect("sent");
    assert_eq!(soon(wire::receive(&mut stream)).await.expect("an answer")["type"], "Attest");
    for _ in 0..2 {
        assert_eq!(code(&soon(wire::receive(&mut stream)).await.expect("an answer")), "unauthenticated");
    }
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

/// Evidence that answers no question, on either plane and in every protocol.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_nobody_asked_for_opens_nothing() {
    for (scene, open_port) in [(Scene::set::<ServicePort>().await, false), (Scene::set::<UserPort>().await, true)] {
        for protocol in Protocol::ALL {
            let (mut channel, stream) = scene.open(protocol).await;
            let exported = stream.with(|stream| attesting::exported(stream.get_ref().1, "client", "fns", &[7; 32]));
            let evidence = attesting::present(&scene.caller(), &exported).to_string();
            let answer = soon(channel.send_to(ATTESTATION, &evidence)).await.expect("an answer");
            assert_eq!(code(&answer.json()), "precondition_failed", "{protocol:?}");
            let answer = soon(channel.send(text())).await.expect("an answer");
            assert_eq!(code(&answer.json()) == "not_found", open_port, "{protocol:?}");
        }
        assert_eq!(scene.stand.heard(), if open_port { Protocol::ALL.len() } else { 0 });
        scene.stand.stop().await;
    }
}

/// Requests in disguise: on the path of attestation, or as documents that could be read as either.
#[tokio::test(flavor = "multi_thread")]
async fn requests_disguised_as_attestation_reach_no_service() {
    let scene = Scene::set::<ServicePort>().await;
    let nonce = attesting::question()["nonce"].clone();
    let disguised = [
        text().to_owned(),
        json!({ "type": "Get", "key_id": "\"Attest\"" }).to_string(),
        json!({ "type": "Attest", "nonce": nonce, "key_id": "none" }).to_string(),
        format!(r#"{{"type":"Attest","type":"Get","nonce":{nonce},"key_id":"none"}}"#),
        format!(r#"{{"type":"Get","type":"Attest","nonce":{nonce},"key_id":"none"}}"#),
        format!("[{},{}]", attesting::question(), text()),
        format!("{}{}", attesting::question(), text()),
    ];
    for document in &disguised {
        for (protocol, path) in [
            (Protocol::Framed, "/"),
            (Protocol::Http1, "/"),
            (Protocol::Http1, ATTESTATION),
            (Protocol::Http2, ATTESTATION),
        ] {
            let (mut channel, _) = scene.open(protocol).await;
            let answer = soon(channel.send_to(path, document)).await.expect("an answer");
            assert_eq!(answer.json()["type"], "Error", "{protocol:?} {path} {document}: {}", answer.text);
        }
    }
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

/// One connection's attestation is that connection's: another one of the same caller, at the same time, has its own.
#[tokio::test(flavor = "multi_thread")]
async fn an_attested_connection_opens_no_other() {
    let scene = Scene::set::<ServicePort>().await;
    let mut attested = scene.attested().await;
    assert_eq!(request(&mut attested).await, "not_found");
    let mut other = scene.connect(&[]).await;
    ask(&mut other, &attesting::question()).await;
    assert_eq!(request(&mut other).await, "unauthenticated");
    assert_eq!(request(&mut attested).await, "not_found");
    assert_eq!(scene.stand.heard(), 2);
    scene.stand.stop().await;
}
