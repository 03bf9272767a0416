//! Collateral: its two forms, its dates, and what becomes of evidence when it is changed.

use std::time::Duration;

use attest::collateral::{BadCollateral, Collateral, IntelCollateral, MAX_COLLATERAL_BYTES, Need, Part, PcsAnswers};
use attest::evidence::Evidence;
use attest::platform::Platform;
use forge::{Enclave, Forge, Machine};
use serde_json::Value;
use types::time::UnixMillis;

use crate::forged::{NOW, REPORT_DATA, believing, collateral_of, enclave_values};
use crate::samples::{GOOD, SGX_V3, TDX_V4, appraise, policy};

/// Intel renews what it publishes each month.
const PERIOD: Duration = Duration::from_secs(30 * 24 * 3600);

#[test]
fn files_hold_everything() {
    for sample in GOOD {
        let read = IntelCollateral::from_json(sample.collateral).unwrap();
        let again = IntelCollateral::from_json(&read.to_json()).unwrap();
        assert_eq!(again.to_json(), read.to_json());
        let collateral = Collateral::default().with_intel(again);
        let claims =
            appraise(&sample.evidence(), &sample.report_data(), &policy(sample.lenient()), &collateral, sample.now());
        assert!(claims.is_ok(), "{}", sample.name);
    }
}

/// The answers as a PCCS gives them: bodies around the signed texts, chains percent-encoded in headers.
#[test]
fn answers_of_a_pccs_hold_everything() {
    for sample in GOOD {
        let file: Value = serde_json::from_slice(sample.collateral).unwrap();
        let text = |name: &str| file[name].as_str().unwrap().to_owned();
        let body = |noun: &str, document: &str| {
            let (document, signature) = (text(document), text(&format!("{document}_signature")));
            format!(r#"{{"{noun}":{document},"signature":"{signature}"}}"#)
        };
        let header = |name: &str| text(name).replace('%', "%25").replace('\n', "%0A").replace(' ', "%20");
        let list = |name: &str| unhex(&text(name));
        let (tcb_info, qe_identity) = (body("tcbInfo", "tcb_info"), body("enclaveIdentity", "qe_identity"));
        let answers = PcsAnswers {
            tcb_info: tcb_info.as_bytes(),
            tcb_info_issuer_chain: &header("tcb_info_issuer_chain"),
            qe_identity: qe_identity.as_bytes(),
            qe_identity_issuer_chain: &header("qe_identity_issuer_chain"),
            pck_crl: &list("pck_crl"),
            pck_crl_issuer_chain: &header("pck_crl_issuer_chain"),
            root_ca_crl: &list("root_ca_crl"),
        };
        let read = IntelCollateral::from_pcs(&answers).unwrap();
        assert_eq!(read.to_json(), IntelCollateral::from_json(sample.collateral).unwrap().to_json());
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

#[test]
fn a_cache_learns_what_it_has_and_until_when() {
    let held = IntelCollateral::from_json(TDX_V4.collateral).unwrap();
    assert_eq!((held.platform(), held.fmspc()), (Platform::Tdx, [0xb0, 0xc0, 0x6f, 0, 0, 0]));
    assert_eq!(held.tcb_evaluation(), 17);
    assert_eq!(held.validity().not_after, UnixMillis(TDX_V4.holds[1]));

    assert_eq!(Collateral::default().valid_until(), UnixMillis(u64::MAX));
    let both = SGX_V3.collateral().with_intel(held.clone());
    assert_eq!(both.valid_until(), UnixMillis(TDX_V4.holds[1]));
    assert_eq!(both.intel().len(), 2);
    assert_eq!(both.with_intel(held).intel().len(), 2);
}

#[test]
fn newer_collateral_takes_the_place_of_older() {
    let later = NOW.plus(PERIOD);
    let mut forge = Forge::new(NOW);
    let held = collateral_of(&forge.install(Machine::default()), Platform::Sgx);
    assert_eq!(held.valid_until(), UnixMillis(later.0 - 1));
    forge.reissue(later);
    let published = forge.install(Machine::default()).collateral(Platform::Sgx);
    let renewed = held.with_intel(IntelCollateral::from_json(&published).unwrap());
    assert_eq!((renewed.intel().len(), renewed.intel()[0].issued()), (1, later));
    assert_eq!(renewed.valid_until(), UnixMillis(later.plus(PERIOD).0 - 1));
}

#[test]
fn unreadable_collateral_is_named() {
    let file: Value = serde_json::from_slice(SGX_V3.collateral).unwrap();
    let tdx: Value = serde_json::from_slice(TDX_V4.collateral).unwrap();
    let with = |name: &str, value: Value| {
        let mut changed = file.clone();
        changed[name] = value;
        IntelCollateral::from_json(changed.to_string().as_bytes()).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(with("tcb_info", "{}".into()), "read the TCB info");
    assert_eq!(with("qe_identity", "[]".into()), "read the QE identity");
    assert_eq!(
        with("qe_identity", tdx["qe_identity"].clone()),
        "TCB info and QE identity are of different kinds of TEE"
    );
    assert_eq!(with("pck_crl", "3000".into()), "the PCK CA's revocation list is malformed");
    assert_eq!(with("root_ca_crl", "".into()), "the root CA's revocation list is malformed");
    assert_eq!(with("tcb_info_issuer_chain", "x".into()), "the TCB info's certificate chain is malformed");
    assert_eq!(with("root_ca_crl", 7.into()), "read the collateral");
    let dated = file["tcb_info"].as_str().unwrap().replace("2025-06-19T", "2025-06-19 ");
    assert_eq!(with("tcb_info", dated.into()), "the TCB info is malformed");
    let long = IntelCollateral::from_json(&vec![b' '; MAX_COLLATERAL_BYTES + 1]);
    assert!(matches!(long, Err(BadCollateral::TooLong)));
}

/// Whatever a byte of collateral becomes, evidence never says anything else than before: it is refused, or the byte
/// was in what nobody relies on (white space of PEM, the revocation list's own chain).
#[test]
fn changed_collateral_changes_no_claims() {
    let (sample, file) = (&SGX_V3, SGX_V3.collateral);
    let good = sample.appraise(sample.lenient(), sample.now()).unwrap();
    let (evidence, policy) = (sample.evidence(), policy(sample.lenient()));
    let mut refused = 0;
    for at in (0..file.len()).step_by(5) {
        let mut changed = file.to_vec();
        changed[at] ^= 1 << (at / 5 % 7);
        let Ok(read) = IntelCollateral::from_json(&changed) else {
            refused += 1;
            continue;
        };
        let collateral = Collateral::default().with_intel(read);
        match appraise(&evidence, &sample.report_data(), &policy, &collateral, sample.now()) {
            Ok(claims) => assert_eq!(claims, good, "byte {at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused * 5 > file.len() * 3 / 4, "{refused} of {}", file.len() / 5);
}

#[test]
fn collateral_is_checked_when_it_is_used() {
    let forge = Forge::new(NOW);
    let machine = forge.install(Machine::default());
    let enclave = Enclave::new(REPORT_DATA);
    let evidence = Evidence::new(Platform::Sgx, machine.sgx_quote(&enclave)).unwrap();
    let policy = believing(&forge, enclave_values(&enclave));
    let file: Value = serde_json::from_slice(&machine.collateral(Platform::Sgx)).unwrap();
    for signed in ["tcb_info", "qe_identity"] {
        let mut changed = file.clone();
        let text = file[signed].as_str().unwrap().replace("UpToDate", "OutOfDate");
        changed[signed] = text.into();
        let read = IntelCollateral::from_json(changed.to_string().as_bytes()).unwrap();
        let collateral = Collateral::default().with_intel(read);
        let refused = appraise(&evidence, &REPORT_DATA, &policy, &collateral, NOW).map(|_| ()).unwrap_err();
        let expected = format!("the sgx evidence is refused: Signature is invalid for {signed} in quote_collateral");
        assert_eq!(refused.to_string(), expected);
    }
}

#[test]
fn evidence_says_what_it_needs_and_a_document_what_it_answers() {
    let (forge, machine) = (Forge::new(NOW), Machine::default());
    let installed = forge.install(machine);
    let quote = installed.sgx_quote(&Enclave::new(REPORT_DATA));
    let evidence = Evidence::new(Platform::Sgx, quote).unwrap();
    let [need] = &Need::of(&evidence)[..] else { panic!("one need") };
    assert_eq!(need.to_string(), "sgx:f056e1000000:platform");
    let part = Part::from_json(&installed.collateral(Platform::Sgx)).unwrap();
    assert!(part.answers(need));
    assert!(!Part::from_json(&installed.collateral(Platform::Tdx)).unwrap().answers(need));
    let again = Part::from_json(&part.to_json()).unwrap();
    assert_eq!((again.need().as_ref(), again.validity()), (Some(need), part.validity()));
    assert_eq!(again.issued(), NOW);

    let refused = appraise(&evidence, &REPORT_DATA, &policy(SGX_V3.lenient()), &Collateral::default(), NOW);
    assert!(Need::of_refused(&refused.map(|_| ()).unwrap_err(), &evidence).is_empty(), "it is of another root");
    let policy = believing(&forge, enclave_values(&Enclave::new(REPORT_DATA)));
    let refused = appraise(&evidence, &REPORT_DATA, &policy, &Collateral::default(), NOW);
    assert_eq!(Need::of_refused(&refused.map(|_| ()).unwrap_err(), &evidence), std::slice::from_ref(need));
}

#[test]
fn older_documents_take_nobodys_place() {
    let mut forge = Forge::new(NOW);
    let read = |forge: &Forge, tcb_evaluation| {
        let machine = forge.install(Machine { tcb_evaluation, ..Machine::default() });
        Part::from_json(&machine.collateral(Platform::Sgx)).unwrap()
    };
    let (old, low) = (read(&forge, 17), read(&forge, 16));
    forge.reissue(NOW.plus(PERIOD));
    let new = read(&forge, 17);
    for order in [[&old, &new, &low], [&new, &old, &low], [&low, &new, &old], [&low, &old, &new]] {
        let held = order.into_iter().cloned().fold(Collateral::default(), Collateral::with);
        assert_eq!((held.intel().len(), held.intel()[0].issued()), (1, NOW.plus(PERIOD)));
    }
}
