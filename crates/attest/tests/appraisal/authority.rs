//! The CA: its files, what it issues, and what ordinary TLS clients make of that.

use std::net::IpAddr;

use attest::authority::{AuthorityError, CertificateAuthority, LeafRequest};
use attest::extension::attest_key;
use attest::leaf::LeafKey;
use attest::refusal::Refusal;
use attest::simulated::SimulatedRoot;
use attest::validity::Validity;
use pki_types::{CertificateDer, ServerName, UnixTime};
use types::service::Role;
use types::time::UnixMillis;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::house::{HOUR, House, NOW, appraise_certificate, deployment};

/// The CA's half of a handshake, as `rpc::tls` and every ordinary TLS client do it.
fn check_chain(anchor: &[u8], leaf: &[u8], usage: KeyUsage, now: UnixMillis) -> Result<(), webpki::Error> {
    let anchor = CertificateDer::from(anchor);
    let anchor = anchor_from_trusted_cert(&anchor)?;
    let leaf = CertificateDer::from(leaf);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_millis(now.0));
    let leaf = EndEntityCert::try_from(&leaf)?;
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &[anchor], &[], now, usage, None, None).map(|_| ())
}

fn check_name(leaf: &[u8], name: &str) -> bool {
    let leaf = CertificateDer::from(leaf);
    let name = ServerName::try_from(name).unwrap();
    EndEntityCert::try_from(&leaf).unwrap().verify_is_valid_for_subject_name(&name).is_ok()
}

#[test]
fn ordinary_clients_accept_a_leaf_for_its_names_and_uses() {
    let house = House::new();
    let leaf = house.leaf(Role::Tms);
    let anchor = house.authority.certificate_der();
    for usage in [KeyUsage::server_auth(), KeyUsage::client_auth()] {
        assert_eq!(check_chain(anchor, &leaf, usage, NOW), Ok(()));
    }
    for (name, good) in
        [("localhost", true), ("tms.example", true), ("127.0.0.1", true), ("::1", true), ("a.example", false)]
    {
        assert_eq!(check_name(&leaf, name), good, "{name}");
    }
    let late = check_chain(anchor, &leaf, KeyUsage::server_auth(), NOW.plus(2 * HOUR));
    assert!(matches!(late, Err(webpki::Error::CertExpired { .. })));
    let stranger = House::new();
    assert!(check_chain(stranger.authority.certificate_der(), &leaf, KeyUsage::server_auth(), NOW).is_err());
}

/// The chain and the appraisal together leave no byte of a certificate open.
#[test]
fn every_changed_byte_of_a_certificate_is_refused() {
    let house = House::new();
    let (leaf, policy) = (house.leaf(Role::Tms), house.policy());
    for index in 0..leaf.len() {
        for change in [0x01, 0x80] {
            let mut changed = leaf.clone();
            changed[index] ^= change;
            let chain = check_chain(house.authority.certificate_der(), &changed, KeyUsage::server_auth(), NOW);
            let peer = appraise_certificate(&changed, &[Role::Tms], &deployment("house"), &policy, NOW);
            assert!(chain.is_err() || peer.is_err(), "byte {index} xor {change:#x}");
        }
    }
}

#[test]
fn a_ca_survives_its_files() {
    let house = House::new();
    let (certificate, key) = (house.authority.certificate_pem(), house.authority.danger_key_pem());
    let loaded = CertificateAuthority::load(&certificate, &key).unwrap();
    assert_eq!(loaded.deployment(), house.authority.deployment());
    assert_eq!(loaded.certificate_der(), house.authority.certificate_der());

    let again = House { authority: loaded, root: house.root.clone() };
    let leaf = again.leaf(Role::Kms);
    assert_eq!(check_chain(house.authority.certificate_der(), &leaf, KeyUsage::client_auth(), NOW), Ok(()));
}

#[test]
fn wrong_files_are_named() {
    let (ours, theirs) = (House::new().authority, House::new().authority);
    let load = |certificate: &str, key: &str| CertificateAuthority::load(certificate, key).map(|_| ()).unwrap_err();
    let (certificate, key) = (ours.certificate_pem(), ours.danger_key_pem());
    assert!(matches!(load(&certificate, &theirs.danger_key_pem()), AuthorityError::KeyDiffers));
    assert!(matches!(load(&key, &certificate), AuthorityError::Pem(_)));
    assert!(matches!(load("", &key), AuthorityError::Pem(_)));
    let root = SimulatedRoot::generate().danger_to_pem();
    assert!(matches!(load(&certificate, &root), AuthorityError::Key(_)));
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(load(garbage, &key), AuthorityError::NotOurs));
}

#[test]
fn requests_that_make_no_honest_certificate_are_refused() {
    let house = House::new();
    let key = LeafKey::generate().public();
    let evidence = attest_key(&house.attester(Role::Tms), key.spki(), NOW).unwrap();
    let validity = Validity::starting(NOW, HOUR);
    let good = LeafRequest {
        role: Role::Tms,
        public_key: &key,
        dns_names: &[],
        ip_addresses: &[IpAddr::from([127, 0, 0, 1])],
        evidence: &evidence,
        validity,
    };
    let issue = |request: &LeafRequest<'_>| house.authority.issue(request);
    assert!(issue(&good).is_ok());

    let other = LeafKey::generate().public();
    let unbound = issue(&LeafRequest { public_key: &other, ..good });
    assert!(matches!(unbound, Err(AuthorityError::Evidence(Refusal::KeyNotBound))));
    let none = issue(&LeafRequest { evidence: &[], ..good });
    assert!(matches!(none, Err(AuthorityError::Evidence(Refusal::Malformed { .. }))));
    let name = issue(&LeafRequest { dns_names: &["é".to_owned()], ..good });
    assert!(matches!(name, Err(AuthorityError::Make(_))));
    let never = Validity { not_after: UnixMillis(u64::MAX), ..validity };
    assert!(matches!(issue(&LeafRequest { validity: never, ..good }), Err(AuthorityError::Date)));
}

#[test]
fn a_ca_signs_leaves_and_a_leaf_signs_nothing() {
    let house = House::new();
    let basics = |der: &[u8]| {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).unwrap();
        let constraints = certificate.basic_constraints().unwrap().unwrap().value.clone();
        let signs = certificate.key_usage().unwrap().unwrap().value.key_cert_sign();
        (constraints.ca, constraints.path_len_constraint, signs)
    };
    assert_eq!(basics(house.authority.certificate_der()), (true, Some(0), true));
    assert_eq!(basics(&house.leaf(Role::Tms)), (false, None, false));
}

#[test]
fn serial_numbers_differ() {
    let house = House::new();
    assert_ne!(serial(&house.leaf(Role::Tms)), serial(&house.leaf(Role::Tms)));
}

fn serial(leaf: &[u8]) -> Vec<u8> {
    x509_parser::parse_x509_certificate(leaf).unwrap().1.raw_serial().to_vec()
}
