//! The server's half: answers who asks, and on the service plane lets nobody in before they answered as well.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use attest::Verified;
use attest::certificate::PeerIdentity;
use attest::evidence::Evidence;
use attest::refusal::Refusal;
use attest::session::{Binding, Side, exporter_context};
use types::bytes::{Base64, Nonce};
use types::error::ErrorCode;
use types::id::RequestId;
use types::time::UnixMillis;
use types::wire::attestation::{Attest, Attested, Present, Presented, Request, Response};
use types::wire::{DecodeError, Request as _};

use crate::attestation::{Asker, AttestFault, make_evidence};
use crate::reply::describe;
use crate::stream::Exporter;
use crate::tls::Identity;
use crate::trust::Trust;
use crate::{Fault, Peer, Reply};

/// The longest request that can be about attestation: evidence in base64, and what surrounds it.
const REQUEST_BYTES: usize = attest::evidence::MAX_EVIDENCE_BYTES / 3 * 4 + 1024;

/// How often one connection may have evidence made or appraised: hardware needs up to a second for it.
const PER_MINUTE: u32 = 16;
const MINUTE: Duration = Duration::from_secs(60);

/// How much longer than the client a server goes by a session's evidence: the client is to be the one who renews it.
const PATIENCE: u32 = 2;

/// One connection's attestation, on the side that accepted it.
pub(crate) struct Session {
    exporter: Box<dyn Exporter>,
    identity: Arc<Identity>,
    /// Who must attest this session, on the service plane.
    caller: Option<Arc<Verified<PeerIdentity>>>,
    trust: Arc<Trust>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the caller's evidence is to be bound to. Good once.
    asked: Option<Nonce>,
    /// When the caller last attested this session.
    attested: Option<Instant>,
    /// The minute that is counted, and how many requests it saw.
    minute: Option<(Instant, u32)>,
}

impl Session {
    pub(crate) fn new(exporter: Box<dyn Exporter>, identity: Arc<Identity>, peer: &Peer, trust: Arc<Trust>) -> Self {
        let caller = match peer {
            Peer::Service(caller) => Some(caller.clone()),
            Peer::Anyone | Peer::SameProcess(_) => None,
        };
        Session { exporter, identity, caller, trust, state: Mutex::default() }
    }

    /// Whether other requests are answered.
    ///
    /// # Errors
    /// On the service plane, when the caller did not attest this session, or too long ago, or its certificate's time
    /// is over.
    pub(crate) fn check(&self) -> Result<(), SessionFault> {
        let Some(caller) = &self.caller else { return Ok(()) };
        caller.validity.check("certificate", UnixMillis::now()).map_err(|_| SessionFault::CertificateOver)?;
        let attested = self.state.lock().unwrap_or_else(PoisonError::into_inner).attested;
        match attested {
            Some(attested) if attested.elapsed() <= self.trust.evidence_age.saturating_mul(PATIENCE) => Ok(()),
            Some(_) => Err(SessionFault::Stale),
            None => Err(SessionFault::NotAttested),
        }
    }

    /// Whether the caller still has to attest.
    pub(crate) fn is_open(&self) -> bool {
        self.check().is_ok()
    }

    /// The answer to a request that is about attestation; `None` for every other one.
    pub(crate) async fn answer(&self, body: &[u8]) -> Option<Reply> {
        let request = recognise(body)?;
        let request_id = RequestId::fresh();
        let answer = match request {
            Ok(request) => self.respond(request).await,
            Err(error) => Err(error.into()),
        };
        Some(match answer {
            Ok(response) => Reply::success(&response, &request_id),
            Err(fault) => Reply::failure(&describe(&fault, &request_id)),
        })
    }

    async fn respond(&self, request: Request) -> Result<Response, SessionFault> {
        self.count()?;
        match request {
            Request::Attest(Attest { nonce }) => self.attest(nonce).await.map(Response::Attest),
            Request::Present(present) => self.appraise(&present).map(|()| Response::Present(Presented {})),
        }
    }

    fn count(&self) -> Result<(), SessionFault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = state.minute.filter(|(since, _)| since.elapsed() < MINUTE).unwrap_or((Instant::now(), 0));
        state.minute = Some((since, count + 1));
        if count < PER_MINUTE { Ok(()) } else { Err(SessionFault::TooOften) }
    }

    async fn attest(&self, Nonce(nonce): Nonce) -> Result<Attested, SessionFault> {
        let Identity { role, deployment, attester, spki, .. } = &*self.identity;
        let exported = self.exporter.export(Side::Server.exporter_label(), &exporter_context(*role, &nonce))?;
        let binding = Binding { side: Side::Server, role: *role, deployment, spki, exported: &exported };
        let asker = if self.caller.is_some() { Asker::Service } else { Asker::Stranger };
        let evidence = make_evidence(attester, binding.report_data(), asker).await?;
        let asked = self.caller.as_ref().map(|_| Nonce(crypto::random::bytes()));
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked = asked;
        let deployment = deployment.as_str().to_owned();
        Ok(Attested { role: *role, deployment, evidence: Base64(evidence.encode()), nonce: asked })
    }

    fn appraise(&self, present: &Present) -> Result<(), SessionFault> {
        let caller = self.caller.as_ref().ok_or(SessionFault::NothingAsked)?;
        let asked = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = state.asked.take();
            // Whoever attests anew and fails is out.
            state.attested = state.attested.filter(|_| asked.is_none());
            asked
        };
        let Nonce(nonce) = asked.ok_or(SessionFault::NothingAsked)?;
        let exported = self.exporter.export(Side::Client.exporter_label(), &exporter_context(caller.role, &nonce))?;
        let PeerIdentity { deployment, role, spki, .. } = &***caller;
        let binding = Binding { side: Side::Client, role: *role, deployment, spki, exported: &exported };
        let evidence = Evidence::decode(&present.evidence.0)?;
        self.trust.appraise_session(&evidence, &binding, caller, UnixMillis::now())?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).attested = Some(Instant::now());
        Ok(())
    }
}

/// Reads a request that is about attestation. Every other one costs a search for two words in a short body.
fn recognise(body: &[u8]) -> Option<Result<Request, DecodeError>> {
    let names = |word: &[u8]| body.windows(word.len()).any(|window| window == word);
    if body.len() > REQUEST_BYTES || !(names(b"\"Attest\"") || names(b"\"Present\"")) {
        return None;
    }
    match Request::from_json(body) {
        Err(DecodeError::NotAnObject(_) | DecodeError::NoType | DecodeError::UnknownType { .. }) => None,
        request => Some(request),
    }
}

/// Why a session is not attested.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionFault {
    #[error("the session is not attested")]
    NotAttested,
    #[error("the session was attested too long ago")]
    Stale,
    #[error("the caller's certificate is not in date any more")]
    CertificateOver,
    #[error("evidence is asked for too often")]
    TooOften,
    #[error("evidence that nobody asked for")]
    NothingAsked,
    #[error("request is not decodable")]
    Decode(#[from] DecodeError),
    #[error("the caller's evidence is refused")]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Platform(#[from] AttestFault),
    #[error("keying material can't be exported")]
    Export(#[from] io::Error),
}

impl Fault for SessionFault {
    fn code(&self) -> ErrorCode {
        match self {
            SessionFault::NotAttested
            | SessionFault::Stale
            | SessionFault::CertificateOver
            | SessionFault::Refused(_) => ErrorCode::Unauthenticated,
            SessionFault::TooOften | SessionFault::Platform(AttestFault::Busy) => ErrorCode::ResourceExhausted,
            SessionFault::NothingAsked => ErrorCode::PreconditionFailed,
            SessionFault::Decode(_) => ErrorCode::InvalidRequest,
            SessionFault::Platform(_) => ErrorCode::Unavailable,
            SessionFault::Export(_) => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        match self {
            SessionFault::NotAttested => "attest this session first: Attest, then Present".to_owned(),
            SessionFault::Stale => "attest this session anew: Attest, then Present".to_owned(),
            SessionFault::CertificateOver => format!("{self}: connect anew"),
            SessionFault::NothingAsked => "evidence is presented in answer to an Attest's nonce, once".to_owned(),
            SessionFault::Decode(error) => error.to_string(),
            SessionFault::Refused(refusal) => format!("the session's evidence is refused: {refusal}"),
            other => other.to_string(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        matches!(self, SessionFault::TooOften).then_some(MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_attestations_own_requests_are_recognised() {
        let nonce = serde_json::to_string(&Nonce([0; 32])).expect("plain text");
        let attest = format!(r#"{{"type":"Attest","nonce":{nonce}}}"#);
        assert!(matches!(recognise(attest.as_bytes()), Some(Ok(Request::Attest(_)))));
        assert!(matches!(recognise(br#"{"type":"Attest"}"#), Some(Err(DecodeError::Field(_)))));
        assert!(matches!(recognise(br#"{"type":"Present","evidence":"?"}"#), Some(Err(DecodeError::Field(_)))));
        for other in ["", "\"Attest\"", "{\"Attest\":1}", r#"{"type":"Get","user_id":"Attest"}"#, r#"{"type":"Attest""#]
        {
            assert!(recognise(other.as_bytes()).is_none(), "{other}");
        }
        assert!(recognise(format!("{attest}{}", " ".repeat(REQUEST_BYTES)).as_bytes()).is_none());
    }
}
