//! The client's half: asks for the session's evidence before anything else, and gives its own where that is asked.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use attest::Verified;
use attest::certificate::PeerIdentity;
use attest::claims::Claims;
use attest::evidence::Evidence;
use attest::refusal::Refusal;
use attest::session::{Binding, Side, exporter_context};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use types::bytes::{Base64, Nonce};
use types::error::ErrorReply;
use types::time::UnixMillis;
use types::wire::attestation::{Attest, Attested, Present, Request, Response};

use crate::attestation::{Asker, make_evidence};
use crate::enrolment::CLOCK_SKEW;
use crate::frame;
use crate::stream::Exporter;
use crate::tls::{Identity, refused_session};
use crate::trust::Trust;

/// The longest answer about attestation.
const ANSWER_BYTES: usize = 128 << 10;

/// One connection's attestation, on the side that opened it.
pub(crate) struct Challenger {
    exporter: Box<dyn Exporter>,
    leaf: Vec<u8>,
    peer: Arc<Verified<PeerIdentity>>,
    own: Option<Arc<Identity>>,
    trust: Arc<Trust>,
}

/// What a connection's two layers showed.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The certificate (DER).
    pub leaf: Vec<u8>,
    /// Whom the certificate names, and what its evidence says.
    pub certificate: Arc<Verified<PeerIdentity>>,
    /// What the session's evidence says.
    pub session: Verified<Claims>,
    /// The session's evidence.
    pub evidence: Evidence,
    /// What that evidence is bound to.
    pub report_data: attest::evidence::ReportData,
}

impl Challenger {
    pub(crate) fn new(
        exporter: Box<dyn Exporter>,
        (leaf, peer): (Vec<u8>, Arc<Verified<PeerIdentity>>),
        own: Option<Arc<Identity>>,
        trust: Arc<Trust>,
    ) -> Self {
        Challenger { exporter, leaf, peer, own, trust }
    }

    /// Whom the certificate names.
    pub(crate) fn peer(&self) -> &Arc<Verified<PeerIdentity>> {
        &self.peer
    }

    /// How long this connection is good for by the dates of both sides' certificates.
    ///
    /// The last part of that time is left out, as much as clocks may differ: a server whose clock is ahead would refuse
    /// what is sent then.
    pub(crate) fn lifetime(&self, now: UnixMillis) -> Duration {
        let own = self.own.as_ref().map_or(UnixMillis(u64::MAX), |own| own.validity.not_after);
        let end = self.peer.validity.not_after.min(own);
        let left = Duration::from_millis(end.0.saturating_sub(now.0));
        left - CLOCK_SKEW.min(left / 4)
    }

    /// Has the session attested over frames.
    ///
    /// # Errors
    /// When either side refuses the other's evidence, or the connection breaks.
    pub(crate) async fn challenge(&self, io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Proof> {
        let (nonce, question) = self.question();
        let attested = attested(&exchange(io, &question).await?)?;
        let Some(own) = self.own_evidence(&attested).await? else {
            return self.appraise(nonce, &attested).map_err(refused_session);
        };
        // While the server appraises this side, this side appraises the server.
        frame::write(io, &own).await?;
        let proof = self.appraise(nonce, &attested).map_err(refused_session)?;
        self.check_accepted(&frame::read(io, &mut BytesMut::new(), ANSWER_BYTES).await?)?;
        Ok(proof)
    }

    /// A fresh nonce, and the document that asks for evidence bound to it.
    pub(crate) fn question(&self) -> (Nonce, Vec<u8>) {
        let nonce = Nonce(crypto::random::bytes());
        (nonce, write(&Attest { nonce }.into()))
    }

    /// Appraises the answer; returns also what is to be sent next, where the server asks for evidence as well.
    pub(crate) async fn check(&self, nonce: Nonce, answer: &[u8]) -> io::Result<(Proof, Option<Vec<u8>>)> {
        let attested = attested(answer)?;
        let proof = self.appraise(nonce, &attested).map_err(refused_session)?;
        Ok((proof, self.own_evidence(&attested).await?))
    }

    /// This side's evidence, where the server asks for it.
    async fn own_evidence(&self, attested: &Attested) -> io::Result<Option<Vec<u8>>> {
        match (attested.nonce, &self.own) {
            (Some(nonce), Some(own)) => Ok(Some(self.present(nonce, own).await?)),
            _ => Ok(None),
        }
    }

    /// Reads the server's word that it accepts this side's evidence.
    pub(crate) fn check_accepted(&self, answer: &[u8]) -> io::Result<()> {
        match read(answer)? {
            Response::Present(_) => Ok(()),
            Response::Attest(_) => Err(out_of_turn()),
        }
    }

    /// The answer's role and deployment are for people; what counts is the certificate's.
    fn appraise(&self, Nonce(nonce): Nonce, attested: &Attested) -> Result<Proof, Refusal> {
        let PeerIdentity { deployment, role, spki, .. } = &**self.peer;
        let exported = self.exporter.export(Side::Server.exporter_label(), &exporter_context(*role, &nonce));
        let exported = exported.map_err(|_| Refusal::SessionNotAttested)?;
        let binding = Binding { side: Side::Server, role: *role, deployment, spki, exported: &exported };
        let evidence = Evidence::decode(&attested.evidence.0)?;
        let session = self.trust.appraise_session(&evidence, &binding, &self.peer, UnixMillis::now())?;
        Ok(Proof {
            leaf: self.leaf.clone(),
            certificate: self.peer.clone(),
            session,
            evidence,
            report_data: binding.report_data(),
        })
    }

    async fn present(&self, Nonce(nonce): Nonce, own: &Identity) -> io::Result<Vec<u8>> {
        let Identity { role, deployment, attester, spki, .. } = own;
        let exported = self.exporter.export(Side::Client.exporter_label(), &exporter_context(*role, &nonce))?;
        let binding = Binding { side: Side::Client, role: *role, deployment, spki, exported: &exported };
        let evidence = make_evidence(attester, binding.report_data(), Asker::Service).await?;
        Ok(write(&Present { evidence: Base64(evidence.encode()) }.into()))
    }
}

fn attested(answer: &[u8]) -> io::Result<Attested> {
    match read(answer)? {
        Response::Attest(attested) => Ok(attested),
        Response::Present(_) => Err(out_of_turn()),
    }
}

async fn exchange(io: &mut (impl AsyncRead + AsyncWrite + Unpin), question: &[u8]) -> io::Result<Bytes> {
    frame::write(io, question).await?;
    frame::read(io, &mut BytesMut::new(), ANSWER_BYTES).await
}

fn write(request: &Request) -> Vec<u8> {
    serde_json::to_vec(request).expect("names and base64 are JSON")
}

fn read(answer: &[u8]) -> io::Result<Response> {
    serde_json::from_slice(answer).map_err(|_| match serde_json::from_slice::<ErrorReply>(answer) {
        Ok(error) => io::Error::new(io::ErrorKind::PermissionDenied, error.message),
        Err(_) => out_of_turn(),
    })
}

fn out_of_turn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the peer does not attest its sessions")
}
