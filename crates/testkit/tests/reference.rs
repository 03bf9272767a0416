//! The reference's 16 requests and answers, field for field and byte for byte, over every protocol.
//!
//! Answers are compared as text: clients of the original system match them with regular expressions.

use serde_json::{Value, json};
use testkit::channel::{Answer, Channel};
use testkit::template::check_like;
use testkit::{Cluster, Protocol, wire};
use types::service::Api;

const SHA256: &str = "233b51fc70dcc0c0ecb4e6ed9dc32d4c421a54859d069ec87fa836cf8c8aeb44";
const KEY: &str = r#"{"key":"<base64 32>","nonce":"<base64 12>","ad":"<base64 5>"}"#;

/// What a record has beyond the reference, before its ciphertext is there and after.
const REST: &str = r#","format":"single","created_ms":<number>,"volume":"<hex32>""#;
const REST_STORED: &str = r#","format":"single","created_ms":<number>,"download_url":"<text>","volume":"<hex32>""#;

/// One test's cluster, spoken to in one protocol, over one connection per API.
struct Talk {
    cluster: Cluster,
    protocol: Protocol,
    channels: Vec<(Api, Channel)>,
}

impl Talk {
    async fn start(protocol: Protocol) -> Self {
        let cluster = Cluster::start().await;
        cluster.add_example_users().await;
        Talk { cluster, protocol, channels: Vec::new() }
    }

    async fn send(&mut self, api: Api, request: &str) -> Answer {
        if !self.channels.iter().any(|(open, _)| *open == api) {
            self.channels.push((api, self.cluster.open(self.protocol, api).await));
        }
        let (_, channel) = self.channels.iter_mut().find(|(open, _)| *open == api).expect("just opened");
        channel.send(request).await.expect("an answer")
    }

    /// Sends a request that must succeed with an answer like the example; returns what the example leaves open.
    async fn check(&mut self, api: Api, request: &str, example: &str) -> Vec<String> {
        let answer = self.send(api, request).await;
        assert!(matches!(answer.status, None | Some(200)), "{answer:?}");
        check_like(&answer.text, example)
    }

    /// Sends a request that must fail with this code, and with the status that goes with it.
    async fn check_error(&mut self, api: Api, request: &str, code: &str, status: u16) {
        let answer = self.send(api, request).await;
        let example = format!(r#"{{"type":"Error","code":"{code}","message":"<text>","request_id":"<uuid>"}}"#);
        check_like(&answer.text, &example);
        assert!(answer.status.is_none() || answer.status == Some(status), "{answer:?}");
    }
}

/// Plays a part of the reference in every protocol, each on a cluster of its own.
async fn in_every_protocol(play: impl AsyncFn(Talk)) {
    for protocol in Protocol::ALL {
        play(Talk::start(protocol).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_returned_and_removed() {
    in_every_protocol(async |mut talk| {
        let example = format!(r#"{{"type":"Create","key_id":"<uuid>","config":{KEY}}}"#);
        let made = talk.check(Api::Kms, r#"{"type":"Create"}"#, &example).await;
        let [id, key @ ..] = &made[..] else { panic!("a key: {made:?}") };
        let config = format!(r#"{{"key":"{}","nonce":"{}","ad":"{}"}}"#, key[0], key[1], key[2]);
        for verb in ["Get", "Get", "Delete"] {
            let request = format!(r#"{{"type":"{verb}","key_id":"{id}"}}"#);
            talk.check(Api::Kms, &request, &format!(r#"{{"type":"{verb}","config":{config}}}"#)).await;
        }
        for verb in ["Get", "Delete"] {
            let request = format!(r#"{{"type":"{verb}","key_id":"{id}"}}"#);
            talk.check_error(Api::Kms, &request, "not_found", 404).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_files_are_declared_returned_listed_and_removed() {
    in_every_protocol(async |mut talk| {
        let mut ids = Vec::new();
        // The original system's SDK sends an empty name.
        for name in ["file", ""] {
            let create = format!(
                r#"{{"type":"Create","file_name":"{name}","sha256":"{SHA256}","file_size":128,"user_id":"user1","user_token":"token1"}}"#
            );
            let example = format!(r#"{{"type":"Create","file_id":"<uuid>","access_path":"<text>","key_config":{KEY},"upload_url":"<text>","volume":"<hex32>"}}"#);
            let made = talk.check(Api::TdfsExternal, &create, &example).await;
            let [id, path, key, nonce, ad, ..] = &made[..] else { panic!("a file: {made:?}") };
            assert!(path.starts_with('/') && path.ends_with(id), "{path}");
            let info = format!(
                r#"{{"user_id":"user1","file_name":"{name}","sha256":"{SHA256}","file_size":128,"access_path":"{path}","task_id":null,"collaborator_list":[],"key_config":{{"key":"{key}","nonce":"{nonce}","ad":"{ad}"}}{REST}}}"#
            );
            let get = format!(r#"{{"type":"Get","file_id":"{id}","user_id":"user1","user_token":"token1"}}"#);
            talk.check(Api::TdfsExternal, &get, &format!(r#"{{"type":"Get","file_info":{info}}}"#)).await;
            ids.insert(0, (id.clone(), info));
        }
        let list = r#"{"type":"List","user_id":"user1","user_token":"token1"}"#;
        let newest_first = format!(r#"{{"type":"List","list":["{}","{}"]}}"#, ids[0].0, ids[1].0);
        talk.check(Api::TdfsExternal, list, &newest_first).await;
        for (id, info) in ids {
            let delete = format!(r#"{{"type":"Delete","file_id":"{id}","user_id":"user1","user_token":"token1"}}"#);
            talk.check(Api::TdfsExternal, &delete, &format!(r#"{{"type":"Delete","file_info":{info}}}"#)).await;
            talk.check_error(Api::TdfsExternal, &delete, "not_found", 404).await;
            talk.check_error(Api::TdfsExternal, &delete.replace("Delete", "Get"), "not_found", 404).await;
        }
        talk.check(Api::TdfsExternal, list, r#"{"type":"List","list":[]}"#).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_declare_outputs_and_read_records() {
    in_every_protocol(async |mut talk| {
        let task = "5ef0cfc7-11e9-445a-8c46-23790ea86819";
        let create = format!(
            r#"{{"type":"Create","sha256":"{SHA256}","file_size":3,"user_id":"user2","task_id":"{task}","collaborator_list":[],"allow_policy":0}}"#
        );
        let example = format!(r#"{{"type":"Create","file_id":"<uuid>","access_path":"<text>","key_config":{KEY},"upload_url":"<text>","volume":"<hex32>"}}"#);
        let made = talk.check(Api::TdfsInternal, &create, &example).await;
        let (id, path) = (&made[0], &made[1]);
        let get = format!(r#"{{"type":"Get","file_id":"{id}"}}"#);
        let record = format!(
            r#"{{"type":"Get","file_info":{{"user_id":"user2","file_name":"{task}","sha256":"{SHA256}","file_size":3,"access_path":"{path}","task_id":"{task}","collaborator_list":[],"allow_policy":0,"key_id":"<uuid>"}}}}"#
        );
        let found = talk.check(Api::TdfsInternal, &get, &record).await;
        let key = format!(r#"{{"type":"Get","key_id":"{}"}}"#, found[0]);
        let config = format!(r#"{{"key":"{}","nonce":"{}","ad":"{}"}}"#, made[2], made[3], made[4]);
        talk.check(Api::Kms, &key, &format!(r#"{{"type":"Get","config":{config}}}"#)).await;
        let own = format!(r#"{{"type":"Get","file_id":"{id}","user_id":"user2","user_token":"token2"}}"#);
        let info = format!(
            r#"{{"type":"Get","file_info":{{"user_id":"user2","file_name":"{task}","sha256":"{SHA256}","file_size":3,"access_path":"{path}","task_id":"{task}","collaborator_list":[],"key_config":{config}{REST}}}}}"#
        );
        talk.check(Api::TdfsExternal, &own, &info).await;
        talk.check_error(Api::TdfsInternal, &get.replace(id, "nothing"), "not_found", 404).await;
        let policy = create.replace(r#""allow_policy":0"#, r#""allow_policy":3"#);
        talk.check_error(Api::TdfsInternal, &policy, "invalid_request", 400).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_echo_example_comes_out_as_documented() {
    in_every_protocol(async |mut talk| {
        let create = r#"{"type":"Create","function_name":"echo","collaborator_list":[],"files":[],"user_id":"user1","user_token":"token1"}"#;
        let port = talk.cluster.address(Api::FnsExternal).port();
        let at = format!(r#""ip":"127.0.0.1","port":{port}"#);
        let example = format!(r#"{{"type":"Create","task_id":"<uuid>","task_token":"<hex32>",{at}}}"#);
        let created = talk.check(Api::TmsExternal, create, &example).await;
        let (task, token) = (&created[0], &created[1]);

        let get = format!(r#"{{"type":"Get","task_id":"{task}","user_id":"user1","user_token":"token1"}}"#);
        let info = |status: &str| {
            format!(
                r#"{{"type":"Get","task_info":{{"user_id":"user1","function_name":"echo","function_type":"Single","status":"{status}",{at},"task_token":"{token}","collaborator_list":[],"task_result_file_id":null,"user_private_result_file_id":[]}}}}"#
            )
        };
        talk.check(Api::TmsExternal, &get, &info("Ready")).await;

        let invoke = format!(
            r#"{{"task_id":"{task}","function_name":"echo","task_token":"{token}","payload":"echo_payload"}}"#
        );
        talk.check(Api::FnsExternal, &invoke, r#"{"result":"echo_payload"}"#).await;
        talk.check(Api::TmsExternal, &get, &info("Finished")).await;
        talk.check_error(Api::FnsExternal, &invoke, "conflict", 409).await;

        let second = talk.check(Api::TmsExternal, create, &example).await;
        let list = r#"{"type":"List","user_id":"user1","user_token":"token1"}"#;
        let newest_first = format!(r#"{{"type":"List","list":["{}","{task}"]}}"#, second[0]);
        talk.check(Api::TmsExternal, list, &newest_first).await;
        let nobodys = list.replace("user1", "user2").replace("token1", "token2");
        talk.check(Api::TmsExternal, &nobodys, r#"{"type":"List","list":[]}"#).await;
    })
    .await;
}

fn records(letters: &str) -> Vec<u8> {
    letters.bytes().flat_map(|letter| [letter; 32]).collect()
}

/// Files of 128 and 96 bytes in, results of 4 and 3 bytes out, whose digests are the reference's.
#[tokio::test(flavor = "multi_thread")]
async fn the_psi_example_comes_out_as_documented() {
    in_every_protocol(async |mut talk| {
        let [left, right] = [("user1", "token1", "abde"), ("user2", "token2", "bcd")];
        let left = talk.cluster.put(left.0, left.1, &records(left.2)).await;
        let right = talk.cluster.put(right.0, right.1, &records(right.2)).await;
        let at = format!(r#""ip":"127.0.0.1","port":{}"#, talk.cluster.address(Api::FnsExternal).port());
        let create = format!(
            r#"{{"type":"Create","function_name":"psi","collaborator_list":["user2"],"files":["{left}"],"user_id":"user1","user_token":"token1"}}"#
        );
        let example = format!(r#"{{"type":"Create","task_id":"<uuid>","task_token":"<hex32>",{at}}}"#);
        let created = talk.check(Api::TmsExternal, &create, &example).await;
        let (task, token) = (&created[0], &created[1]);
        let get = format!(r#"{{"type":"Get","task_id":"{task}","user_id":"user1","user_token":"token1"}}"#);
        let info = |status: &str, approved: bool, own: &str| {
            format!(
                r#"{{"type":"Get","task_info":{{"user_id":"user1","function_name":"psi","function_type":"Multiparty","status":"{status}",{at},"task_token":"{token}","collaborator_list":[{{"user_id":"user2","approved":{approved}}}],"task_result_file_id":null,"user_private_result_file_id":[{own}]}}}}"#
            )
        };
        talk.check(Api::TmsExternal, &get, &info("Created", false, "")).await;

        let approve = format!(
            r#"{{"type":"Update","task_id":"{task}","files":["{right}"],"user_id":"user2","user_token":"token2"}}"#
        );
        let ready = format!(r#"{{"type":"Update","success":true,"status":"Ready",{at},"task_token":"{token}"}}"#);
        talk.check(Api::TmsExternal, &approve, &ready).await;
        talk.check(Api::TmsExternal, &get, &info("Ready", true, "")).await;

        let inside = format!(r#"{{"type":"Get","task_id":"{task}"}}"#);
        let inputs = format!(r#"[{{"user_id":"user1","file_id":"{left}"}},{{"user_id":"user2","file_id":"{right}"}}]"#);
        // The manifest is additive, and stands behind everything that the reference has.
        let pinned = r#"{"user_id":"<text>","file_id":"<uuid>","sha256":"<hex64>","file_size":<number>}"#;
        let all = |status: &str, outputs: &str| {
            format!(
                r#"{{"type":"Get","task_info":{{"user_id":"user1","collaborator_list":[{{"user_id":"user2","approved":true}}],"approved_user_number":1,"function_name":"psi","function_type":"Multiparty","status":"{status}",{at},"task_token":"{token}","input_files":{inputs},"output_files":[{outputs}],"task_result_file_id":null}},"manifest":{{"function":{{"name":"psi","version":1,"digest":"<hex64>"}},"inputs":[{pinned},{pinned}],"time_limit_ms":<number>}},"terms":{{"schema":1,"task_id":"<uuid>","created_ms":<number>,"parties":["user1","user2"],"function":{{"name":"psi","version":1,"digest":"<hex64>"}},"inputs":[{pinned},{pinned}],"payload":"none","outputs":[{{"output":"Owner","recipients":["user1","user2"]}}],"limits":{{"time_ms":<number>,"runs":1}},"approvers":["user1","user2"],"approval":{{"exact":false}},"minimum_trust":"simulated","measurements":"<hex64>"}}}}"#
            )
        };
        talk.check(Api::TmsInternal, &inside, &all("Ready", "")).await;

        let invoke = format!(r#"{{"task_id":"{task}","function_name":"psi","task_token":"{token}","payload":null}}"#);
        talk.check(Api::FnsExternal, &invoke, r#"{"result":"Finished"}"#).await;
        let outputs = r#"{"user_id":"user1","file_id":"<uuid>"},{"user_id":"user2","file_id":"<uuid>"}"#;
        let ids = talk.check(Api::TmsInternal, &inside, &all("Finished", outputs)).await;
        talk.check(Api::TmsExternal, &get, &info("Finished", true, &format!(r#""{}""#, ids[0]))).await;

        for (user, token, id, expected, sha256) in [
            ("user1", "token1", &ids[0], &[0, 1, 1, 0][..], "d5e2d2ac07b741be58f6b9e50ede5fdcf16f3e8053ecef9350e7744b0d8bd90c"),
            ("user2", "token2", &ids[1], &[1, 0, 1], "85f90dfea1d8027e1463e5ca971a250110a20df0119d204a74220bc63516d15b"),
        ] {
            let get = format!(r#"{{"type":"Get","file_id":"{id}","user_id":"{user}","user_token":"{token}"}}"#);
            let size = expected.len();
            let info = format!(
                r#"{{"type":"Get","file_info":{{"user_id":"{user}","file_name":"{task}","sha256":"{sha256}","file_size":{size},"access_path":"<text>","task_id":"{task}","collaborator_list":[],"key_config":{KEY}{REST_STORED}}}}}"#
            );
            talk.check(Api::TdfsExternal, &get, &info).await;
            assert_eq!(talk.cluster.get(user, token, id).await, expected);
        }
    })
    .await;
}

/// A function node that knows the reference and no more can lease, finish and report a task.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_the_original_system_moves_a_task_on() {
    in_every_protocol(async |mut talk| {
        let site = talk.cluster.clone();
        let [user1, ..] = site.examples();
        let task = user1.create("echo", &[], &[]).await;
        let update = |id: &str, result: Value, outputs: Value, status: Value| {
            json!({"type": "Update", "task_id": id, "task_result_file_id": result, "output_files": outputs,
                "status": status})
            .to_string()
        };
        let (yes, no) = (r#"{"type":"Update","success":true}"#, r#"{"type":"Update","success":false}"#);
        let output = json!([{"user_id": "user1", "file_id": "d18fb288-8fef-48c3-b800-201b2734882e"}]);
        // The reference's example names a task with a hyphen missing: answerable, and unknown.
        let odd = "5ef0cfc7-11e9-445a-8c4623790ea86819";
        talk.check(Api::TmsInternal, &update(odd, json!(null), json!([]), json!("Finished")), no).await;
        let finish = update(&task.id, json!("r"), output.clone(), json!("Finished"));
        talk.check(Api::TmsInternal, &finish, no).await;
        talk.check(Api::TmsInternal, &update(&task.id, json!(null), json!([]), json!("Running")), yes).await;
        talk.check(Api::TmsInternal, &update(&task.id, json!(null), output.clone(), json!(null)), yes).await;
        talk.check(Api::TmsInternal, &finish, yes).await;
        talk.check(Api::TmsInternal, &finish, no).await;
        let info = task.inside().await;
        assert_eq!((&info["status"], &info["task_result_file_id"]), (&json!("Finished"), &json!("r")));
        assert_eq!(info["output_files"], json!([output[0], output[0]]));
    })
    .await;
}

/// Fields that may be null may also be missing: Rust clients of the original system write `null`, others nothing.
#[tokio::test(flavor = "multi_thread")]
async fn absent_and_null_are_the_same_in_requests() {
    let mut talk = Talk::start(Protocol::Framed).await;
    let site = talk.cluster.clone();
    let [user1, ..] = site.examples();
    let content = user1.put(b"content").await;
    for payload in ["", r#","payload":null"#] {
        let task = user1.create("echo_file", &[], &[&content]).await;
        let invoke = format!(
            r#"{{"task_id":"{}","function_name":"echo_file","task_token":"{}"{payload}}}"#,
            task.id, task.token
        );
        talk.check(Api::FnsExternal, &invoke, r#"{"result":"content"}"#).await;
    }
    for rest in
        ["", r#","task_result_file_id":null"#, r#","status":null"#, r#","task_result_file_id":null,"status":null"#]
    {
        let task = user1.create("echo", &[], &[]).await;
        let update = format!(r#"{{"type":"Update","task_id":"{}","output_files":[]{rest}}}"#, task.id);
        talk.check(Api::TmsInternal, &update, r#"{"type":"Update","success":true}"#).await;
        assert_eq!(task.status().await, "Ready");
    }
    for page in ["", r#","limit":null"#, r#","cursor":null"#] {
        for api in [Api::TmsExternal, Api::TdfsExternal] {
            let list = format!(r#"{{"type":"List","user_id":"user2","user_token":"token2"{page}}}"#);
            talk.check(api, &list, r#"{"type":"List","list":[]}"#).await;
        }
    }
}

/// Whatever an id looks like, it is looked up, and not found.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_names_nothing_is_not_found() {
    in_every_protocol(async |mut talk| {
        let longest = "x".repeat(64);
        for id in ["5ef0cfc7-11e9-445a-8c4623790ea86819", "bbbb", "../../etc/passwd", "ü", &longest] {
            let user = r#""user_id":"user1","user_token":"token1""#;
            for (api, request) in [
                (Api::TmsExternal, format!(r#"{{"type":"Get","task_id":"{id}",{user}}}"#)),
                (Api::TmsExternal, format!(r#"{{"type":"Update","task_id":"{id}","files":[],{user}}}"#)),
                (Api::TmsInternal, format!(r#"{{"type":"Get","task_id":"{id}"}}"#)),
                (Api::TdfsExternal, format!(r#"{{"type":"Get","file_id":"{id}",{user}}}"#)),
                (Api::TdfsExternal, format!(r#"{{"type":"Delete","file_id":"{id}",{user}}}"#)),
                (Api::TdfsInternal, format!(r#"{{"type":"Get","file_id":"{id}"}}"#)),
                (Api::Kms, format!(r#"{{"type":"Get","key_id":"{id}"}}"#)),
                (Api::Kms, format!(r#"{{"type":"Delete","key_id":"{id}"}}"#)),
                (Api::FnsExternal, format!(r#"{{"task_id":"{id}","function_name":"echo","task_token":"t"}}"#)),
            ] {
                talk.check_error(api, &request, "not_found", 404).await;
            }
        }
        let list = r#"{"type":"Get","task_id":"","user_id":"user1","user_token":"token1"}"#;
        talk.check_error(Api::TmsExternal, list, "invalid_request", 400).await;
    })
    .await;
}

/// Pages cover a list once, newest first, whatever their size; answers without a next page have no `next_cursor`.
#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let mut talk = Talk::start(Protocol::Http1).await;
    let site = talk.cluster.clone();
    let [user1, ..] = site.examples();
    let (mut tasks, mut files) = (Vec::new(), Vec::new());
    for number in 0..7 {
        tasks.insert(0, user1.create("echo", &[], &[]).await.id);
        files.insert(0, user1.put(&[number]).await);
    }
    for (api, all) in [(Api::TmsExternal, &tasks), (Api::TdfsExternal, &files)] {
        for limit in [1, 2, 3, 6, 7, 8, 1000] {
            assert_eq!(&pages(&mut talk, api, limit).await, all, "{api} {limit}");
        }
        for bad in [r#""limit":0"#, r#""limit":1001"#, r#""limit":-1"#, r#""limit":"1""#, r#""cursor":"x""#] {
            let list = format!(r#"{{"type":"List","user_id":"user1","user_token":"token1",{bad}}}"#);
            talk.check_error(api, &list, "invalid_request", 400).await;
        }
    }
}

async fn pages(talk: &mut Talk, api: Api, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let list = format!(r#"{{"type":"List","user_id":"user1","user_token":"token1","limit":{limit}{cursor}}}"#);
        let page = talk.send(api, &list).await.json();
        let ids = testkit::party::texts(&page["list"]);
        assert!(!ids.is_empty() && ids.len() <= limit, "{page}");
        all.extend(ids);
        match page.get("next_cursor") {
            Some(next) => cursor = format!(r#","cursor":{next}"#),
            None => return all,
        }
    }
}

/// Requests that are sent before the first answer came are answered in order, refused ones among them.
#[tokio::test(flavor = "multi_thread")]
async fn pipelined_frames_are_answered_in_order() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let [user1, ..] = cluster.examples();
    let task = user1.create("echo", &[], &[]).await;
    let mut stream = wire::connect(cluster.address(Api::FnsExternal), &[]).await.expect("connected");
    let documents = ["{}".to_owned(), task.invocation(Some("once")).to_string(), "junk".to_owned()];
    let twice = documents.iter().chain(&documents);
    let frames: Vec<u8> =
        twice.flat_map(|text| [&(text.len() as u64).to_be_bytes()[..], text.as_bytes()].concat()).collect();
    let (mut early, late) = frames.split_at(frames.len() - 3);
    tokio::io::AsyncWriteExt::write_all_buf(&mut stream, &mut early).await.expect("sent");
    for (round, expected) in
        ["invalid_request", "once", "invalid_request", "invalid_request", "conflict"].iter().enumerate()
    {
        let answer = wire::receive(&mut stream).await.expect("an answer");
        let said = answer.get("code").or(answer.get("result"));
        assert_eq!(said, Some(&json!(expected)), "{round}: {answer}");
    }
    tokio::io::AsyncWriteExt::write_all(&mut stream, late).await.expect("sent");
    assert_eq!(wire::receive(&mut stream).await.expect("an answer")["code"], "invalid_request");
}
