//! The deployment's certificate authority: it says who is who.
//!
//! Its certificate is an ordinary trust anchor: a TLS client that knows nothing of evidence (`curl --cacert`) accepts
//! the leaves under it for the DNS names and addresses they carry. Keys are ECDSA P-256 throughout, which every TLS
//! client knows.

use std::net::IpAddr;

use crypto::BadKey;
use crypto::sign::P256KeyPair;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};
use types::service::Role;
use types::time::UnixMillis;
use x509_parser::time::ASN1Time;
use zeroize::Zeroizing;

use crate::certificate;
use crate::extension::{EVIDENCE_OID, check_key, decode_extension};
use crate::identity::{Deployment, Identity};
use crate::leaf::{LeafKey, LeafPublicKey};
use crate::pem::{self, BadPem};
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::validity::Validity;

const ORGANIZATION: &str = "Teehouse";
const CA_COMMON_NAME: &str = "Teehouse CA";

/// Random bytes of a serial number. RFC 5280 allows 20; CA/Browser Forum rules ask for at least 8.
const SERIAL_BYTES: usize = 16;

/// A deployment's CA with its private key.
pub struct CertificateAuthority {
    deployment: Deployment,
    certificate: Vec<u8>,
    issuer: Issuer<'static, CaKey>,
}

/// What a leaf certificate is to say.
#[derive(Clone, Copy, Debug)]
pub struct LeafRequest<'a> {
    /// The service's role in the CA's deployment.
    pub role: Role,
    /// The service's public key.
    pub public_key: &'a LeafPublicKey,
    /// DNS names under which ordinary TLS clients may reach it.
    pub dns_names: &'a [String],
    /// Addresses under which ordinary TLS clients may reach it.
    pub ip_addresses: &'a [IpAddr],
    /// The value of the evidence extension, made for `public_key` ([`crate::extension::attest_key`]).
    pub evidence: &'a [u8],
    /// When the certificate holds; X.509 keeps whole seconds.
    pub validity: Validity,
}

/// Why no certificate was made or read.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A name or a date that X.509 cannot carry, or the encoder failed.
    #[error("make the certificate")]
    Make(#[source] rcgen::Error),
    /// A date beyond the year 9999.
    #[error("date the certificate")]
    Date,
    /// The request's evidence is not about its public key, or is malformed.
    #[error("use the request's evidence")]
    Evidence(#[source] Refusal),
    /// A file is not the PEM block that it should be.
    #[error("read the CA's PEM")]
    Pem(#[from] BadPem),
    /// The key file holds no P-256 private key.
    #[error("read the CA's key")]
    Key(#[from] BadKey),
    /// The certificate is not that of a deployment's CA.
    #[error("read the CA's certificate")]
    NotOurs,
    /// The certificate is another key's.
    #[error("the CA's certificate and key do not belong together")]
    KeyDiffers,
}

impl CertificateAuthority {
    /// A fresh key and its self-signed certificate.
    ///
    /// # Errors
    /// [`AuthorityError::Date`] when a date is beyond the year 9999.
    pub fn generate(deployment: Deployment, validity: Validity) -> Result<Self, AuthorityError> {
        let key = CaKey::new(P256KeyPair::generate());
        let params = dated(ca_params(&deployment), validity)?;
        let certificate = params.self_signed(&key).map_err(AuthorityError::Make)?.der().to_vec();
        Ok(CertificateAuthority { deployment, certificate, issuer: Issuer::new(params, key) })
    }

    /// Reads back what [`Self::certificate_pem`] and [`Self::danger_key_pem`] wrote.
    ///
    /// # Errors
    /// [`AuthorityError`] names the part that is wrong.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        let certificate = pem::decode(pem::CERTIFICATE, certificate_pem)?.to_vec();
        let key = CaKey::new(P256KeyPair::from_pkcs8(&pem::decode(pem::PRIVATE_KEY, key_pem)?)?);
        let deployment = deployment_of(&certificate, &key)?;
        let issuer = Issuer::new(ca_params(&deployment), key);
        Ok(CertificateAuthority { deployment, certificate, issuer })
    }

    /// The deployment whose services it names.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Its certificate (DER): the trust anchor.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// Its certificate as PEM, for `trust/ca.pem`.
    pub fn certificate_pem(&self) -> String {
        pem::encode(pem::CERTIFICATE, &self.certificate).to_string()
    }

    /// Its private key as PEM (PKCS#8, unencrypted), to be kept where only the kms reads. Whoever has it can be any
    /// service of the deployment.
    pub fn danger_key_pem(&self) -> Zeroizing<String> {
        pem::encode(pem::PRIVATE_KEY, &self.issuer.key().pair.to_pkcs8())
    }

    /// A leaf certificate (DER) for a service: TLS server and client, not a CA, with a random serial number.
    ///
    /// Whether the service deserves it is the caller's decision; here only that evidence and key belong together is
    /// checked, and the platform's name is written into the subject, where people see it.
    ///
    /// # Errors
    /// [`AuthorityError::Evidence`] when they do not; [`AuthorityError::Make`] and [`AuthorityError::Date`] for names
    /// and dates that X.509 cannot carry.
    pub fn issue(&self, request: &LeafRequest<'_>) -> Result<Vec<u8>, AuthorityError> {
        let params = requested(request, &self.deployment)?;
        let leaf = params.signed_by(request.public_key, &self.issuer).map_err(AuthorityError::Make)?;
        Ok(leaf.der().to_vec())
    }
}

/// A leaf certificate (DER) that a service makes itself, to enrol with: its own key vouches for it, and the evidence in
/// it for the key.
///
/// # Errors
/// As [`CertificateAuthority::issue`].
pub fn provisional(
    request: &LeafRequest<'_>,
    deployment: &Deployment,
    key: &LeafKey,
) -> Result<Vec<u8>, AuthorityError> {
    let certificate = requested(request, deployment)?.self_signed(key).map_err(AuthorityError::Make)?;
    Ok(certificate.der().to_vec())
}

fn requested(request: &LeafRequest<'_>, deployment: &Deployment) -> Result<CertificateParams, AuthorityError> {
    let platform = bound_platform(request).map_err(AuthorityError::Evidence)?;
    let identity = Identity { deployment: deployment.clone(), role: request.role };
    let mut params = dated(leaf_params(), request.validity)?;
    params.distinguished_name = leaf_name(request.role, platform);
    params.subject_alt_names = alternative_names(request, &identity)?;
    params.custom_extensions = vec![evidence_extension(request.evidence)];
    Ok(params)
}

/// A certificate (DER) as PEM.
pub fn certificate_to_pem(der: &[u8]) -> String {
    pem::encode(pem::CERTIFICATE, der).to_string()
}

fn bound_platform(request: &LeafRequest<'_>) -> Result<Platform, Refusal> {
    let bound = decode_extension(request.evidence)?;
    check_key(&bound.claims, request.public_key.spki())?;
    Ok(bound.evidence.platform())
}

fn evidence_extension(value: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&EVIDENCE_OID, value.to_vec());
    extension.set_criticality(false);
    extension
}

fn alternative_names(request: &LeafRequest<'_>, identity: &Identity) -> Result<Vec<SanType>, AuthorityError> {
    let uri = identity.to_string().try_into().map_err(AuthorityError::Make)?;
    let mut names = vec![SanType::URI(uri)];
    for name in request.dns_names {
        names.push(SanType::DnsName(name.as_str().try_into().map_err(AuthorityError::Make)?));
    }
    names.extend(request.ip_addresses.iter().copied().map(SanType::IpAddress));
    Ok(names)
}

/// No path length beyond leaves, and nothing but signing certificates.
fn ca_params(deployment: &Deployment) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = ca_name(deployment);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A TLS server and client: services are both.
fn leaf_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

fn dated(mut params: CertificateParams, validity: Validity) -> Result<CertificateParams, AuthorityError> {
    let date = |at: UnixMillis| {
        let seconds = i64::try_from(at.0 / 1000).map_err(|_| AuthorityError::Date)?;
        ASN1Time::from_timestamp(seconds).map(|time| time.to_datetime()).map_err(|_| AuthorityError::Date)
    };
    params.not_before = date(validity.not_before)?;
    params.not_after = date(validity.not_after)?;
    params.serial_number = Some(random_serial());
    Ok(params)
}

/// Positive and without leading zeros, as DER wants it.
fn random_serial() -> SerialNumber {
    let mut serial: [u8; SERIAL_BYTES] = crypto::random::bytes();
    serial[0] = serial[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&serial)
}

fn ca_name(deployment: &Deployment) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, ORGANIZATION);
    name.push(DnType::OrganizationalUnitName, deployment.as_str());
    name.push(DnType::CommonName, CA_COMMON_NAME);
    name
}

fn leaf_name(role: Role, platform: Platform) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, ORGANIZATION);
    name.push(DnType::OrganizationalUnitName, platform.as_str());
    name.push(DnType::CommonName, role.as_str());
    name
}

/// The deployment that a CA certificate names, once it is seen to be this key's.
fn deployment_of(certificate: &[u8], key: &CaKey) -> Result<Deployment, AuthorityError> {
    let certificate = certificate::parse(certificate).map_err(|_| AuthorityError::NotOurs)?;
    if certificate.public_key().raw != key.public.spki() {
        return Err(AuthorityError::KeyDiffers);
    }
    let mut units = certificate.subject().iter_organizational_unit();
    let unit = units.next().and_then(|unit| unit.as_str().ok()).ok_or(AuthorityError::NotOurs)?;
    unit.parse().map_err(|_| AuthorityError::NotOurs)
}

/// The CA's key as the certificate encoder wants it.
struct CaKey {
    pair: P256KeyPair,
    public: LeafPublicKey,
}

impl CaKey {
    fn new(pair: P256KeyPair) -> Self {
        let public = LeafPublicKey::from_point(pair.public_key());
        CaKey { pair, public }
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.public.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.public.algorithm()
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.pair.sign(message))
    }
}
