//! Evidence is expensive: how much of it one connection can have made or appraised, and what it may look like.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testkit::Protocol;
use testkit::attesting;
use testkit::channel::ATTESTATION;
use testkit::stand::{ServicePort, UserPort};

use crate::scene::{Scene, ask, code, request, soon};

/// Questions and evidence that one connection may send in a minute.
const PER_MINUTE: usize = 16;

/// The seventeenth question is told when to come back; the connection serves its requests, and others theirs.
#[tokio::test(flavor = "multi_thread")]
async fn one_connection_has_evidence_made_sixteen_times_a_minute() {
    for scene in [Scene::set::<UserPort>().await, Scene::set::<ServicePort>().await] {
        let mut stream = scene.attested().await;
        let so_far = if scene.api.callers().roles().is_empty() { 1 } else { 2 };
        for _ in so_far..PER_MINUTE {
            assert_eq!(ask(&mut stream, &attesting::question()).await["type"], "Attest");
        }
        for _ in 0..3 {
            let answer = ask(&mut stream, &attesting::question()).await;
            assert_eq!((&*code(&answer), &answer["retry_after_ms"]), ("resource_exhausted", &json!(60_000)));
        }
        assert_eq!(request(&mut stream).await, "not_found");
        let mut other = scene.attested().await;
        assert_eq!(request(&mut other).await, "not_found");
        scene.stand.stop().await;
    }
}

/// Wrong evidence counts as well, and HTTP says it in a status.
#[tokio::test(flavor = "multi_thread")]
async fn one_connection_has_evidence_appraised_sixteen_times_a_minute() {
    let scene = Scene::set::<ServicePort>().await;
    let wrong = json!({ "type": "Present", "evidence": "" }).to_string();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (mut channel, _) = scene.open(protocol).await;
        for number in 0..PER_MINUTE + 3 {
            let answer = soon(channel.send_to(ATTESTATION, &wrong)).await.expect("an answer");
            assert_eq!(answer.status == Some(429), number >= PER_MINUTE, "{number}: {}", answer.text);
        }
    }
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

fn present(evidence: &[u8]) -> Value {
    json!({ "type": "Present", "evidence": STANDARD.encode(evidence) })
}

/// What is malformed, and the code of its answer. Each is sent in answer to the service's question.
fn malformed() -> Vec<(Value, &'static str)> {
    let nonce = |bytes: usize| json!({ "type": "Attest", "nonce": STANDARD.encode(vec![7; bytes]) });
    let at_the_limit = vec![0x82; attest::evidence::MAX_EVIDENCE_BYTES];
    let padded = format!("{}{}", STANDARD.encode([7; 32]), " ".repeat(100 << 10));
    vec![
        (json!({ "type": "Attest" }), "invalid_request"),
        (nonce(0), "invalid_request"),
        (nonce(31), "invalid_request"),
        (nonce(33), "invalid_request"),
        (nonce(60 << 10), "invalid_request"),
        (json!({ "type": "Attest", "nonce": 7 }), "invalid_request"),
        (json!({ "type": "Attest", "nonce": "?" }), "invalid_request"),
        (json!({ "type": "Attest", "nonce": STANDARD.encode([7; 32]), "role": "kms" }), "invalid_request"),
        (json!({ "type": "Present" }), "invalid_request"),
        (json!({ "type": "Present", "evidence": [1, 2, 3] }), "invalid_request"),
        (json!({ "type": "Present", "evidence": "====" }), "invalid_request"),
        (present(b""), "unauthenticated"),
        (present(b"\x82"), "unauthenticated"),
        (present(b"no evidence at all"), "unauthenticated"),
        (present(&at_the_limit), "unauthenticated"),
        (present(&[&at_the_limit[..], &[0]].concat()), "unauthenticated"),
        // Too long to be about attestation: for the service, which nobody reaches before layer two.
        (present(&at_the_limit.repeat(3)), "unauthenticated"),
        (json!({ "type": "Attest", "nonce": padded }), "unauthenticated"),
    ]
}

/// Malformed documents get their error, open nothing, and break nothing: the next connection is served.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_oversized_attestation_opens_nothing() {
    let scene = Scene::set::<ServicePort>().await;
    for (document, expected) in malformed() {
        let mut stream = scene.connect(&[]).await;
        ask(&mut stream, &attesting::question()).await;
        let answer = ask(&mut stream, &document).await;
        let short: String = document.to_string().chars().take(80).collect();
        assert_eq!(code(&answer), expected, "{short}: {answer}");
        assert!(answer.to_string().len() < 2048, "{short}: the answer does not repeat it");
    }
    assert_eq!(scene.stand.heard(), 0);
    let mut stream = scene.attested().await;
    assert_eq!(request(&mut stream).await, "not_found");
    scene.stand.stop().await;
}

/// Evidence with any byte changed, or any part missing, opens nothing either.
#[tokio::test(flavor = "multi_thread")]
async fn changed_evidence_opens_nothing() {
    let scene = Scene::set::<ServicePort>().await;
    let mut changes = 0..;
    loop {
        let mut stream = scene.connect(&[]).await;
        let attested = ask(&mut stream, &attesting::question()).await;
        let good = attesting::answer(&stream, &scene.caller(), &attested).expect("asked back");
        let mut evidence = STANDARD.decode(good["evidence"].as_str().expect("text")).expect("base64");
        // Every fifth byte is enough for a connection each; `attest` has a test with all of them.
        let at = changes.next().expect("endless") * 5;
        if at >= evidence.len() {
            break;
        }
        evidence[at] ^= 1;
        assert_eq!(code(&ask(&mut stream, &present(&evidence)).await), "unauthenticated", "byte {at}");
        assert_eq!(request(&mut stream).await, "unauthenticated", "byte {at}");
    }
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}
