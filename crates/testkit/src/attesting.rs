//! The session's attestation as another client would write it: from the description, and not from our code.

use std::ops::Deref;

use attest::attester::Attester;
use attest::evidence::ReportData;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rpc::tls::Identity;
use rustls::{ConnectionCommon, SideData};
use serde_json::{Value, json};
use types::time::UnixMillis;

use crate::wire::{self, Stream};

/// The first document of a session: asks for the server's evidence, with a nonce that does not matter here.
pub fn question() -> Value {
    json!({ "type": "Attest", "nonce": STANDARD.encode([7; 32]) })
}

/// The second one: this side's evidence, for the nonce that a service port's answer brings.
pub fn answer(stream: &Stream, identity: &Identity, attested: &Value) -> Option<Value> {
    let nonce = STANDARD.decode(attested["nonce"].as_str()?).expect("base64");
    let exported = stream.with(|stream| exported(stream.get_ref().1, "client", identity.role.as_str(), &nonce));
    Some(present(identity, &exported))
}

/// What a connection exports for one side's role and a nonce.
pub fn exported<S: SideData, C>(connection: &C, side: &str, role: &str, nonce: &[u8]) -> [u8; 32]
where
    C: Deref<Target = ConnectionCommon<S>>,
{
    let label = format!("EXPORTER-teehouse-attestation-{side}-v1");
    let context = [role.as_bytes(), nonce].concat();
    connection.export_keying_material([0; 32], label.as_bytes(), Some(&context)).expect("after the handshake")
}

/// Evidence of a client that is bound to what a connection exported.
pub fn present(identity: &Identity, exported: &[u8; 32]) -> Value {
    json!({ "type": "Present", "evidence": evidence("client", identity, exported) })
}

/// A server's answer to a question, bound to what a connection exported.
pub fn attested(identity: &Identity, exported: &[u8; 32]) -> Value {
    json!({
        "type": "Attest",
        "role": identity.role,
        "deployment": identity.deployment.as_str(),
        "evidence": evidence("server", identity, exported),
    })
}

/// The nonce of a question.
pub fn nonce(question: &Value) -> Vec<u8> {
    STANDARD.decode(question["nonce"].as_str().expect("a nonce")).expect("base64")
}

/// What a session's evidence is bound to: each part for an attacker to change.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// `server` or `client`.
    pub side: &'a str,
    /// The attester's role.
    pub role: &'a str,
    /// The attester's deployment.
    pub deployment: &'a str,
    /// The public key of the attester's certificate.
    pub public_key: &'a [u8],
    /// What the connection exported.
    pub exported: &'a [u8; 32],
}

impl<'a> Bound<'a> {
    /// What is right for one end of a connection.
    pub fn to(side: &'a str, identity: &'a Identity, exported: &'a [u8; 32]) -> Self {
        let (role, deployment) = (identity.role.as_str(), identity.deployment.as_str());
        Bound { side, role, deployment, public_key: identity.public_key(), exported }
    }

    /// A platform's evidence that is bound to it, as it travels.
    pub fn evidence(&self, attester: &dyn Attester) -> String {
        let evidence = attester.attest(&self.report_data(), UnixMillis::now()).expect("these platforms answer");
        STANDARD.encode(evidence.encode())
    }

    fn report_data(&self) -> ReportData {
        let domain = format!("teehouse session attestation v1, {}", self.side);
        let parts: [&[u8]; 5] =
            [domain.as_bytes(), self.role.as_bytes(), self.deployment.as_bytes(), self.public_key, self.exported];
        let mut framed = Vec::new();
        for part in parts {
            framed.extend_from_slice(&(part.len() as u64).to_be_bytes());
            framed.extend_from_slice(part);
        }
        ReportData(crypto::hash::sha512(&framed))
    }
}

fn evidence(side: &str, identity: &Identity, exported: &[u8; 32]) -> String {
    Bound::to(side, identity, exported).evidence(&**identity.attester())
}

/// Attests a session over frames.
///
/// # Errors
/// When the connection ends, or the server refuses, with its words.
pub async fn attest(stream: &mut Stream, identity: &Identity) -> std::io::Result<()> {
    let attested = exchange(stream, &question()).await?;
    match answer(stream, identity, &attested) {
        Some(presented) => exchange(stream, &presented).await.map(|_| ()),
        None => Ok(()),
    }
}

async fn exchange(stream: &mut Stream, document: &Value) -> std::io::Result<Value> {
    wire::send(stream, document.to_string().as_bytes()).await?;
    check(wire::receive(stream).await?)
}

/// The document, unless it is an error.
///
/// # Errors
/// The error's words.
pub fn check(document: Value) -> std::io::Result<Value> {
    match document["type"].as_str() {
        Some("Error") => Err(std::io::Error::other(document["message"].to_string())),
        _ => Ok(document),
    }
}
