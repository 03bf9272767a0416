//! One manifest has one form: what is written reads back, and everything else is refused.

use std::collections::{BTreeMap, BTreeSet};

use attest::claims::{ConfigId, Measurement, PlatformId, SnpAuthor};
use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::{Envelope, MAX_BYTES, MAX_SIGNATURES};
use attest::manifest::key::AuditorKey;
use attest::manifest::{Malformed, Manifest, ManifestRefusal, Measured};
use attest::reference::{Accepted, Allowance, CollateralFloor, ReferenceValues};
use attest::simulated::SimulatedRootKey;
use attest::snp::{SnpProduct, SnpTcb};
use attest::tpm::PcrSelection;
use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use types::digest::Digest;
use types::service::Role;
use types::time::UnixMillis;

use crate::house::{House, signed, signed_payload};

/// Before the year 10000, in whole seconds.
fn any_date() -> impl Strategy<Value = UnixMillis> {
    (0_u64..253_402_300_799).prop_map(|seconds| UnixMillis(seconds * 1000))
}

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    any::<[u8; 4]>().prop_map(|seed| std::array::from_fn(|at| seed[at % 4].wrapping_add(at as u8)))
}

fn any_measurement() -> impl Strategy<Value = Measurement> {
    prop_oneof![
        bytes().prop_map(Measurement::Simulated),
        bytes().prop_map(|pcr_digest| Measurement::Tpm { pcr_digest }),
        bytes().prop_map(|launch_digest| Measurement::SevSnp { launch_digest }),
        (bytes(), bytes()).prop_map(|(mrtd, last)| Measurement::Tdx { mrtd, rtmr: [[0; 48], [1; 48], [2; 48], last] }),
        (bytes(), bytes()).prop_map(|(mrenclave, mrsigner)| Measurement::Sgx { mrenclave, mrsigner }),
    ]
}

fn accepted<T: Ord + Clone + std::fmt::Debug>(
    element: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Accepted<T>> {
    prop_oneof![Just(Accepted::Any), btree_set(element, 1..4).prop_map(Accepted::Only)]
}

fn any_tcb() -> impl Strategy<Value = SnpTcb> {
    any::<[u8; 5]>().prop_map(|[fmc, boot_loader, tee, snp, microcode]| SnpTcb {
        fmc,
        boot_loader,
        tee,
        snp,
        microcode,
    })
}

/// What only SEV-SNP platforms are asked for, and TPMs' PCRs.
fn any_snp() -> impl Strategy<Value = (BTreeMap<SnpProduct, SnpTcb>, u32, Accepted<SnpAuthor>, PcrSelection)> {
    let author = prop_oneof![Just(SnpAuthor::Anonymous), bytes().prop_map(SnpAuthor::Key)];
    let product = proptest::sample::select(&SnpProduct::ALL[..]);
    let pcrs = btree_set(0_u8..16, 0..5).prop_map(|pcrs| PcrSelection::new(pcrs).unwrap());
    (btree_map(product, any_tcb(), 0..3), 0_u32..4, accepted(author), pcrs)
}

fn any_values() -> impl Strategy<Value = ReferenceValues> {
    let config_id = proptest::collection::vec(any::<u8>(), 0..48).prop_map(ConfigId);
    let platform_id = prop_oneof![
        bytes().prop_map(PlatformId::Ppid),
        bytes().prop_map(PlatformId::Piid),
        bytes().prop_map(PlatformId::ChipId),
        bytes().prop_map(PlatformId::TpmKey),
    ];
    let floor = (any_date(), any::<u32>());
    (
        btree_set(any_measurement(), 1..5),
        any::<u32>(),
        accepted(config_id),
        accepted(platform_id),
        any_date(),
        floor,
        any_snp(),
        btree_set(proptest::sample::select(&Allowance::ALL[..]), 0..4),
    )
        .prop_map(|(measurements, svn, config_ids, platform_ids, minimum_tcb_date, floor, snp, allowances)| {
            ReferenceValues {
                measurements,
                minimum_security_version: svn,
                config_ids,
                platform_ids,
                minimum_tcb_date,
                collateral_floor: CollateralFloor { issued: floor.0, tcb_evaluation: floor.1 },
                minimum_snp_tcb: snp.0,
                snp_vmpl: snp.1,
                snp_authors: snp.2,
                tpm_pcrs: snp.3,
                allowances,
            }
        })
}

fn any_auditors() -> impl Strategy<Value = Auditors> {
    btree_map("[a-zé\"\\\\ ]{1,9}", bytes(), 1..5).prop_map(|people| {
        let keys: BTreeSet<[u8; 32]> = people.values().copied().collect();
        let list: Vec<_> =
            people.into_keys().zip(keys).map(|(name, key)| Auditor { name, key: AuditorKey::Ed25519(key) }).collect();
        Auditors::new(1 + list.len() as u32 / 2, list).unwrap()
    })
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let role = proptest::sample::select(&Role::ALL[..]);
    (
        "[a-z0-9-]{1,64}",
        1..=Manifest::MAX_VERSION,
        any_date(),
        any_date(),
        (any_auditors(), proptest::option::of(any_auditors())),
        proptest::option::of(bytes()),
        btree_map(role, any_values(), 0..4),
    )
        .prop_map(|(deployment, version, one, other, (auditors, replaces), ca, roles)| Manifest {
            deployment: deployment.parse().unwrap(),
            version,
            issued: one.min(other),
            expires: UnixMillis(one.max(other).0 + 1000),
            previous: (version > 1).then(|| Digest::new([9; 32])),
            auditors,
            replaces: replaces.filter(|_| version > 1),
            ca_sha256: ca.map(Digest::new),
            danger_simulated_root: Some(SimulatedRootKey::from_bytes([1; 32])),
            roles,
        })
}

/// The same document with the keys of every object in order, as any reader of JSON can make it.
fn with_sorted_keys(bytes: &[u8]) -> Vec<u8> {
    fn write(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(map) => {
                let sorted: BTreeMap<_, _> = map.iter().collect();
                let fields = sorted.into_iter().map(|(key, value)| format!("{key:?}:{}", write(value)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
            serde_json::Value::Array(list) => {
                format!("[{}]", list.iter().map(write).collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }
    write(&serde_json::from_slice(bytes).unwrap()).into_bytes()
}

proptest! {
    #[test]
    fn every_manifest_reads_back_to_the_same_bytes(manifest in any_manifest()) {
        let bytes = manifest.to_bytes();
        let back = Manifest::from_bytes(&bytes).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{manifest:?}"));
        prop_assert_eq!(back.to_bytes(), bytes.clone());
        prop_assert_eq!(with_sorted_keys(&bytes), bytes);
    }

    #[test]
    fn measurements_read_back(measurement in any_measurement(), role in proptest::sample::select(&Role::ALL[..])) {
        let measured = Measured { role, measurement };
        let one = serde_json::to_vec_pretty(&measured).unwrap();
        prop_assert_eq!(Measured::from_json(&one), Ok(vec![measured.clone()]));
        let list = serde_json::to_vec(&[&measured, &measured]).unwrap();
        prop_assert_eq!(Measured::from_json(&list), Ok(vec![measured.clone(), measured]));
    }
}

#[test]
fn a_payload_has_these_bytes() {
    let house = House::new();
    let keys: Vec<String> = house
        .trusted()
        .list()
        .iter()
        .map(|auditor| format!(r#"{{"key":"{}","name":"{}"}}"#, auditor.key, auditor.name))
        .collect();
    let expected = format!(
        concat!(
            r#"{{"auditors":{{"keys":[{}],"threshold":2}},"deployment":"house","expires":"2027-02-21T12:00:00Z","#,
            r#""issued":"2026-11-23T12:00:00Z","#,
            r#""roles":{{"kms":{{"measurements":[{{"sev-snp":{{"launch_digest":"{}"}}}}]}}}},"schema":1,"version":1}}"#
        ),
        keys.join(","),
        "07".repeat(48)
    );
    assert_eq!(String::from_utf8(house.manifest().to_bytes()).unwrap(), expected);
}

#[test]
fn other_payloads_are_refused() {
    let house = House::new();
    let good = String::from_utf8(house.manifest().to_bytes()).unwrap();
    let check = |from: &str, to: &str, words: &str| {
        assert_eq!(good.matches(from).count(), 1, "{from}");
        let payload = good.replace(from, to);
        let error = Manifest::from_bytes(payload.as_bytes()).map(drop).unwrap_err().to_string();
        assert!(error.contains(words), "{to}: {error}");
        // Enough signatures do not help.
        let refusal = house.verify(&signed_payload(payload.into_bytes(), [&house.ada, &house.ben])).err();
        assert!(matches!(refusal, Some(ManifestRefusal::Malformed(_))), "{to}: {refusal:?}");
    };
    let canonical = "canonical";
    check(r#""schema":1"#, r#""schema":2"#, "schema version 2");
    check(r#""schema":1,"#, "", "missing field `schema`");
    check(r#""schema":1"#, r#""schema":1,"shema":1"#, "unknown field `shema`");
    check(r#""schema":1"#, r#""schema":1,"schema":1"#, "duplicate field `schema`");
    check(r#""schema":1"#, r#""schema": 1"#, canonical);
    check(r#""schema":1,"version":1"#, r#""version":1,"schema":1"#, canonical);
    check(r#""schema":1"#, r#""previous":null,"schema":1"#, canonical);
    check(r#""house""#, r#""h\u006fuse""#, canonical);
    check(r#""house""#, r#""House""#, "a deployment's name");
    check(r#""version":1"#, r#""version":0"#, "`version`");
    check(r#""version":1"#, r#""version":9007199254740992"#, "`version`");
    check(r#""version":1"#, r#""version":1.0"#, "payload");
    check(r#""version":1"#, r#""version":-1"#, "payload");
    check(r#""version":1"#, r#""version":2"#, "`previous`");
    check(r#""2027-02-21T12:00:00Z""#, r#""2026-11-23T12:00:00Z""#, "expires before");
    check(r#""2027-02-21T12:00:00Z""#, r#""2027-02-30T12:00:00Z""#, "a date");
    check(r#"{"kms":{"#, r#"{"kmz":{"#, "unknown field `kmz`");
    check(r#"{"kms":{"#, r#"{"kms":{"allowances":["debug"],"#, "the name of an allowance");
    check(r#"{"kms":{"#, r#"{"kms":{"allowances":["debug-mode","debug-mode"],"#, canonical);
    check(r#"{"kms":{"#, r#"{"kms":{"allowances":["out-of-date","debug-mode"],"#, canonical);
    check(r#"{"kms":{"#, r#"{"kms":{"allowances":[],"#, canonical);
    check(r#"{"kms":{"#, r#"{"kms":{"config_ids":[],"#, "an empty list accepts nothing");
    check(r#"{"kms":{"#, r#"{"kms":{"minimum_security_version":0,"#, "payload");
    check(r#"{"sev-snp":{"#, r#"{"snp":{"#, "unknown variant `snp`");
    check(r#"{"sev-snp":{"#, r#"{"sev-snp":{"extra":1,"#, "unknown field `extra`");
    let measurement = format!(r#"{{"sev-snp":{{"launch_digest":"{}"}}}}"#, "07".repeat(48));
    check(&measurement, "", "lists no measurement");
    check(&measurement, &format!("{measurement},{measurement}"), canonical);
    check(&measurement, &measurement.replace("07", "7"), "lower-case hex");
    let simulated = format!(r#"{{"simulated":{{"digest":"{}"}}}}"#, "07".repeat(32));
    check(&measurement, &simulated, "no `danger_simulated_root`");
}

#[test]
fn nesting_is_bounded_before_anything_is_read() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let depth = MAX_BYTES / 8;
        let deep = open.repeat(depth) + &close.repeat(depth);
        assert!(matches!(Manifest::from_bytes(deep.as_bytes()), Err(Malformed::Json { .. })));
        assert!(matches!(Envelope::from_bytes(deep.as_bytes()), Err(Malformed::Json { .. } | Malformed::TooLong)));
        let inside = format!(r#"{{"payload":{deep},"payloadType":"t","signatures":[]}}"#);
        assert!(matches!(Envelope::from_bytes(inside.as_bytes()), Err(Malformed::Json { .. } | Malformed::TooLong)));
    }
}

#[test]
fn sizes_are_bounded() {
    let house = House::new();
    let mut envelope = signed(&house.manifest(), [&house.ada, &house.ben]);
    envelope.resize(MAX_BYTES, b' ');
    house.check(&envelope, Ok(()));
    envelope.push(b' ');
    house.check(&envelope, Err(Malformed::TooLong.into()));
    let with_signatures = |count| {
        let mut envelope = Envelope::unsigned(Vec::new());
        (0..count).for_each(|_| envelope.add(house.ada.secret.sign(&envelope)));
        Envelope::from_bytes(&envelope.to_bytes()).map(|envelope| envelope.signatures().len())
    };
    assert_eq!(with_signatures(MAX_SIGNATURES), Ok(MAX_SIGNATURES));
    assert_eq!(with_signatures(MAX_SIGNATURES + 1), Err(Malformed::TooManySignatures));
}

#[test]
fn other_envelopes_are_refused() {
    let house = House::new();
    let good = String::from_utf8(signed(&house.manifest(), [&house.ada])).unwrap();
    let check = |text: &str, expected: &str| {
        let error = Envelope::from_bytes(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("", "envelope: EOF");
    check("[]", "envelope: ");
    check(&(good.clone() + "{}"), "trailing characters");
    check(&good.replace("\"payload\"", "\"body\""), "unknown field `body`");
    check(&good.replace("\"sig\"", "\"cert\": \"\", \"sig\""), "unknown field `cert`");
    check(&good.replace("\"sig\"", "\"sig\": \"\", \"sig\""), "duplicate field `sig`");
    check(&good.replace("\"sig\": \"", "\"sig\": \"*"), "the signature is not base64");
    check(&good.replace("\"sig\": \"", "\"sig\": \"AAAA"), "neither Ed25519 (64 bytes) nor OpenSSH's");
    // A hostile field name is shown short and plain.
    let hostile = good.replace("\"payload\"", &format!("\"{}\"", r"\u001b[31m".repeat(1000)));
    let error = Envelope::from_bytes(hostile.as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 2000 && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn no_changed_byte_gives_another_manifest() {
    let house = House::new();
    let manifest = house.manifest();
    let envelope = signed(&manifest, [&house.ada, &house.ben]);
    let good = house.verify(&envelope).unwrap().to_bytes();
    let mut refused = 0;
    for at in 0..envelope.len() {
        for flip in [1, 0x20, 0x80] {
            let mut changed = envelope.clone();
            changed[at] ^= flip;
            match house.verify(&changed) {
                // White space and the hint by which key a signature is.
                Ok(accepted) => assert_eq!(accepted.to_bytes(), good, "byte {at}"),
                Err(_) => refused += 1,
            }
        }
        assert!(house.verify(&envelope[..at]).is_err() || envelope[at..] == *b"\n", "cut at {at}");
    }
    assert!(refused > envelope.len() * 2, "{refused} of {}", envelope.len() * 3);
}
