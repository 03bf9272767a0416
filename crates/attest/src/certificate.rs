//! A peer's certificate: its identity, and the evidence that binds its key to a platform.
//!
//! A leaf certificate says two things. The deployment's CA says *who* the peer is: one URI SAN,
//! `teehouse://DEPLOYMENT/ROLE`. The platform says *what* runs: the evidence extension, over the certificate's own
//! public key. Both are needed: evidence alone would let any platform with accepted software stand in for any other.
//!
//! [`Verifier::appraise_certificate`] checks everything except the CA's signature. The chain to the deployment's CA is built in
//! `rpc::tls` with webpki, before this is called and on the same bytes; nothing here may be relied on without it.

use types::service::Role;
use types::time::UnixMillis;
use x509_parser::asn1_rs::oid;
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::extensions::{GeneralName, SubjectAlternativeName};
use x509_parser::nom::Parser as _;
use x509_parser::oid_registry::{OID_X509_EXT_SUBJECT_ALT_NAME, Oid};
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use crate::appraise::Verifier;
use crate::claims::Claims;
use crate::evidence::{Evidence, ReportData};
use crate::extension::{self, MAX_EXTENSION_BYTES, check_key, decode_extension};
use crate::identity::{Deployment, Identity};
use crate::refusal::{Fault, IdentityRefusal, Refusal};
use crate::validity::Validity;
use crate::verified::Verified;

/// The longest certificate that is read, in bytes: the longest extension and 16 KiB for names and all else.
pub const MAX_CERTIFICATE_BYTES: usize = MAX_EXTENSION_BYTES + 16 * 1024;

const PART: &str = "certificate";
const EVIDENCE: Oid<'static> = oid!(2.23.133.5.4.9);

/// Who a peer is and what runs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The deployment that it belongs to.
    pub deployment: Deployment,
    /// What it does there.
    pub role: Role,
    /// The certificate's public key (SubjectPublicKeyInfo in DER).
    pub spki: Vec<u8>,
    /// What its platform says.
    pub claims: Claims,
    /// The evidence that says it.
    pub evidence: Evidence,
    /// When that was appraised.
    pub appraised: UnixMillis,
    /// When the certificate holds.
    pub validity: Validity,
}

impl Verifier<'_> {
    /// Decides whether a leaf certificate (DER) is that of a service of `deployment` in one of the `expected` roles,
    /// running what the policy accepts for that role.
    ///
    /// A client expects one role; a service that listens expects its callers (`types::service::Api::callers`).
    ///
    /// # Errors
    /// The first reason that applies. The CA's signature is not checked here: see the module.
    pub fn appraise_certificate(
        &self,
        der: &[u8],
        expected: &[Role],
        deployment: &Deployment,
        now: UnixMillis,
    ) -> Result<Verified<PeerIdentity>, Refusal> {
        let leaf = Leaf::read(der)?;
        leaf.validity.check("certificate", now)?;
        let Identity { deployment, role } = expect(leaf.identity()?, expected, deployment)?;
        let bound = leaf.bound_evidence()?;
        let claims = self.appraise(&bound.evidence, &bound.report_data, role, now)?.into_inner();
        Ok(Verified::appraised(PeerIdentity {
            deployment,
            role,
            spki: leaf.spki.to_vec(),
            claims,
            evidence: bound.evidence,
            appraised: now,
            validity: leaf.validity,
        }))
    }
}

/// Evidence, and the report data that it must bind to be about a certificate's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundEvidence {
    /// The platform's statement, not appraised.
    pub evidence: Evidence,
    /// What [`Verifier::appraise`] is to expect of it.
    pub report_data: ReportData,
}

/// The evidence in anyone's RA-TLS certificate (DER), ours or a third party's: its claims are seen to name the
/// certificate's key, and nothing else is checked, neither identity nor dates nor signatures.
///
/// # Errors
/// [`Refusal::EvidenceMissing`], [`Refusal::KeyNotBound`] or [`Refusal::Malformed`].
pub fn bound_evidence(der: &[u8]) -> Result<BoundEvidence, Refusal> {
    Leaf::read(der)?.bound_evidence()
}

/// When a certificate (DER) holds, of which nothing is checked.
///
/// # Errors
/// [`Refusal::Malformed`].
pub fn validity(der: &[u8]) -> Result<Validity, Refusal> {
    Ok(validity_of(&parse(der).map_err(|fault| fault.of(PART))?))
}

/// The public key (SubjectPublicKeyInfo in DER) of a certificate (DER), of which nothing is checked.
///
/// # Errors
/// [`Refusal::Malformed`].
pub fn public_key(der: &[u8]) -> Result<Vec<u8>, Refusal> {
    Ok(parse(der).map_err(|fault| fault.of(PART))?.tbs_certificate.subject_pki.raw.to_vec())
}

fn expect(found: Identity, expected: &[Role], deployment: &Deployment) -> Result<Identity, Refusal> {
    if found.deployment != *deployment {
        return Err(Refusal::OtherDeployment(found.deployment));
    }
    if !expected.contains(&found.role) {
        return Err(Refusal::OtherRole(found.role));
    }
    Ok(found)
}

/// What a leaf certificate says, nothing of it checked.
struct Leaf<'a> {
    names: Option<&'a [u8]>,
    validity: Validity,
    spki: &'a [u8],
    evidence: Option<&'a [u8]>,
}

impl<'a> Leaf<'a> {
    fn read(der: &'a [u8]) -> Result<Self, Refusal> {
        let certificate = parse(der).map_err(|fault| fault.of(PART))?;
        Ok(Leaf {
            names: extension(&certificate, &OID_X509_EXT_SUBJECT_ALT_NAME)?,
            validity: validity_of(&certificate),
            spki: certificate.tbs_certificate.subject_pki.raw,
            evidence: extension(&certificate, &EVIDENCE)?,
        })
    }

    fn identity(&self) -> Result<Identity, Refusal> {
        identity(self.names.ok_or(Refusal::Identity(IdentityRefusal::Missing))?)
    }

    fn bound_evidence(&self) -> Result<BoundEvidence, Refusal> {
        let bound = decode_extension(self.evidence.ok_or(Refusal::EvidenceMissing)?)?;
        check_key(&bound.claims, self.spki)?;
        Ok(BoundEvidence { report_data: extension::report_data(&bound.claims), evidence: bound.evidence })
    }
}

/// Parses the certificate's frame; extensions stay bytes, and only the two that count are looked into.
pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Fault> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return Err(Fault::TooLong { limit: MAX_CERTIFICATE_BYTES });
    }
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    match parser.parse(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(Fault::TrailingBytes),
        Err(_) => Err(Fault::Expected("an X.509 certificate")),
    }
}

/// The one extension with this identifier. Two of a kind are no extension but an attack.
fn extension<'a>(certificate: &X509Certificate<'a>, oid: &Oid) -> Result<Option<&'a [u8]>, Refusal> {
    let found = certificate.get_extension_unique(oid);
    let found = found.map_err(|_| Fault::Expected("each extension once").of(PART))?;
    Ok(found.map(|extension| extension.value))
}

fn identity(names: &[u8]) -> Result<Identity, Refusal> {
    let Ok(([], names)) = SubjectAlternativeName::from_der(names) else {
        return Err(Fault::Expected("subject alternative names").of(PART));
    };
    if names.general_names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
        return Err(Fault::Expected("valid subject alternative names").of(PART));
    }
    let mut uris = names.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => uri.parse().map_err(|_| Refusal::Identity(IdentityRefusal::NotAnIdentity)),
        (None, _) => Err(Refusal::Identity(IdentityRefusal::Missing)),
        (Some(_), Some(_)) => Err(Refusal::Identity(IdentityRefusal::Several)),
    }
}

/// The one common name of a certificate's subject or issuer.
pub(crate) fn common_name<'a>(name: &'a X509Name<'_>) -> Option<&'a str> {
    let mut names = name.iter_common_name();
    names.next().filter(|_| names.next().is_none()).and_then(|name| name.as_str().ok())
}

/// Dates before 1970 read 0, which only makes a certificate expire.
pub(crate) fn validity_of(certificate: &X509Certificate<'_>) -> Validity {
    let dates = certificate.validity();
    Validity { not_before: instant(dates.not_before), not_after: instant(dates.not_after) }
}

/// A date of X.509.
pub(crate) fn instant(time: ASN1Time) -> UnixMillis {
    UnixMillis(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"teehouse://house/tms";

    /// `SubjectAltName` with these entries, as context tag and content (RFC 5280, section 4.2.1.6).
    fn check_names(entries: &[(u8, &[u8])], expected: Option<Refusal>) {
        let entries: Vec<u8> = entries
            .iter()
            .flat_map(|(tag, content)| [&[0x80 | tag, u8::try_from(content.len()).expect("short")], *content].concat())
            .collect();
        let names = [&[0x30, u8::try_from(entries.len()).expect("short")], &entries[..]].concat();
        assert_eq!(identity(&names).err(), expected, "{names:02x?}");
    }

    #[test]
    fn names_that_do_not_decode_hide_no_second_uri() {
        let invalid = Fault::Expected("valid subject alternative names").of(PART);
        check_names(&[(6, GOOD)], None);
        check_names(&[(2, b"localhost"), (6, GOOD), (7, &[127, 0, 0, 1])], None);
        check_names(&[(6, GOOD), (6, &[0xff])], Some(invalid.clone()));
        check_names(&[(2, &[0xff]), (6, GOOD)], Some(invalid.clone()));
        check_names(&[(6, GOOD), (9, b"unknown kind")], Some(invalid));
        check_names(&[(6, GOOD), (6, b"")], Some(Refusal::Identity(IdentityRefusal::Several)));
        check_names(&[], Some(Refusal::Identity(IdentityRefusal::Missing)));
    }

    #[test]
    fn bytes_after_the_names_are_refused() {
        let names = [&[0x30, 22, 0x86, 20], GOOD].concat();
        assert!(identity(&names).is_ok());
        let expected = Fault::Expected("subject alternative names").of(PART);
        assert_eq!(identity(&[&names[..], &[0]].concat()), Err(expected));
    }
}
