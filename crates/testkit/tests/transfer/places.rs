//! Where a client looks for ciphertext first: on the server's disk if it is this one, and nowhere else by accident.

use std::fs;

use testkit::Cluster;
use types::file::Format;

use crate::scene::{content, get, put_bytes, remote};

/// The server's path exists on this machine, and is another folder: nothing is written there, nothing is read there.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_the_same_name_on_another_disk_is_not_the_servers() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let client = cluster.client("user1", "token1");
    let shared = put_bytes(&client, b"shared", Format::Chunked).await.file_id;
    // The folder that the client sees is another one from here on; the server keeps the volume it opened.
    let files = std::path::PathBuf::from(cluster.config().files());
    fs::write(files.join(".volume"), "f".repeat(32)).expect("written");
    for format in [Format::Single, Format::Chunked] {
        let bytes = content(100_000);
        let stored = put_bytes(&client, &bytes, format).await.file_id;
        assert!(get(&client, &stored).await == bytes);
    }
    assert_eq!(get(&client, &shared).await, b"shared");
    cluster.stop().await;
}

/// What is changed on the disk is refused over the network too, byte by byte, and cut anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn changed_ciphertext_is_refused_wherever_it_comes_from() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let (far, near) = (remote(&cluster, None), cluster.client("user1", "token1"));
    for format in [Format::Single, Format::Chunked] {
        let bytes = content(150_000);
        let file = put_bytes(&far, &bytes, format).await.file_id;
        let path = std::path::Path::new(&cluster.config().files()).join(file.as_str());
        let good = fs::read(&path).expect("it is there");
        let places = [0, 9, 40, 63, 64, 65, 70_000, good.len() / 2, good.len() - 17, good.len() - 1];
        let mut bad: Vec<Vec<u8>> = places.iter().map(|at| flipped(&good, *at)).collect();
        bad.extend([&good[..0], &good[..64], &good[..64 + 65_552], &good[..good.len() - 1]].map(<[u8]>::to_vec));
        bad.push([&good[..], b"x"].concat());
        for changed in bad {
            fs::write(&path, &changed).expect("written");
            for client in [&far, &near] {
                let refused = client.get_file(&file, |_, _| {}).await.expect_err("changed");
                assert!(matches!(refused, client::FileError::NotAsDeclared { .. }), "{refused:?}");
            }
        }
        fs::write(&path, &good).expect("written");
        assert!(get(&far, &file).await == bytes);
    }
    cluster.stop().await;
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    changed
}
