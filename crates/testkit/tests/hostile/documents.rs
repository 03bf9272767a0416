//! Documents that are wrong, on every endpoint and in every protocol, all over one connection that must survive them.

use rpc::http_status;
use serde_json::{Value, json};
use testkit::Cluster;
use types::error::ErrorCode;
use types::service::Api;

use crate::attacker::{Line, PROTOCOLS, TOKEN, check_error, stranger, strangers_answer};

/// One request of every kind, with no more than the fields that it must have.
fn requests() -> Vec<(Api, Value)> {
    let sha256 = "0".repeat(64);
    vec![
        (Api::Kms, json!({"type": "Create"})),
        (Api::Kms, json!({"type": "Get", "key_id": "k"})),
        (Api::Kms, json!({"type": "Delete", "key_id": "k"})),
        (
            Api::TdfsExternal,
            json!({"type": "Create", "file_name": "f", "sha256": sha256, "file_size": 1, "user_id": "u",
                "user_token": TOKEN}),
        ),
        (Api::TdfsExternal, json!({"type": "Get", "file_id": "f", "user_id": "u", "user_token": TOKEN})),
        (Api::TdfsExternal, json!({"type": "List", "user_id": "u", "user_token": TOKEN})),
        (Api::TdfsExternal, json!({"type": "Delete", "file_id": "f", "user_id": "u", "user_token": TOKEN})),
        (Api::TdfsExternal, json!({"type": "GetKey", "user_id": "u", "user_token": TOKEN})),
        (Api::TdfsExternal, json!({"type": "SetKey", "version": 1, "user_id": "u", "user_token": TOKEN})),
        (
            Api::TdfsInternal,
            json!({"type": "Create", "sha256": sha256, "file_size": 1, "user_id": "u", "task_id": "t",
                "collaborator_list": [], "allow_policy": 0}),
        ),
        (Api::TdfsInternal, json!({"type": "Get", "file_id": "f"})),
        (Api::TdfsInternal, json!({"type": "Authenticate", "user_id": "u", "user_token": TOKEN})),
        (Api::TdfsInternal, json!({"type": "Users", "user_ids": []})),
        (Api::TdfsInternal, json!({"type": "Hold", "task_id": "t", "user_id": "u", "files": []})),
        (Api::TdfsInternal, json!({"type": "End", "task_id": "t", "outputs": []})),
        (
            Api::TmsExternal,
            json!({"type": "Create", "function_name": "psi", "collaborator_list": [], "files": [], "user_id": "u",
                "user_token": TOKEN}),
        ),
        (Api::TmsExternal, json!({"type": "Get", "task_id": "t", "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "Update", "task_id": "t", "files": [], "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "List", "user_id": "u", "user_token": TOKEN})),
        (
            Api::TmsExternal,
            json!({"type": "BringFiles", "task_id": "t", "files": [], "user_id": "u", "user_token": TOKEN}),
        ),
        (Api::TmsExternal, json!({"type": "SetPayload", "task_id": "t", "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "Withdraw", "task_id": "t", "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "GetManifest", "task_id": "t", "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "GetReceipt", "task_id": "t", "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "GetCheckpoint", "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "ListLog", "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "ProveLog", "index": 0, "user_id": "u", "user_token": TOKEN})),
        (
            Api::TmsExternal,
            json!({"type": "RegisterFunction", "function_name": "f", "file_id": "f", "user_id": "u",
                "user_token": TOKEN, "declaration": declaration()}),
        ),
        (Api::TmsExternal, json!({"type": "GetFunction", "function_name": "f", "user_id": "u", "user_token": TOKEN})),
        (Api::TmsExternal, json!({"type": "ListFunctions", "user_id": "u", "user_token": TOKEN})),
        (
            Api::TmsExternal,
            json!({"type": "DisableFunction", "function_name": "f", "user_id": "u", "user_token": TOKEN}),
        ),
        (Api::TmsInternal, json!({"type": "Get", "task_id": "t"})),
        (Api::TmsInternal, json!({"type": "Update", "task_id": "t", "output_files": []})),
        (Api::TmsInternal, json!({"type": "Renew", "task_id": "t", "lease_id": "l"})),
        (Api::TmsInternal, json!({"type": "Release", "task_id": "t", "lease_id": "l"})),
        (Api::TmsInternal, json!({"type": "Ended", "task_ids": ["t"]})),
        (Api::TmsInternal, json!({"type": "Register", "node": "127.0.0.1:1", "started": false, "functions": []})),
        (Api::FnsExternal, json!({"task_id": "t", "function_name": "echo", "task_token": TOKEN})),
    ]
}

/// What the author of a function must declare.
fn declaration() -> Value {
    json!({"language": "Wasm", "function_type": "Single", "payload": "Optional", "inputs": {}, "outputs": []})
}

/// What is no request of any API.
fn nonsense() -> Vec<Vec<u8>> {
    let deep = 100_000;
    let mut all: Vec<Vec<u8>> = [
        "",
        " ",
        "hello",
        "{",
        "}",
        "[]",
        "null",
        "true",
        "5",
        "\"x\"",
        "{}",
        "{} x",
        "{}{}",
        "[{}]",
        "{,}",
        "{\"a\"}",
        "{'type':'Get'}",
        "{\"type\":\"Drop\"}",
        "{\"type\":\"\"}",
        "{\"type\":\"get\"}",
        "{\"type\":5}",
        "{\"type\":null}",
        "{\"type\":[\"Get\"]}",
        "{\"Type\":\"Get\"}",
        "{\"type\":\"Get\",}",
        "{\"type\":\"Get\\u0000\"}",
        "{\"type\":\"\\ud800\"}",
        "{\"type\":1e999999}",
        "{\"type\":-}",
        "{\"type\":NaN}",
        "{\"type\":\"G\u{0}t\"}",
        "\u{feff}{}",
        "\u{feff}{\"type\":\"List\"}",
        "{\"type\":\"Get\",\"type\":\"Get\"}",
        "GET / HTTP/1.1\r\n\r\n",
        "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    all.extend([
        b"{\"type\":\"\xff\xfe\"}".to_vec(),
        b"{\"\xc0\xaf\":1}".to_vec(),
        vec![0; 1000],
        vec![0xff; 1000],
        "[".repeat(deep).into_bytes(),
        format!("{{\"type\":{}", "[".repeat(deep)).into_bytes(),
        format!("{{\"type\":{}{}}}", "[".repeat(deep), "]".repeat(deep)).into_bytes(),
        "{\"type\":".repeat(deep).into_bytes(),
        format!("{{\"type\":\"{}\"}}", "x".repeat(500_000)).into_bytes(),
        format!("{{\"{}\":1}}", "k".repeat(500_000)).into_bytes(),
        format!("{{\"type\":{}}}", "9".repeat(500_000)).into_bytes(),
        many_keys(20_000).into_bytes(),
    ]);
    all
}

fn many_keys(count: usize) -> String {
    let fields: Vec<String> = (0..count).map(|number| format!("\"k{number}\":{number}")).collect();
    format!("{{\"type\":\"Get\",{}}}", fields.join(","))
}

/// Values of other types than this one's, none of which its field can have.
fn mistyped(value: &Value) -> Vec<Value> {
    let everyone = [json!(null), json!({}), json!({"a": 1}), json!(1.5), json!([[]]), json!([null]), json!([5])];
    let particular = match value {
        Value::String(_) => vec![json!(true), json!(5), json!([]), json!(["x"])],
        Value::Number(_) => vec![json!(true), json!("5"), json!(-1), json!([]), json!(1e300)],
        Value::Bool(_) => vec![json!("true"), json!(1), json!([])],
        _ => vec![json!(true), json!("x"), json!(5)],
    };
    everyone.into_iter().chain(particular).collect()
}

fn with(request: &Value, field: &str, value: Value) -> Vec<u8> {
    let mut changed = request.clone();
    changed[field] = value;
    changed.to_string().into_bytes()
}

/// Every request with one thing wrong, and the text that the message must have.
fn malformed(request: &Value) -> Vec<(Vec<u8>, String)> {
    let fields = request.as_object().expect("an object");
    let mut all = Vec::new();
    for (field, value) in fields {
        all.extend(mistyped(value).into_iter().map(|wrong| (with(request, field, wrong), field.clone())));
        let mut without = request.clone();
        without.as_object_mut().expect("an object").remove(field);
        all.push((without.to_string().into_bytes(), field.clone()));
        let twice = format!("{{\"{field}\":{value},{}", &request.to_string()[1..]);
        all.push((twice.into_bytes(), "twice".to_owned()));
        if ["user_id", "task_id", "file_id", "key_id", "lease_id"].contains(&&**field) {
            for wrong in [String::new(), "x".repeat(65), "x".repeat(100_000), "\n".to_owned(), "a\u{7f}".to_owned()] {
                all.push((with(request, field, wrong.into()), field.clone()));
            }
        }
    }
    for unknown in ["extra", "__proto__", "Type", "user_tokenn", ""] {
        all.push((with(request, unknown, json!(TOKEN)), format!("unknown field `{unknown}`")));
    }
    all.push((with(request, &"k".repeat(500_000), json!(1)), "unknown field `kkk".to_owned()));
    all
}

/// Names and numbers out of range in fields that have ranges of their own.
fn out_of_range() -> Vec<(Api, Vec<u8>, &'static str)> {
    let mut all = Vec::new();
    for (api, request) in requests() {
        let mut push = |field: &'static str, values: Vec<Value>| {
            if request.get(field).is_some() {
                all.extend(values.into_iter().map(|value| (api, with(&request, field, value), field)));
            }
        };
        push("user_id", vec![json!("a b"), json!("ä"), json!("a/b"), json!("../u")]);
        push("file_name", vec![json!("x".repeat(256)), json!("a\nb"), json!("é".repeat(128))]);
        push("sha256", vec![json!(""), json!("0".repeat(63)), json!("A".repeat(64)), json!("0".repeat(100_000))]);
        push("file_size", vec![json!(-1), json!(18_446_744_073_709_551_616.0)]);
        push("index", vec![json!(-1), json!(18_446_744_073_709_551_616.0)]);
        push("allow_policy", vec![json!(3), json!(-1), json!(4_294_967_296_u64)]);
        push("payload_sha256", vec![json!(""), json!("0".repeat(63)), json!("A".repeat(64))]);
        push("version", vec![json!(-1), json!(18_446_744_073_709_551_616.0)]);
        push("node", vec![json!("localhost:1"), json!("127.0.0.1"), json!("127.0.0.1:65536")]);
        push("files", vec![json!([""]), json!(["x".repeat(65)])]);
        push("collaborator_list", vec![json!(["a b"]), json!(["x".repeat(65)])]);
    }
    all
}

fn check_refused((status, answer): (Option<u16>, Vec<u8>), named: &str) {
    let message = check_error(&answer, "invalid_request");
    assert!(message.contains(named), "`{named}` is not in: {message}");
    assert_eq!(status.unwrap_or(400), http_status(ErrorCode::InvalidRequest));
}

async fn check_alive(line: &mut Line, api: Api) {
    let (_, answer) = line.ask(stranger(api)).await;
    check_error(&answer, strangers_answer(api));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_documents_get_the_documented_error_and_the_connection_goes_on() {
    let cluster = Cluster::start().await;
    let (nonsense, out_of_range) = (nonsense(), out_of_range());
    let requests: Vec<_> = requests().into_iter().map(|(api, request)| (api, malformed(&request))).collect();
    for (api, protocol) in Api::ALL.into_iter().flat_map(|api| PROTOCOLS.map(|protocol| (api, protocol))) {
        let mut line = Line::open(&cluster, api, protocol).await;
        for document in &nonsense {
            check_refused(line.ask(document).await, "");
        }
        check_alive(&mut line, api).await;
        for (document, named) in requests.iter().filter(|(of, _)| *of == api).flat_map(|(_, wrong)| wrong) {
            check_refused(line.ask(document).await, named);
        }
        for (_, document, named) in out_of_range.iter().filter(|(of, ..)| *of == api) {
            check_refused(line.ask(document).await, named);
        }
        check_alive(&mut line, api).await;
    }
    cluster.stop().await;
}

/// Fields that have no range: as long as a request may be, and still only wrong.
#[tokio::test(flavor = "multi_thread")]
async fn huge_tokens_names_and_payloads_are_only_wrong() {
    let cluster = Cluster::start().await;
    cluster.add_user("u", "right").await;
    let huge = "ü".repeat(400_000);
    let declaration = declaration();
    let cases = [
        (Api::TmsExternal, json!({"type": "List", "user_id": "u", "user_token": huge}), "unauthenticated"),
        (Api::TmsExternal, json!({"type": "List", "user_id": "u", "user_token": ""}), "unauthenticated"),
        (
            Api::TmsExternal,
            json!({"type": "List", "user_id": "u", "user_token": "right", "cursor": huge}),
            "invalid_request",
        ),
        (
            Api::TmsExternal,
            json!({"type": "Create", "function_name": huge, "collaborator_list": [], "files": [], "user_id": "u",
                "user_token": "right"}),
            "not_found",
        ),
        (
            Api::TmsExternal,
            json!({"type": "RegisterFunction", "function_name": huge, "file_id": "f", "user_id": "u",
                "user_token": "right", "declaration": declaration}),
            "invalid_request",
        ),
        (
            Api::TmsExternal,
            json!({"type": "RegisterFunction", "function_name": "f", "file_id": "f", "user_id": "u",
                "user_token": "right", "declaration": declaration, "summary": huge}),
            "invalid_request",
        ),
        (
            Api::TmsExternal,
            json!({"type": "GetFunction", "function_name": huge, "user_id": "u", "user_token": "right"}),
            "not_found",
        ),
        (
            Api::TmsExternal,
            json!({"type": "DisableFunction", "function_name": huge, "user_id": "u", "user_token": "right"}),
            "not_found",
        ),
        (
            Api::TmsExternal,
            json!({"type": "ListFunctions", "user_id": "u", "user_token": "right", "limit": 1001}),
            "invalid_request",
        ),
        (Api::FnsExternal, json!({"task_id": "t", "function_name": huge, "task_token": huge}), "not_found"),
        (
            Api::FnsExternal,
            json!({"task_id": "t", "function_name": "f", "task_token": "t", "payload": huge}),
            "not_found",
        ),
    ];
    for protocol in PROTOCOLS {
        for (api, document, code) in &cases {
            let (status, answer) =
                Line::open(&cluster, *api, protocol).await.ask(document.to_string().as_bytes()).await;
            check_error(&answer, code);
            let code = ErrorCode::ALL.into_iter().find(|known| known.as_str() == *code).expect("documented");
            assert_eq!(status.unwrap_or(http_status(code)), http_status(code));
        }
    }
    cluster.stop().await;
}
