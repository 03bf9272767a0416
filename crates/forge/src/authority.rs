//! What Intel is: a root, a CA for machines, and a signer of what is said of machines.

use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    DistinguishedName, DnType, IsCa, KeyIdMethod, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use time::OffsetDateTime;
use types::time::UnixMillis;

use crate::extension;
use crate::key::Key;
use crate::machine::{Installed, Machine};

/// How long Intel's TCB info and lists hold: 30 days.
const PERIOD: Duration = Duration::from_secs(30 * 24 * 3600);

/// The serial number of every PCK certificate: what a revocation list names.
pub(crate) const PCK_SERIAL: u64 = 0x5ec0de;
/// The serial number of the PCK CA's certificate.
const PCK_CA_SERIAL: u64 = 0xca;

type Authority = CertifiedIssuer<'static, Key>;

/// A root of trust with everything under it. Two forges have nothing in common.
pub struct Forge {
    pub(crate) root: Authority,
    pub(crate) pck_ca: Authority,
    pub(crate) tcb_certificate: Certificate,
    pub(crate) tcb_key: Key,
    issued: UnixMillis,
    revoked_ca: Option<u64>,
}

impl Forge {
    /// A fresh forge whose collateral is issued at `issued` and holds for 30 days. Its certificates hold from 2020 to
    /// 2050.
    pub fn new(issued: UnixMillis) -> Self {
        let root = CertifiedIssuer::self_signed(ca("Forged SGX Root CA", 1), Key::generate());
        let root = root.expect("names and dates fit");
        let mut params = ca("Forged SGX PCK Platform CA", 0);
        params.serial_number = Some(SerialNumber::from(PCK_CA_SERIAL));
        let pck_ca = CertifiedIssuer::signed_by(params, Key::generate(), &root);
        let tcb_key = Key::generate();
        let tcb_certificate = leaf("Forged SGX TCB Signing").signed_by(&tcb_key, &root);
        Forge {
            pck_ca: pck_ca.expect("names and dates fit"),
            tcb_certificate: tcb_certificate.expect("names and dates fit"),
            root,
            tcb_key,
            issued,
            revoked_ca: None,
        }
    }

    /// The root's certificate (DER), for [`attest::dcap::IntelRoot::danger_other`].
    pub fn root(&self) -> &[u8] {
        self.root.der()
    }

    /// The same CAs, publishing at another time. Machines are installed under either alike.
    pub fn reissue(&mut self, issued: UnixMillis) {
        self.issued = issued;
    }

    /// Puts the PCK CA on the root's revocation list, and with it every machine's certificate.
    pub fn revoke_pck_ca(&mut self) {
        self.revoked_ca = Some(PCK_CA_SERIAL);
    }

    /// A machine with its PCK certificate, able to make quotes.
    pub fn install(&self, machine: Machine) -> Installed<'_> {
        let pck = Key::generate();
        let mut params = leaf("Forged SGX PCK Certificate");
        params.custom_extensions = vec![extension::sgx(&machine)];
        params.serial_number = Some(SerialNumber::from(PCK_SERIAL));
        let certificate = params.signed_by(&pck, &self.pck_ca).expect("names and dates fit");
        Installed::new(self, machine, pck, &certificate)
    }

    /// The first and last instant of what is published monthly.
    pub(crate) fn period(&self) -> [OffsetDateTime; 2] {
        [self.issued, self.issued.plus(PERIOD)].map(|at| {
            let seconds = i64::try_from(at.0 / 1000).expect("a date");
            OffsetDateTime::from_unix_timestamp(seconds).expect("a date")
        })
    }

    /// The root's revocation list (DER).
    pub(crate) fn root_revocation_list(&self) -> Vec<u8> {
        self.revocation_list(&self.root, self.revoked_ca)
    }

    /// A revocation list (DER) of one of the two CAs.
    pub(crate) fn revocation_list(&self, authority: &Authority, revoked: Option<u64>) -> Vec<u8> {
        let [this_update, next_update] = self.period();
        let revoked = revoked.map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.into_iter().collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(authority).expect("a CA that may sign lists").der().to_vec()
    }
}

fn ca(name: &str, path_length: u8) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2050, 1, 1);
    params
}
