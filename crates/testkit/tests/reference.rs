//! The reference's examples, field for field, over both protocols.

use serde_json::{Value, json};
use testkit::{Cluster, Protocol};
use types::service::Api;

const BOTH: [Protocol; 2] = [Protocol::Framed, Protocol::Http1];

/// The keys of an object, in the order in which it was written.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn check_keys(value: &Value, expected: &[&str]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(keys(value), expected, "{value}");
}

fn records(letters: &str) -> Vec<u8> {
    letters.bytes().flat_map(|letter| [letter; 32]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_psi_example_comes_out_as_documented() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let left = cluster.put("user1", "token1", &records("abde")).await;
    let right = cluster.put("user2", "token2", &records("bcd")).await;
    for protocol in BOTH {
        let create = json!({"type": "Create", "function_name": "psi", "collaborator_list": ["user2"],
            "files": [left], "user_id": "user1", "user_token": "token1"});
        let created = cluster.call(protocol, Api::TmsExternal, &create).await;
        check_keys(&created, &["type", "task_id", "task_token", "ip", "port"]);
        let task = &created["task_id"];

        let get = json!({"type": "Get", "task_id": task, "user_id": "user1", "user_token": "token1"});
        let found = cluster.call(protocol, Api::TmsExternal, &get).await;
        assert_eq!(found["task_info"]["status"], "Created");
        assert_eq!(found["task_info"]["collaborator_list"], json!([{"user_id": "user2", "approved": false}]));

        let approve = json!({"type": "Update", "task_id": task, "files": [right],
            "user_id": "user2", "user_token": "token2"});
        let approved = cluster.call(protocol, Api::TmsExternal, &approve).await;
        assert_eq!(
            approved,
            json!({"type": "Update", "success": true, "status": "Ready", "ip": created["ip"],
                "port": created["port"], "task_token": created["task_token"]})
        );

        let inside = cluster.call(protocol, Api::TmsInternal, &json!({"type": "Get", "task_id": task})).await;
        assert_eq!(
            inside["task_info"]["input_files"],
            json!([{"user_id": "user1", "file_id": left}, {"user_id": "user2", "file_id": right}])
        );

        let invoke = json!({"task_id": task, "function_name": "psi", "task_token": created["task_token"],
            "payload": null});
        let ran = cluster.call(protocol, Api::FnsExternal, &invoke).await;
        assert_eq!(ran, json!({"result": "Finished"}));

        for (user, token, expected, sha256) in [
            ("user1", "token1", &[0, 1, 1, 0][..], "d5e2d2ac07b741be58f6b9e50ede5fdcf16f3e8053ecef9350e7744b0d8bd90c"),
            ("user2", "token2", &[1, 0, 1], "85f90dfea1d8027e1463e5ca971a250110a20df0119d204a74220bc63516d15b"),
        ] {
            let get = json!({"type": "Get", "task_id": task, "user_id": user, "user_token": token});
            let info = &cluster.call(protocol, Api::TmsExternal, &get).await["task_info"];
            assert_eq!(info["status"], "Finished");
            let own = info["user_private_result_file_id"].as_array().expect("a list");
            let [id] = own.as_slice() else { panic!("one private result, not {own:?}") };
            let id = id.as_str().expect("an id");
            let get = json!({"type": "Get", "file_id": id, "user_id": user, "user_token": token});
            let file = &cluster.call(protocol, Api::TdfsExternal, &get).await["file_info"];
            assert_eq!((&file["sha256"], &file["file_size"]), (&json!(sha256), &json!(expected.len())));
            assert_eq!((&file["file_name"], &file["task_id"]), (task, task));
            assert_eq!(cluster.get(user, token, id).await, expected);
        }
    }
    cluster.stop().await;
}
