//! Writes a small corpus for every target: `cargo run --example seeds`, in this folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use attest::attester::PlatformSealer;
use attest::authority::{CertificateAuthority, LeafRequest};
use attest::claims::Measurement;
use attest::evidence::ReportData;
use attest::extension::{attest_key, decode_extension};
use attest::leaf::LeafKey;
use attest::manifest::Manifest;
use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::Envelope;
use attest::manifest::signing::AuditorSecret;
use attest::reference::ReferenceValues;
use attest::simulated::{SimulatedAttester, SimulatedRoot, SimulatedSealer};
use attest::snp::table::{Certificates, Vek};
use attest::tpm::PcrSelection;
use attest::validity::Validity;
use crypto::SealingKey;
use crypto::file::stream::Header;
use crypto::hash::parse_hex;
use executor::memory::MemoryFiles;
use executor::{Limits, Output, StopSignal};
use forge::tpm::ForgedTpm;
use kms::root_key::{FILE_NAME, RecoverySecret, Root, Seeds, share_files};
use types::service::Role;
use types::time::UnixMillis;

/// As in the targets.
const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

const REQUESTS: [&str; 58] = [
    r#"{"type":"Create"}"#,
    r#"{"type":"Get","key_id":"k"}"#,
    r#"{"type":"Delete","key_id":"k"}"#,
    r#"{"type":"Create","file_name":"f","sha256":"0000000000000000000000000000000000000000000000000000000000000000","file_size":1,"user_id":"u","user_token":"t"}"#,
    r#"{"type":"Get","file_id":"f","user_id":"u","user_token":"t"}"#,
    r#"{"type":"List","user_id":"u","user_token":"t","limit":5,"cursor":"c"}"#,
    r#"{"type":"Delete","file_id":"f","user_id":"u","user_token":"t"}"#,
    r#"{"type":"Create","sha256":"0000000000000000000000000000000000000000000000000000000000000000","file_size":1,"user_id":"u","task_id":"t","collaborator_list":["v"],"allow_policy":1}"#,
    r#"{"type":"Get","file_id":"f"}"#,
    r#"{"type":"Authenticate","user_id":"u","user_token":"t"}"#,
    r#"{"type":"Users","user_ids":["u","v"]}"#,
    r#"{"type":"Hold","task_id":"t","user_id":"u","files":["f"]}"#,
    r#"{"type":"End","task_id":"t","outputs":["f"]}"#,
    r#"{"type":"Create","function_name":"psi","collaborator_list":["v"],"files":["f"],"user_id":"u","user_token":"t"}"#,
    r#"{"type":"Create","function_name":"psi","collaborator_list":["v"],"files":["f"],"terms":{"minimum_group":10},"user_id":"u","user_token":"t"}"#,
    r#"{"type":"Get","task_id":"t","user_id":"u","user_token":"t"}"#,
    r#"{"type":"Update","task_id":"t","files":["f"],"user_id":"u","user_token":"t"}"#,
    r#"{"type":"List","user_id":"u","user_token":"t"}"#,
    r#"{"type":"Upload","file_id":"f","parts":[0,1],"received":true,"user_id":"u","user_token":"t"}"#,
    r#"{"type":"CompleteUpload","file_id":"f","sha256":"0000000000000000000000000000000000000000000000000000000000000000","file_size":1,"user_id":"u","user_token":"t"}"#,
    r#"{"type":"BringFiles","task_id":"t","files":["f"],"user_id":"u","user_token":"t"}"#,
    r#"{"type":"SetPayload","task_id":"t","payload_sha256":null,"user_id":"u","user_token":"t"}"#,
    r#"{"type":"Withdraw","task_id":"t","user_id":"u","user_token":"t"}"#,
    r#"{"type":"GetManifest","task_id":"t","user_id":"u","user_token":"t"}"#,
    r#"{"type":"GetReceipt","task_id":"t","user_id":"u","user_token":"t"}"#,
    r#"{"type":"GetCheckpoint","from":1,"user_id":"u","user_token":"t"}"#,
    r#"{"type":"ListLog","limit":5,"cursor":"c","task_id":"t","from":1,"user_id":"u","user_token":"t"}"#,
    r#"{"type":"ProveLog","index":0,"from":1,"user_id":"u","user_token":"t"}"#,
    r#"{"type":"GetKey","user_id":"u","user_token":"t"}"#,
    r#"{"type":"SetKey","key":"AAAA","required":true,"version":1,"signature":"AAAA","previous_signature":"AAAA","user_id":"u","user_token":"t"}"#,
    r#"{"type":"ResetKey","user_id":"u"}"#,
    r#"{"type":"RegisterFunction","function_name":"f","file_id":"f","declaration":{"language":"Wasm","function_type":"Either","payload":"NamesInput","inputs":{"min":1,"max":2,"from_every_party":true},"outputs":["Owner","Creator","Shared"],"random":true,"limits":{"memory_bytes":1,"cpu_ms":1,"wall_ms":1,"output_bytes":1,"outputs":1},"imports":["m::f"]},"summary":"s","schema":"{}","public":true,"allow":["v"],"user_id":"u","user_token":"t"}"#,
    r#"{"type":"GetFunction","function_name":"f@1","user_id":"u","user_token":"t"}"#,
    r#"{"type":"ListFunctions","user_id":"u","user_token":"t","limit":5,"cursor":"f"}"#,
    r#"{"type":"DisableFunction","function_name":"f","user_id":"u","user_token":"t"}"#,
    r#"{"type":"Get","task_id":"t"}"#,
    r#"{"type":"Update","task_id":"t","task_result_file_id":null,"output_files":[{"user_id":"u","file_id":"f"}],"status":"Running","lease_id":"l","node":"127.0.0.1:1","error":{"type":"Error","code":"internal","message":"m"}}"#,
    r#"{"type":"Renew","task_id":"t","lease_id":"l"}"#,
    r#"{"type":"Register","node":"[::1]:1","started":true,"functions":[]}"#,
    r#"{"task_id":"t","function_name":"echo","task_token":"t","payload":"p"}"#,
    r#"{"type":"AddUser","user_id":"u","token":"t"}"#,
    r#"{"type":"ListUsers"}"#,
    r#"{"type":"RotateToken","user_id":"u"}"#,
    r#"{"type":"DisableUser","user_id":"u"}"#,
    r#"{"type":"SetQuota","user_id":"u","files":{"at_most":5},"bytes":"unbounded"}"#,
    r#"{"type":"Usage","user_id":"u","user_token":"t"}"#,
    r#"{"type":"ListKeys","limit":5,"cursor":"k"}"#,
    r#"{"type":"SetPolicy","file_id":"f","policy":{"functions":[{"name":"psi","version":1}],"collaborators":["v"],"recipients":["v"],"uses":3,"not_after_ms":1,"purpose":"p","minimum_trust":"tpm","minimum_group":10},"user_id":"u","user_token":"t"}"#,
    r#"{"type":"SetPolicy","key_id":"k","policy":{"file_id":"f","owner":"u","policy":{"uses":3}}}"#,
    r#"{"type":"Release","task_id":"t","lease_id":"l","files":[{"file_id":"f","key_id":"k"}]}"#,
    r#"{"type":"Begin","task_id":"t","lease_id":"l"}"#,
    r#"{"type":"Check","repair":true,"delete_unreadable":true,"older_than_hours":1,"moved":true}"#,
    r#"{"type":"Rotate"}"#,
    r#"{"type":"Follow"}"#,
    r#"{"type":"SetRecovery","threshold":2,"keys":["teehouse-recovery-public-1 a 00 00"]}"#,
    r#"{"type":"Reseal","keep":true}"#,
    r#"{"type":"AddPeer","peer":"h:1"}"#,
    r#"{"type":"RemoveSlot","slot":1,"leave_locked":true}"#,
];

/// Documents of consent in canonical form, and an envelope.
const CONSENT: [&str; 7] = [
    r#"{"approval":{"exact":false},"approvers":["alice"],"created_ms":1,"function":{"digest":"DIGEST","name":"echo","version":1},"inputs":[],"limits":{"runs":1,"time_ms":1},"minimum_trust":"simulated","outputs":[],"parties":["alice"],"payload":"any","schema":1,"task_id":"t"}"#,
    r#"{"manifest":"DIGEST","schema":1,"task_id":"t","user_id":"alice"}"#,
    r#"{"key":"","required":true,"schema":1,"user_id":"alice","version":1}"#,
    r#"{"functions":[{"name":"psi","version":1}],"not_after_ms":1,"purpose":"p","uses":1}"#,
    r#"{"ended_ms":1,"lease_id":"l","manifest_sha256":"DIGEST","outputs":[],"schema":1,"started_ms":1,"status":"Finished","task_id":"t"}"#,
    r#"{"at_ms":1,"before":"Ready","deployment":"house","manifest_sha256":"DIGEST","schema":1,"task_id":"t","user_id":"alice"}"#,
    r#"{"payloadType":"application/vnd.teehouse.run+json","payload":"e30=","signatures":[{"keyid":"DIGEST","sig":""}],"signer":{"key":"","evidence":"","at_ms":1}}"#,
];

/// Quotes of real machines with their collateral: the data of `attest`'s tests.
const QUOTES: [(&[u8], &[u8]); 3] = [
    (
        include_bytes!("../../crates/attest/tests/data/dcap/sgx-v3.quote"),
        include_bytes!("../../crates/attest/tests/data/dcap/sgx-v3.json"),
    ),
    (
        include_bytes!("../../crates/attest/tests/data/dcap/tdx-v4.quote"),
        include_bytes!("../../crates/attest/tests/data/dcap/tdx-v4.json"),
    ),
    (
        include_bytes!("../../crates/attest/tests/data/dcap/tdx-v5-ex.quote"),
        include_bytes!("../../crates/attest/tests/data/dcap/tdx-v5-ex.json"),
    ),
];

/// URLs that nobody signed: the target signs what they say.
const FILE_URLS: [&str; 3] = [
    "f?operation=upload&expires=1795435200000&signature=",
    "f?operation=upload&part=3&expires=1795435200001&signature=AAAA",
    "f?operation=download&expires=1&signature=AAAA",
];

/// Tables, and lists of columns.
const TABLES: [&[u8]; 7] = [
    b"id,name,amount,day\n1,a,1.5,2024-01-01\n2,\"b, c\nd\",,2024-01-02",
    b"\xef\xbb\xbfa,b\r\ntrue,2024-01-01T00:00:00Z\r\n",
    b"id:int,name:text,amount:float?,day:date",
    br#"[{"name":"id","type":"int"},{"name":"note","type":"text?"}]"#,
    include_bytes!("../../crates/learning/tests/reference/iris_none.parquet"),
    include_bytes!("../../crates/learning/tests/reference/missing.parquet"),
    include_bytes!("../../crates/learning/tests/reference/nested.parquet"),
];

/// Files for the functions that learn, beside tables: an image and two models of ONNX.
const FOREIGN: [(&str, &[u8]); 4] = [
    ("image_resize", include_bytes!("../../crates/learning/tests/reference/picture.png")),
    ("image_resize", include_bytes!("../../crates/learning/tests/reference/photo.jpg")),
    ("onnx_predict", include_bytes!("../../crates/learning/tests/reference/rows.onnx")),
    ("onnx_predict", include_bytes!("../../crates/learning/tests/reference/picture.onnx")),
];

fn main() {
    for (number, request) in REQUESTS.iter().enumerate() {
        write("requests", number, request.as_bytes());
        write("frames", number, &framed(request.as_bytes()));
    }
    for (number, role) in Role::ALL.into_iter().enumerate() {
        let (certificate, extension, evidence) = attested(role);
        write("certificate", number, &certificate);
        write("evidence", 2 * number, &extension);
        write("evidence", 2 * number + 1, &evidence);
    }
    for (number, (quote, collateral)) in QUOTES.iter().enumerate() {
        write("quote", number, quote);
        write("evidence", 100 + number, quote);
        write("collateral", 2 * number, collateral);
        write("collateral", 2 * number + 1, &answers(collateral));
    }
    let payload = manifest();
    write("manifest", 0, &payload);
    write("manifest", 1, &signed(payload));
    let house = "house".parse().expect("a name");
    let pair = crypto::sign::Ed25519KeyPair::from_seed(&[7; 32]);
    let checkpoint = consent::log::checkpoint::Checkpoint { size: 17, root: [5; 32] }.text(&house);
    let name = consent::log::checkpoint::origin(&house);
    let note = consent::log::note::write(&checkpoint, &name, &pair.public_key(), &pair.sign(checkpoint.as_bytes()));
    write("checkpoint", 0, checkpoint.as_bytes());
    write("checkpoint", 1, note.as_bytes());
    write("log_entry", 0, &log_entry());
    for (number, document) in CONSENT.iter().enumerate() {
        write("consent", number, document.replace("DIGEST", &"ab".repeat(32)).as_bytes());
    }
    write("log_proof", 0, &[[63, 41, 3, 77, 0, 0, 0, 0].as_slice(), &[9; 96]].concat());
    write("manifest", 2, include_bytes!("../../crates/attest/tests/data/manifest/house.manifest.json"));
    for (number, evidence) in snp().into_iter().enumerate() {
        write("snp", number, &evidence);
    }
    for (number, tpm) in [ForgedTpm::ecdsa(), ForgedTpm::rsassa(), ForgedTpm::rsapss()].into_iter().enumerate() {
        let pcrs = PcrSelection::default();
        let values = vec![[0; 32]; pcrs.iter().count()];
        write("tpm", number, tpm.evidence(pcrs, &values, &ReportData([0; 64])).bytes());
    }
    for (number, content) in [&b""[..], b"value", &[9; 300]].into_iter().enumerate() {
        write("sealed_record", number, content);
        write("sealed_file", number, content);
    }
    for (number, seed) in file_stream().into_iter().enumerate() {
        write("file_stream", number, &seed);
    }
    write("wasm", 0, include_bytes!("../../crates/executor/tests/wasm/probe.wasm"));
    write("wasm", 1, b"\0asm\x01\0\0\0");
    write("wasm", 2, b"\0asm\x0d\0\x01\0");
    for (number, seed) in learning_seeds().into_iter().enumerate() {
        write("learning", number, &seed);
    }
    for (number, text) in FILE_URLS.iter().enumerate() {
        write("file_url", number, text.as_bytes());
    }
    for (number, seed) in archives().into_iter().enumerate() {
        write("archive", number, &seed);
    }
    for (number, seed) in TABLES.iter().enumerate() {
        write("table", number, seed);
    }
    write("upload_journal", 0, journal().as_bytes());
    for (number, text) in root_texts().into_iter().enumerate() {
        write("root_file", number, &text);
    }
}

fn write(target: &str, number: usize, bytes: &[u8]) {
    let dir = Path::new("corpus").join(target);
    fs::create_dir_all(&dir).expect("a folder");
    fs::write(dir.join(format!("seed-{number}")), bytes).expect("a file");
}

/// What a PCCS would answer, a line for each part, up to the revocation lists.
fn answers(collateral: &[u8]) -> Vec<u8> {
    let document: serde_json::Value = serde_json::from_slice(collateral).expect("JSON");
    let text = |name: &str| document[name].as_str().expect("a string");
    let body = |noun: &str, name: &str| {
        format!(r#"{{"{noun}":{},"signature":"{}"}}"#, text(name), text(&format!("{name}_signature")))
    };
    let header = |name: &str| text(name).replace('\n', "%0A").replace(' ', "%20");
    let lines = [
        body("tcbInfo", "tcb_info"),
        header("tcb_info_issuer_chain"),
        body("enclaveIdentity", "qe_identity"),
        header("qe_identity_issuer_chain"),
    ];
    lines.join("\n").into_bytes()
}

/// Two frames in pieces of 7 bytes under a limit of 1024, as the target reads its input.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u64).to_be_bytes();
    [&[7, 0, 4][..], &length, body, &length, body].concat()
}

fn auditor() -> AuditorSecret {
    AuditorSecret::from_pem(include_str!("../simulated-root.pem")).expect("the seeds' key")
}

/// An entry of the log about a task of two parties.
fn log_entry() -> Vec<u8> {
    let user = |name: &str| name.parse::<types::user::UserId>().expect("a name");
    let link = types::digest::Digest::new([0xcd; 32]);
    let event = types::log::Event::Created {
        task_id: "5ef0cfc7-11e9-445a-8c46-23790ea86819".parse().expect("an id"),
        manifest: Some(types::digest::Digest::new([0xab; 32])),
        user_id: user("alice"),
        approved: true,
        function_name: "psi".to_owned(),
    };
    let (at, salt) = (UnixMillis(1_795_435_200_000), types::log::Salt([1; 16]));
    let entry = consent::log::entry::new(at, salt, [(user("alice"), Some(link)), (user("bob"), None)], event);
    consent::log::entry::to_bytes(&entry).expect("small numbers")
}

/// The payload of a manifest that accepts something.
fn manifest() -> Vec<u8> {
    let named = Auditor { name: "fuzz".to_owned(), key: auditor().public() };
    let root = SimulatedRoot::from_pem(include_str!("../simulated-root.pem")).expect("the seeds' key");
    let values = |role| ReferenceValues::exactly([Measurement::simulated(role, b"fuzz")]);
    let manifest = Manifest {
        deployment: "fuzz".parse().expect("a name"),
        version: 1,
        issued: NOW,
        expires: NOW.plus(Duration::from_secs(24 * 3600)),
        previous: None,
        auditors: Auditors::new(1, vec![named]).expect("one auditor of whom one signs"),
        replaces: None,
        ca_sha256: None,
        danger_simulated_root: Some(root.public()),
        roles: Role::ALL.into_iter().map(|role| (role, values(role))).collect(),
    };
    manifest.to_bytes()
}

fn signed(payload: Vec<u8>) -> Vec<u8> {
    let mut envelope = Envelope::unsigned(payload);
    envelope.add(auditor().sign(&envelope));
    envelope.to_bytes()
}

/// A real report, alone and with its certificate, and its table.
fn snp() -> [Vec<u8>; 3] {
    let report = include_str!("../../crates/attest/tests/data/snp/report_milan.hex").trim().to_ascii_lowercase();
    let report: [u8; 1184] = parse_hex(&report).expect("a report");
    let vcek = include_bytes!("../../crates/attest/tests/data/snp/vcek_milan.der");
    let table = Certificates { vek: Some(Vek::Vcek(vcek)), authority: None }.to_table();
    [report.to_vec(), [&report[..], &table].concat(), table]
}

/// Input of the target as it is read: lengths and places in front, the strange bytes and what counts them behind; among
/// them a header that is right.
fn file_stream() -> [Vec<u8>; 3] {
    let header = Header::for_size(0).encode();
    [vec![0; 16], vec![0x21; 64], [&header[..], &[9; 100], &[0; 16]].concat()]
}

/// A folder, files, a link that stays and one that leads out, and a long name.
fn archives() -> [Vec<u8>; 2] {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, path: &str, target: Option<&str>, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        match target {
            Some(target) => builder.append_link(&mut header, path, target),
            None => builder.append_data(&mut header, path, content),
        }
        .expect("memory");
    };
    add(tar::EntryType::Directory, "d/", None, b"");
    add(tar::EntryType::Regular, "d/file", None, b"content");
    add(tar::EntryType::Symlink, "d/link", Some("../other"), b"");
    add(tar::EntryType::Regular, "other", None, b"");
    add(tar::EntryType::Regular, &format!("{}/long", "x".repeat(120)), None, b"1");
    let good = builder.into_inner().expect("memory");
    let mut bad = good[..1536].to_vec();
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_path("out").expect("a short path");
    header.set_link_name("../..").expect("a short path");
    header.set_size(0);
    header.set_cksum();
    bad.extend_from_slice(header.as_bytes());
    [good, bad]
}

/// What a client keeps of an upload.
fn journal() -> String {
    let header = crypto::hash::hex(&Header::for_size(1).encode());
    let source = r#"{"device":1,"inode":2,"size":1,"changed_seconds":3,"changed_nanoseconds":4}"#;
    format!(r#"{{"file_id":"f","header":"{header}","source":{source}}}"#)
}

/// For each function a table; for each that applies a model, what its other half learns; and [`FOREIGN`].
fn learning_seeds() -> Vec<Vec<u8>> {
    let functions = learning::builtins();
    let number = |name: &str| functions.iter().position(|function| function.interface().name == name);
    let seed = |at: usize, content: &[u8]| [&[u8::try_from(at).expect("few functions")], content].concat();
    let table = b"1,2,3,a\n2,1,4,b\n3,5,1,a\n4,4,2,b\n5,1,1,a\n6,2,5,b\n";
    let mut seeds: Vec<_> = (0..functions.len()).map(|at| seed(at, table)).collect();
    for function in &functions {
        let trained =
            function.interface().name.strip_suffix("_train").and_then(|name| number(&format!("{name}_predict")));
        let Some(predict) = trained else { continue };
        seeds.extend([&table[..], b"1,2,3\n2,1,4\n3,5,1\n4,4,2\n5,1,1\n"].into_iter().filter_map(|table| {
            let mut files = MemoryFiles::new([table]);
            executor::run(&**function, Some("{}"), &mut files, &Limits::default(), &StopSignal::new()).ok()?;
            Some(seed(predict, &files.output(Output::Creator)?))
        }));
    }
    seeds.extend(FOREIGN.iter().filter_map(|(name, content)| Some(seed(number(name)?, content))));
    seeds
}

/// A root with every kind of slot but a blob, a share, and both halves of a recovery key.
fn root_texts() -> [Vec<u8>; 4] {
    let dir = Path::new("corpus").join("root");
    fs::create_dir_all(&dir).expect("a folder");
    let sealer = SimulatedSealer::default().with_key(Role::Kms, SealingKey::from_bytes([7; 32]));
    let sealer = PlatformSealer::Key(Box::new(sealer));
    let holder = RecoverySecret::generate("alice".parse().expect("a name"));
    let seeds = Seeds::generate_beside(SealingKey::from_bytes([7; 32]));
    let mut root = Root::create(&dir, seeds, &sealer, NOW).expect("a root");
    root.rotate(&sealer, NOW).expect("another generation");
    root.add_peer("kms-1", NOW).expect("a peer");
    root.set_recovery(1, &[holder.public()], NOW).expect("a set");
    let share = share_files(&dir).expect("a root").expect("a set")[0].to_bytes();
    let file = fs::read(dir.join(FILE_NAME)).expect("a root");
    fs::remove_dir_all(&dir).expect("the folder");
    let secret = holder.danger_to_text();
    [file, share, holder.public().to_text().into_bytes(), secret.expose().as_bytes().to_vec()]
}

/// A certificate, its evidence extension, and the evidence in that.
fn attested(role: Role) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let root = SimulatedRoot::from_pem(include_str!("../simulated-root.pem")).expect("the seeds' key");
    let day = Duration::from_secs(24 * 3600);
    let validity = Validity::starting(NOW, day);
    let attester = SimulatedAttester::new(Arc::new(root), role, b"fuzz").with_lifetime(day);
    let authority = CertificateAuthority::generate("fuzz".parse().expect("a name"), validity).expect("a CA");
    let key = LeafKey::generate().public();
    let extension = attest_key(&attester, key.spki(), NOW).expect("simulated platforms answer");
    let request = LeafRequest {
        role,
        public_key: &key,
        dns_names: &["localhost".to_owned()],
        ip_addresses: &["127.0.0.1".parse().expect("an address")],
        evidence: &extension,
        validity,
    };
    let certificate = authority.issue(&request).expect("a certificate");
    let evidence = decode_extension(&extension).expect("just made").evidence.encode();
    (certificate, extension, evidence)
}
