//! TCB info, QE identity and revocation lists, signed (Intel PCS API, version 4).

use attest::platform::Platform;
use crypto::hash::hex;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::authority::Forge;
use crate::machine::{CPU_SVN, Level, Machine, PCE_SVN};
use crate::quote::{QE_ATTRIBUTES, QE_MRSIGNER, QE_SVN, SEAM_MRSIGNER, qe_product};

/// Everything in one JSON document.
pub(crate) fn json(forge: &Forge, machine: &Machine, platform: Platform, revoked: Option<u64>) -> Vec<u8> {
    let tcb_info = tcb_info(forge, machine, platform).to_string();
    let qe_identity = qe_identity(forge, machine, platform).to_string();
    let signer = [forge.tcb_certificate.pem(), forge.root.pem()].concat();
    let sign = |document: &str| hex(&forge.tcb_key.sign_fixed(document.as_bytes()));
    let authority = [forge.pck_ca.pem(), forge.root.pem()].concat();
    let document = json!({
        "pck_crl_issuer_chain": authority,
        "root_ca_crl": hex(&forge.root_revocation_list()),
        "pck_crl": hex(&forge.revocation_list(&forge.pck_ca, revoked)),
        "tcb_info_issuer_chain": signer,
        "tcb_info_signature": sign(&tcb_info),
        "tcb_info": tcb_info,
        "qe_identity_issuer_chain": signer,
        "qe_identity_signature": sign(&qe_identity),
        "qe_identity": qe_identity,
    });
    document.to_string().into_bytes()
}

fn tcb_info(forge: &Forge, machine: &Machine, platform: Platform) -> Value {
    let [issued, next] = forge.period().map(rfc3339);
    let mut document = json!({
        "id": if platform == Platform::Tdx { "TDX" } else { "SGX" },
        "version": 3,
        "issueDate": issued,
        "nextUpdate": next,
        "fmspc": hex(&machine.fmspc).to_uppercase(),
        "pceId": hex(&machine.pce_id),
        "tcbType": 0,
        "tcbEvaluationDataNumber": machine.tcb_evaluation,
        "tcbLevels": machine.levels.iter().map(level).collect::<Vec<_>>(),
    });
    if platform == Platform::Tdx {
        document["tdxModule"] = json!({
            "mrsigner": hex(&SEAM_MRSIGNER),
            "attributes": "0000000000000000",
            "attributesMask": "FFFFFFFFFFFFFFFF",
        });
    }
    document
}

fn level(level: &Level) -> Value {
    let components = |svn: [u8; 16]| svn.map(|svn| json!({ "svn": svn })).to_vec();
    json!({
        "tcb": {
            "sgxtcbcomponents": components([CPU_SVN; 16]),
            "pcesvn": PCE_SVN,
            "tdxtcbcomponents": components(crate::quote::tee_tcb_svn(level.svn)),
        },
        "tcbDate": level.date,
        "tcbStatus": level.status,
        "advisoryIDs": level.advisories,
    })
}

fn qe_identity(forge: &Forge, machine: &Machine, platform: Platform) -> Value {
    let [issued, next] = forge.period().map(rfc3339);
    json!({
        "id": if platform == Platform::Tdx { "TD_QE" } else { "QE" },
        "version": 2,
        "issueDate": issued,
        "nextUpdate": next,
        "tcbEvaluationDataNumber": machine.tcb_evaluation,
        "miscselect": "00000000",
        "miscselectMask": "ffffffff",
        "attributes": hex(&QE_ATTRIBUTES),
        "attributesMask": "ffffffffffffffffffffffffffffffff",
        "mrsigner": hex(&QE_MRSIGNER),
        "isvprodid": qe_product(platform),
        "tcbLevels": [{ "tcb": { "isvsvn": QE_SVN }, "tcbDate": "2026-01-01T00:00:00Z", "tcbStatus": "UpToDate" }],
    })
}

fn rfc3339(at: OffsetDateTime) -> String {
    let (hour, minute, second) = at.time().as_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", at.date())
}
