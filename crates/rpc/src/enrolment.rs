//! Enrolment: how a service gets, and renews, the certificate that makes it one of the deployment's.
//!
//! ```text
//! service                                                        kms, enrolment port
//! fresh key, evidence for it, certificate signed by that key ──▶ appraises the certificate's evidence
//! appraises the kms                                          ◀─▶ both attest the session
//! Enrol { names, evidence }                                  ──▶ names the key that attested, nothing else
//! checks that the CA it is given named the kms               ◀── certificate, CA, the role's sealing key
//! ```
//!
//! What the kms believes about a service is what its evidence says; the certificate adds that it is this deployment's.
//! The first enrolment takes over the CA's certificate, every later one insists on it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attest::attester::{AttestError, Attester};
use attest::authority::{AuthorityError, CertificateAuthority, LeafRequest, provisional};
use attest::certificate::{public_key, validity};
use attest::extension::attest_key;
use attest::leaf::{LeafKey, LeafPublicKey};
use attest::platform::{Platform, TrustLevel};
use attest::refusal::Refusal;
use attest::validity::Validity;
use crypto::SealingKey;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use types::bytes::Base64;
use types::service::{Api, Role};
use types::time::UnixMillis;
use types::wire::enrolment::{Enrol, Enrolled, Replicate, Replicated, Request, Response};

use crate::client::{CallError, parse};
use crate::protocol::Enrolment;
use crate::tls::{Connector, Credentials, Identity, TlsError, check_issuer, refusal};
use crate::trust::Trust;

/// How long a service's certificate holds unless the kms is told otherwise: a day. It is renewed at half of what is left.
pub(crate) const LEAF_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Clocks of machines that talk may differ by this much.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// How long a service waits before it asks again a kms that does not answer.
const RETRY: Duration = Duration::from_millis(250);

/// How long a service waits for the collateral that the kms's evidence needs, if somebody fetches it.
const COLLATERAL_PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer: a certificate with its evidence, a CA's, and a key, in base64.
const ANSWER_BYTES: usize = 256 << 10;

/// Nobody renews more often.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// How long a failed renewal waits for the next attempt.
const RENEW_RETRY: Duration = Duration::from_secs(60);

/// The kms of this process, for the services beside it and for those that ask from elsewhere.
pub trait Registrar: Send + Sync {
    /// The CA's certificate (DER).
    fn ca(&self) -> &[u8];

    /// A certificate (DER) for a role and the key that its evidence vouches for.
    ///
    /// # Errors
    /// When evidence and key do not belong together, or a name can't be in a certificate.
    fn issue(
        &self,
        role: Role,
        public_key: &LeafPublicKey,
        enrol: &Enrol,
        now: UnixMillis,
    ) -> Result<Vec<u8>, AuthorityError>;

    /// A role's key for data at rest: the same at every call.
    fn sealing_key(&self, role: Role) -> SealingKey;
}

/// Why a service did not become one of the deployment's.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The platform makes no evidence.
    #[error("evidence")]
    Attest(#[from] AttestError),
    /// It did not even refuse.
    #[error("the platform's attester crashed")]
    Crashed,
    /// A certificate can't be made.
    #[error("certificate")]
    Authority(#[from] AuthorityError),
    /// A certificate can't be used.
    #[error("TLS")]
    Tls(#[from] TlsError),
    /// The kms refuses, or can't be asked.
    #[error("the kms gives no certificate")]
    Kms(#[from] CallError),
    /// What the kms answered is no certificate of its own CA, or no key.
    #[error("the kms's answer is not one that a kms of this deployment gives: {0}")]
    Answer(&'static str),
    /// The kms's CA is not the one that is known, or that the manifest names.
    #[error("the kms's CA is another one than this deployment's")]
    OtherAuthority,
    /// The kms can't be reached.
    #[error("the kms's enrolment port {target}")]
    Unreachable {
        /// Where.
        target: String,
        /// Why.
        source: io::Error,
    },
}

/// One service that is, or wants to be, one of the deployment's.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) attester: Arc<dyn Attester>,
    pub(crate) names: Vec<String>,
    pub(crate) trust: Arc<Trust>,
}

/// What enrolment brings.
pub(crate) struct Membership {
    pub(crate) identity: Identity,
    pub(crate) ca: CertificateDer<'static>,
    pub(crate) sealing_key: SealingKey,
}

/// Where certificates come from.
#[derive(Clone)]
pub(crate) enum Source {
    /// The kms of this process.
    Here(Arc<dyn Registrar>),
    /// The kms of another process.
    At(KmsAddress),
}

/// Where a kms is asked for certificates: by name, or by what it wrote into a data directory that is shared.
#[derive(Clone, Debug)]
pub(crate) struct KmsAddress {
    pub(crate) named: Option<String>,
    pub(crate) file: PathBuf,
}

impl KmsAddress {
    fn find(&self) -> Result<String, EnrolError> {
        match &self.named {
            Some(named) => Ok(named.clone()),
            None => fs::read_to_string(&self.file)
                .map(|address| address.trim().to_owned())
                .map_err(|source| EnrolError::Unreachable { target: self.file.display().to_string(), source }),
        }
    }
}

impl Member {
    /// Gets a first certificate, as soon as there is a kms that gives it.
    ///
    /// # Errors
    /// When the kms, or the platform, refuses; not while the kms can't be reached.
    pub(crate) async fn enrol(&self, source: &Source) -> Result<Membership, EnrolError> {
        let (mut told, started) = (false, Instant::now());
        loop {
            match self.enrol_once(source).await {
                Err(EnrolError::Unreachable { target, source }) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(role = %self.role, target, error = %source, "waiting for the kms");
                    }
                    tokio::time::sleep(RETRY).await;
                }
                Err(error)
                    if wants_collateral(self.attester.platform(), &error)
                        && started.elapsed() < COLLATERAL_PATIENCE =>
                {
                    tokio::time::sleep(RETRY).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Keeps credentials fresh for ever.
    pub(crate) async fn renew(self, source: Source, credentials: Credentials) {
        let mut wait = half_of_life(&credentials);
        loop {
            tokio::time::sleep(wait).await;
            match self.enrol_once(&source).await {
                Ok(membership) => {
                    credentials.replace(membership.identity);
                    wait = half_of_life(&credentials);
                }
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    tracing::error!(role = %self.role, error = format!("{error:#}"), "certificate can't be renewed");
                    wait = RENEW_RETRY;
                }
            }
        }
    }

    /// A fresh key, and evidence for it.
    async fn fresh_key(&self) -> Result<(LeafKey, Vec<u8>), EnrolError> {
        let (attester, key) = (self.attester.clone(), LeafKey::generate());
        let public_key = key.public();
        let evidence =
            tokio::task::spawn_blocking(move || attest_key(&*attester, public_key.spki(), before(UnixMillis::now())));
        Ok((key, evidence.await.map_err(|_| EnrolError::Crashed)??))
    }

    async fn enrol_once(&self, source: &Source) -> Result<Membership, EnrolError> {
        let (key, evidence) = self.fresh_key().await?;
        match source {
            Source::Here(registrar) => self.enrol_here(&**registrar, &key, evidence),
            Source::At(kms) => self.enrol_at(&kms.find()?, &key, evidence).await,
        }
    }

    fn enrol_here(
        &self,
        registrar: &dyn Registrar,
        key: &LeafKey,
        evidence: Vec<u8>,
    ) -> Result<Membership, EnrolError> {
        let enrol = Enrol { names: self.names.clone(), evidence: Base64(evidence) };
        let certificate = registrar.issue(self.role, &key.public(), &enrol, UnixMillis::now())?;
        Ok(Membership {
            identity: self.identity(certificate, key)?,
            ca: CertificateDer::from(registrar.ca().to_vec()),
            sealing_key: registrar.sealing_key(self.role),
        })
    }

    /// Asks the kms something over a connection on which this service vouches for itself with this key.
    async fn ask(
        &self,
        target: &str,
        (key, evidence): (&LeafKey, &[u8]),
        request: Request,
    ) -> Result<(CertificateDer<'static>, Response), EnrolError> {
        let own = self.identity(self.provisional(key, evidence)?, key)?;
        let connector = Connector::new(Api::Enrolment, Some(Credentials::new(own)), self.trust.clone());
        let failed = |source| failure(target, source);
        let (mut connected, _) = connector.connect(target).await.map_err(failed)?;
        let kms = connected.certificate().ok_or(EnrolError::Answer("it showed no certificate"))?;
        let request = serde_json::to_vec(&request).expect("names and base64 are JSON");
        let answer = connected.exchange(&request, ANSWER_BYTES).await.map_err(failed)?;
        Ok((kms, parse::<Enrolment>(&answer)?))
    }

    async fn enrol_at(&self, target: &str, key: &LeafKey, evidence: Vec<u8>) -> Result<Membership, EnrolError> {
        let enrol = Enrol { names: self.names.clone(), evidence: Base64(evidence.clone()) };
        let (kms, answer) = self.ask(target, (key, &evidence), enrol.into()).await?;
        let Response::Enrol(Enrolled { certificate, ca, sealing_key }) = answer else { return Err(OTHER_ANSWER) };
        let ca = CertificateDer::from(ca.0);
        check_issuer(&kms, &ca).map_err(|_| EnrolError::Answer("its CA did not name the kms itself"))?;
        check_issuer(&CertificateDer::from(&certificate.0[..]), &ca)
            .map_err(|_| EnrolError::Answer("the certificate is not its CA's"))?;
        if public_key(&certificate.0).ok().as_deref() != Some(key.public().spki()) {
            return Err(EnrolError::Answer("the certificate is for another key"));
        }
        let sealing_key =
            sealing_key.expose().try_into().map_err(|_| EnrolError::Answer("the sealing key has not 32 bytes"))?;
        Ok(Membership {
            identity: self.identity(certificate.0, key)?,
            ca,
            sealing_key: SealingKey::from_bytes(sealing_key),
        })
    }

    fn identity(&self, certificate: Vec<u8>, key: &LeafKey) -> Result<Identity, TlsError> {
        let whom = (self.role, self.trust.deployment.clone());
        Identity::new(whom, certificate, &key.danger_to_pkcs8(), self.attester.clone())
    }

    fn provisional(&self, key: &LeafKey, evidence: &[u8]) -> Result<Vec<u8>, AuthorityError> {
        let now = UnixMillis::now();
        let request = LeafRequest {
            role: self.role,
            public_key: &key.public(),
            dns_names: &[],
            ip_addresses: &[],
            evidence,
            validity: Validity { not_before: before(now), not_after: now.plus(CLOCK_SKEW * 2) },
        };
        provisional(&request, &self.trust.deployment, key)
    }
}

/// Another kms of the deployment, as a kms that wants to be its replica sees it.
pub struct Replica {
    pub(crate) member: Member,
    pub(crate) target: String,
}

impl Replica {
    /// Where it is: `host:port` of its enrolment port.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What every kms of the deployment has in common.
    ///
    /// # Errors
    /// When it can't be reached, or either side does not believe the other.
    pub async fn replicate(&self) -> Result<Replicated, EnrolError> {
        let (key, evidence) = self.member.fresh_key().await?;
        match self.member.ask(&self.target, (&key, &evidence), Replicate {}.into()).await? {
            (kms, Response::Replicate(replicated)) => {
                self.check_authority(&kms, &replicated.ca)?;
                Ok(replicated)
            }
            _ => Err(OTHER_ANSWER),
        }
    }
}

impl Replica {
    /// The CA that comes with the root must have named the kms that gives it, and be the one that is known.
    fn check_authority(&self, kms: &CertificateDer<'_>, ca: &str) -> Result<(), EnrolError> {
        let ca = CertificateDer::from_pem_slice(ca.as_bytes()).map_err(|_| EnrolError::Answer("its CA is none"))?;
        check_issuer(kms, &ca).map_err(|_| EnrolError::Answer("its CA did not name the kms itself"))?;
        if self.member.trust.accepts_ca(&ca) { Ok(()) } else { Err(EnrolError::OtherAuthority) }
    }
}

const OTHER_ANSWER: EnrolError = EnrolError::Answer("it answers something else");

/// A kms that can't be reached may be reached soon; one that refuses, or is refused, is a matter for people.
fn failure(target: &str, source: io::Error) -> EnrolError {
    let target = target.to_owned();
    match is_passing(&source) {
        true => EnrolError::Unreachable { target, source },
        false => CallError::Unreachable { api: Api::Enrolment, target, source }.into(),
    }
}

/// Whether one side was refused for want of collateral, which is being looked for since. What the kms refuses in the
/// handshake it does not name: of a service on a platform whose maker issues collateral, it may be that.
fn wants_collateral(own: Platform, error: &EnrolError) -> bool {
    let EnrolError::Kms(CallError::Unreachable { source, .. }) = error else { return false };
    let refused_here = matches!(refusal(source), Some(Refusal::CollateralMissing { .. }));
    refused_here || own.level() == TrustLevel::Confidential && is_alert(source)
}

/// Whether the other side ended the handshake by saying no.
fn is_alert(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(tls, Some(rustls::Error::AlertReceived(_)))
}

/// How long until a certificate is to be renewed.
fn half_of_life(credentials: &Credentials) -> Duration {
    let end = validity(credentials.current().certificate()).map_or(UnixMillis(0), |validity| validity.not_after);
    Duration::from_millis(end.0.saturating_sub(UnixMillis::now().0) / 2).max(SHORTEST_WAIT)
}

/// Whether a kms that is not there yet may be there soon.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    matches!(
        error.kind(),
        ConnectionRefused
            | ConnectionReset
            | ConnectionAborted
            | HostUnreachable
            | NetworkUnreachable
            | io::ErrorKind::TimedOut
    )
}

/// A certificate (DER) for a service, good for so long and for these names.
///
/// # Errors
/// When evidence and key do not belong together, or a name can't be in a certificate.
pub fn issue(
    authority: &CertificateAuthority,
    role: Role,
    public_key: &LeafPublicKey,
    enrol: &Enrol,
    (now, lifetime): (UnixMillis, Duration),
) -> Result<Vec<u8>, AuthorityError> {
    let (ip_addresses, dns_names) = split_names(&enrol.names);
    authority.issue(&LeafRequest {
        role,
        public_key,
        dns_names: &dns_names,
        ip_addresses: &ip_addresses,
        evidence: &enrol.evidence.0,
        validity: Validity { not_before: before(now), not_after: now.plus(lifetime) },
    })
}

/// An instant that is in the past on every clock of the deployment.
pub(crate) fn before(now: UnixMillis) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(CLOCK_SKEW.as_millis() as u64))
}

fn split_names(names: &[String]) -> (Vec<IpAddr>, Vec<String>) {
    let (mut addresses, mut dns) = (Vec::new(), Vec::new());
    for name in names {
        match name.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => dns.push(name.clone()),
        }
    }
    (addresses, dns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::refused_for_tests;

    /// Only what collateral may mend is tried again: a missing one here, or an unnamed refusal by a kms that needs some.
    #[test]
    fn a_refusal_is_tried_again_only_where_collateral_may_be_on_its_way() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateUnknown);
        let missing = || Refusal::CollateralMissing { platform: Platform::Tdx, kind: "00906ed50000".to_owned() };
        let refused = |source| failure("kms:6017", source);
        let invalid = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        for (own, source, again) in [
            (Platform::Simulated, refused_for_tests(missing()), true),
            (Platform::Simulated, refused_for_tests(Refusal::BadSignature), false),
            (Platform::Simulated, invalid(alert.clone()), false),
            (Platform::Tpm, invalid(alert.clone()), false),
            (Platform::Tdx, invalid(alert), true),
            (Platform::Tdx, invalid(rustls::Error::DecryptError), false),
            (Platform::Tdx, refused_for_tests(Refusal::BadSignature), false),
        ] {
            let shown = format!("{own}: {source:?}");
            assert_eq!(wants_collateral(own, &refused(source)), again, "{shown}");
        }
        assert!(!wants_collateral(Platform::Tdx, &EnrolError::OtherAuthority));
    }
}
