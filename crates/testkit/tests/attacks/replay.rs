//! Replay: what was said in an earlier session, or earlier in this one, said once more.

use std::sync::{Arc, Mutex};

use attest::certificate::bound_evidence;
use attest::refusal::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rpc::tls::Identity;
use serde_json::{Value, json};
use testkit::stand::{REQUEST, ServicePort, UserPort};
use testkit::{attesting, wire};

use crate::scene::{self, FalseServer, OTHER_SESSION, Scene, ask, check_refused, code, read, request, soon};

/// The thief recorded the service's answer in an earlier session and plays it to a new client, under the stolen key.
#[tokio::test(flavor = "multi_thread")]
async fn a_servers_answer_recorded_from_an_earlier_session_is_refused() {
    let scene = Scene::set::<UserPort>().await;
    let mut earlier = scene.connect(&[]).await;
    let recorded = ask(&mut earlier, &attesting::question()).await;
    let thief = FalseServer::start(&scene.service(), move |_, _| {
        let recorded = recorded.clone();
        async move { recorded }
    })
    .await;
    let error = soon(rpc::raw::call_framed(&scene.connector(), &thief.address, REQUEST)).await.expect_err("refused");
    assert_eq!(scene::reason(&error), Refusal::ReportDataDiffers);
    assert_eq!(thief.count(), 1, "no request follows");
    scene.stand.stop().await;
}

/// The same with evidence that a caller presented to the same service, and was accepted with, a moment ago.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_a_caller_presented_in_an_earlier_session_is_refused() {
    let scene = Scene::set::<ServicePort>().await;
    let mut earlier = scene.connect(&[]).await;
    let attested = ask(&mut earlier, &attesting::question()).await;
    let recorded = attesting::answer(&earlier, &scene.caller(), &attested).expect("service ports ask back");
    assert_eq!(ask(&mut earlier, &recorded).await["type"], "Present");

    let mut thief = scene.connect(&[]).await;
    ask(&mut thief, &attesting::question()).await;
    check_refused(&ask(&mut thief, &recorded).await, OTHER_SESSION);
    assert_eq!(request(&mut thief).await, "unauthenticated");
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

/// Evidence that lies open: the certificate carries the very platform's own, for the right key. It is for no session.
#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_of_a_certificate_is_refused_as_a_sessions() {
    let scene = Scene::set::<ServicePort>().await;
    let of_certificate = |papers: &Identity| {
        let bound = bound_evidence(papers.certificate()).expect("the house's own");
        STANDARD.encode(bound.evidence.encode())
    };
    let answer = json!({
        "type": "Attest", "role": "kms", "deployment": "house", "evidence": of_certificate(&scene.service()),
    });
    let thief = FalseServer::start(&scene.service(), move |_, _| {
        let answer = answer.clone();
        async move { answer }
    })
    .await;
    let error = soon(rpc::raw::call_framed(&scene.connector(), &thief.address, REQUEST)).await.expect_err("refused");
    assert_eq!((scene::reason(&error), thief.count()), (Refusal::ReportDataDiffers, 1));

    let mut thief = scene.connect(&[]).await;
    ask(&mut thief, &attesting::question()).await;
    let presented = json!({ "type": "Present", "evidence": of_certificate(&scene.caller()) });
    check_refused(&ask(&mut thief, &presented).await, OTHER_SESSION);
    assert_eq!(request(&mut thief).await, "unauthenticated");
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

/// A nonce is good once: evidence for it is refused when it comes again, even where it was good, and so is evidence for
/// one that a newer one has replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_is_good_once_and_the_latest_alone() {
    let scene = Scene::set::<ServicePort>().await;
    let mut stream = scene.connect(&[]).await;
    let first = ask(&mut stream, &attesting::question()).await;
    let second = ask(&mut stream, &attesting::question()).await;
    assert_ne!(first["nonce"], second["nonce"]);
    let answer = |attested: &Value| attesting::answer(&stream, &scene.caller(), attested).expect("asked back");
    let (of_first, of_second) = (answer(&first), answer(&second));
    check_refused(&ask(&mut stream, &of_first).await, OTHER_SESSION);
    // A wrong answer has used the nonce up.
    assert_eq!(code(&ask(&mut stream, &of_second).await), "precondition_failed");
    assert_eq!(request(&mut stream).await, "unauthenticated");

    let mut stream = scene.connect(&[]).await;
    let attested = ask(&mut stream, &attesting::question()).await;
    let good = attesting::answer(&stream, &scene.caller(), &attested).expect("asked back");
    assert_eq!(ask(&mut stream, &good).await["type"], "Present");
    assert_eq!(code(&ask(&mut stream, &good).await), "precondition_failed");
    assert_eq!(request(&mut stream).await, "not_found", "what was attested stays attested");
    scene.stand.stop().await;
}

/// A thief who can make a client ask for the same nonce twice could use an old answer: clients never do.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_sessions_have_the_same_nonces_on_either_side() {
    let scene = Scene::set::<ServicePort>().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = asked.clone();
    let listener = scene::serve(scene::server_config(&scene.service()), move |mut stream| {
        let record = record.clone();
        async move {
            let question = read(&mut stream).await?;
            record.lock().expect("no panic").push(question["nonce"].as_str().expect("text").to_owned());
            Ok(())
        }
    })
    .await;
    for _ in 0..4 {
        soon(scene.connector().attest(&listener)).await.expect_err("nobody answers");
        let mut stream = scene.connect(&[]).await;
        let attested = ask(&mut stream, &attesting::question()).await;
        asked.lock().expect("no panic").push(attested["nonce"].as_str().expect("text").to_owned());
    }
    let mut nonces = asked.lock().expect("no panic").clone();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 8);
    scene.stand.stop().await;
}

/// The thief's server asks a client that believes everything for the nonce of its own session with the service, so that
/// the client's evidence is fresh, and for the right nonce: it is for another connection all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_passed_on_to_another_session_is_refused() {
    let scene = Scene::set::<ServicePort>().await;
    let mut thief = scene.connect(&[]).await;
    let nonce = ask(&mut thief, &attesting::question()).await["nonce"].clone();
    let (given, mut taken) = tokio::sync::mpsc::channel(1);
    let server = scene::serve(scene::server_config(&scene.service()), move |mut stream| {
        let (nonce, given) = (nonce.clone(), given.clone());
        async move {
            read(&mut stream).await?;
            let answer =
                json!({ "type": "Attest", "role": "kms", "deployment": "house", "evidence": "", "nonce": nonce });
            scene::write(&mut stream, &answer).await?;
            given.send(read(&mut stream).await?).await.map_err(std::io::Error::other)
        }
    })
    .await;
    let key = Some(scene.caller().certified_key());
    let mut gullible = soon(wire::connect_as(server.parse().expect("an address"), &[], key)).await.expect("connected");
    let attested = ask(&mut gullible, &attesting::question()).await;
    let evidence = attesting::answer(&gullible, &scene.caller(), &attested).expect("it is asked");
    soon(wire::send(&mut gullible, evidence.to_string().as_bytes())).await.expect("sent");
    let presented = soon(taken.recv()).await.expect("the client's evidence");
    check_refused(&ask(&mut thief, &presented).await, OTHER_SESSION);
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}
