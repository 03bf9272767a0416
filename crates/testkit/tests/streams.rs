//! Tasks over files in chunks: of any size in little memory, and refused whatever the function did when they are bad.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};

use crypto::file::stream::{Header, Reader, Writer};
use crypto::hash::{Sha256, hex, sha256_reader};
use serde_json::{Value, json};
use testkit::Cluster;
use testkit::party::{Party, Task};
use testkit::wire::file_key;
use types::service::Api;

const MIB: u64 = 1 << 20;

/// Plaintext of this size, of which no two 8 bytes in their places are alike.
fn plaintext(size: u64) -> impl Read {
    (0..size.div_ceil(8)).flat_map(|word: u64| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).bytes(size)
}

trait Bytes: Iterator<Item = u8> + Sized {
    fn bytes(self, size: u64) -> io::Take<Iterated<Self>> {
        Iterated(self).take(size)
    }
}

impl<I: Iterator<Item = u8>> Bytes for I {}

struct Iterated<I>(I);

impl<I: Iterator<Item = u8>> Read for Iterated<I> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Ok(out.iter_mut().zip(&mut self.0).map(|(to, byte)| *to = byte).count())
    }
}

/// Puts a file in chunks; what is declared is what `declared` says, and what is sealed what `content` gives.
async fn put(party: &Party<'_>, declared: (u64, [u8; 32]), mut content: impl Read) -> (String, String) {
    let create = json!({
        "type": "Create",
        "file_name": "file",
        "format": "chunked",
        "file_size": declared.0,
        "sha256": hex(&declared.1),
    });
    let created = party.ask(Api::TdfsExternal, create).await;
    let path = created["access_path"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
    let to = BufWriter::new(File::create(&path).expect("a file"));
    let key = file_key(&created["key_config"]);
    let mut writer = Writer::new(to, &key, Header::for_size(declared.0)).expect("a header");
    io::copy(&mut content, &mut writer).expect("sealed");
    writer.finish().expect("sealed").flush().expect("written");
    (created["file_id"].as_str().expect("an id").to_owned(), path)
}

async fn put_good(party: &Party<'_>, size: u64) -> (String, String) {
    let (digest, _) = sha256_reader(plaintext(size)).expect("no failure");
    put(party, (size, digest), plaintext(size)).await
}

/// The digest of a file that somebody can read, and its format.
async fn digest_of(party: &Party<'_>, file: &str) -> ([u8; 32], Value) {
    let info = party.file(file).await["file_info"].clone();
    let (key, size) = (file_key(&info["key_config"]), info["file_size"].as_u64().expect("a size"));
    let stored = File::open(info["access_path"].as_str().expect("a path")).expect("stored");
    let digest = match info["format"].as_str() {
        Some("chunked") => {
            sha256_reader(Reader::new(io::BufReader::new(stored), &key, size).expect("a header")).expect("opens").0
        }
        _ => Sha256::digest(&party.get(file).await),
    };
    (digest, info["format"].clone())
}

/// The most memory that this process had since [`forget_peak`], in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("kibibytes") << 10
}

fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
}

/// The only test of its process that measures: the others' files are small, and they wait for it.
static MEMORY: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn files_of_any_size_need_little_memory() {
    let _alone = MEMORY.write().await;
    let size = 200 * MIB + 12_345;
    let cluster = Cluster::start_with(|config| config.limits.single_bytes = 8 * MIB).await;
    cluster.add_example_users().await;
    let [user1, user2, ..] = cluster.examples();
    let ((large, _), small) = (put_good(&user1, size).await, user2.put(b"small").await);
    let warm_up = user1.create("echo", &[], &[]).await;
    assert_eq!(warm_up.invoke(Some("p")).await["result"], "p");
    let task = user1.create("swap_file", &["user2"], &[&large]).await;
    user2.approve(&task, &[&small]).await;

    forget_peak();
    let before = peak();
    let result = task.invoke(None).await;
    let grown = peak().saturating_sub(before);
    assert!(grown < 64 * MIB, "{} MiB", grown / MIB);

    let shared = result["result"].as_str().unwrap_or_else(|| panic!("{result}"));
    let (digest, _) = sha256_reader(plaintext(size)).expect("no failure");
    let private = user2.look(&task).await["user_private_result_file_id"][0].as_str().expect("an id").to_owned();
    assert_eq!(digest_of(&user2, &private).await, (digest, json!("chunked")));
    let (both, _) = sha256_reader(plaintext(size).chain(&b"small"[..])).expect("no failure");
    assert_eq!(digest_of(&user1, shared).await, (both, json!("chunked")));
    assert_eq!(user1.private_results(&task).await, [b"small"]);
    let spool = cluster.data_dir().join("spool");
    assert_eq!(fs::read_dir(spool).expect("a spool").count(), 0);
}

/// The run fails for what its input is, whatever the function says or does; nobody gets anything of it.
async fn check_refused(participants: &[Party<'_>], task: &Task<'_>, words: &str) {
    let refused = task.invoke(None).await;
    let message = refused["message"].as_str().unwrap_or_else(|| panic!("{refused}"));
    assert_eq!(refused["code"], "precondition_failed", "{refused}");
    assert!(message.contains(words), "{message}");
    for party in participants {
        let seen = party.look(task).await;
        assert_eq!((&seen["status"], &seen["error"]["code"]), (&json!("Failed"), &json!("precondition_failed")));
        assert_eq!((&seen["task_result_file_id"], &seen["user_private_result_file_id"]), (&Value::Null, &json!([])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_fail_every_function_alike() {
    let _others = MEMORY.read().await;
    let cluster = Cluster::start_with_node(|_| {}).await;
    cluster.add_example_users().await;
    let [user1, user2, ..] = cluster.examples();
    let size = 9 * MIB;
    let (other, _) = put(&user1, (size, [7; 32]), plaintext(size)).await;
    let (damaged, path) = put_good(&user1, size).await;
    let mut bytes = fs::read(&path).expect("stored");
    bytes[5_000_000] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let (cut, path) = put_good(&user1, size).await;
    fs::write(&path, &bytes[..bytes.len() - 16 - 65536]).expect("written");
    let (missing, path) = put_good(&user1, size).await;
    fs::remove_file(path).expect("removed");
    let small = user2.put(b"small").await;

    let files = || fs::read_dir(cluster.config().files().trim_start_matches("file://")).expect("a folder").count();
    for (bad, words) in [
        (&other, "another SHA-256 than was declared"),
        (&damaged, "does not verify under the file's key"),
        (&cut, "length does not fit"),
        (&missing, "never uploaded"),
    ] {
        let before = files();
        for function in ["fails", "panics", "naps"] {
            check_refused(&[user1], &user1.create(function, &[], &[bad]).await, words).await;
        }
        let task = user1.create("swap_file", &["user2"], &[bad]).await;
        user2.approve(&task, &[&small]).await;
        check_refused(&[user1, user2], &task, words).await;
        assert_eq!(files(), before, "{words}");
    }
}

/// Small files in chunks are as good as those in one message, for functions that want them whole too.
#[tokio::test(flavor = "multi_thread")]
async fn functions_do_not_notice_the_format() {
    let _others = MEMORY.read().await;
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let [user1, user2, ..] = cluster.examples();
    for size in [0, 1000, 9 * MIB] {
        let size = size / 32 * 32;
        let ((left, _), (right, _)) = (put_good(&user1, size).await, put_good(&user2, size).await);
        let task = user1.create("psi", &["user2"], &[&left]).await;
        user2.approve(&task, &[&right]).await;
        assert_eq!(task.invoke(None).await, json!({"result": "Finished"}));
        let all = vec![1; usize::try_from(size / 32).expect("small")];
        assert!(user1.private_results(&task).await == [all.clone()] && user2.private_results(&task).await == [all]);
    }
    let (file, _) = put(&user1, (3, Sha256::digest(b"HAL")), &b"HAL"[..]).await;
    let task = user1.create("file_bytes_plus_one", &[], &[&file]).await;
    assert_eq!(task.invoke(None).await["result"], "IBM");
}
