//! The whole table of who may do what, as the system answers it: principal × action × state → code.
//!
//! `cargo test -p testkit --test authz` compares it with `snapshots/`; with `INSTA_UPDATE=always` it writes it anew. A
//! change of a line there is a change of what the system permits.

use std::fmt::Write as _;
use std::time::Duration;

use rpc::deployment::DevDeployment;
use rpc::tls::Identity;
use serde_json::{Value, json};
use testkit::channel::Channel;
use testkit::party::{Party, Task};
use testkit::{Cluster, Protocol, Site};
use types::service::{Api, Role};
use types::task::Status;
use types::wire::admin;

/// Who asks.
const PRINCIPALS: [(&str, &str, &str); 7] = [
    ("creator", "creator", "t"),
    ("collaborator", "collaborator", "t"),
    ("other collaborator", "other", "t"),
    ("stranger", "stranger", "t"),
    ("disabled collaborator", "disabled", "t"),
    ("wrong token", "creator", "T"),
    ("nobody", "nobody", "t"),
];

const LEASE: &str = "lease";

async fn cluster() -> Cluster {
    // Nobody renews the leases here, and a loaded machine is slow: tasks keep the state that a scene is about.
    let cluster = Cluster::start_with(|config| config.limits.lease_seconds = 600).await;
    for name in ["creator", "collaborator", "other", "stranger", "disabled"] {
        cluster.add_user(name, "t").await;
    }
    cluster
}

async fn disable(site: &Site) {
    let disable = admin::DisableUser { user_id: "disabled".parse().expect("a name") };
    identity::operate(site.data_dir(), disable.into()).await.expect("disabled");
}

/// What a table shows of an answer.
fn shown(answer: &Value) -> String {
    match (&answer["code"], &answer["success"]) {
        (Value::String(code), _) => code.clone(),
        (_, Value::Bool(success)) => success.to_string(),
        _ => "ok".to_owned(),
    }
}

/// A task of `concat` by the creator with three collaborators, each with their file.
struct Scene<'a> {
    task: Task<'a>,
    input: String,
}

impl<'a> Scene<'a> {
    /// A task that has come to this state.
    async fn set(site: &'a Site, files: &[String; 3], status: Status) -> Self {
        let creator = site.party("creator", "t");
        let input = creator.put(b"input").await;
        let task = creator.create("concat", &["collaborator", "other", "disabled"], &[&input]).await;
        if status != Status::Created {
            for (name, file) in ["collaborator", "other", "disabled"].into_iter().zip(files) {
                assert_eq!(site.party(name, "t").approve(&task, &[file]).await["success"], true);
            }
        }
        if matches!(status, Status::Running | Status::Finished | Status::Failed) {
            assert!(task.update(json!("Running"), Some(LEASE)).await);
        }
        if status.is_final() {
            assert!(task.update(json!(status), Some(LEASE)).await);
        }
        Scene { task, input }
    }
}

/// Draws answers: a line per principal, a column per state.
#[derive(Default)]
struct Table(String);

impl Table {
    fn title(&mut self, title: &str, columns: &[impl AsRef<str>]) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.line(title, columns);
    }

    fn line(&mut self, head: &str, cells: &[impl AsRef<str>]) {
        let mut line = format!("{head:<28}");
        for cell in cells {
            write!(line, "{:<20}", cell.as_ref()).expect("memory");
        }
        writeln!(self.0, "{}", line.trim_end()).expect("memory");
    }
}

fn state_names() -> Vec<String> {
    Status::ALL.iter().map(ToString::to_string).collect()
}

/// What a participant can ask of a task or of its input, by name.
type Action = (&'static str, fn(&Scene<'_>, &str) -> (Api, Value));

/// Those that change something come last.
const ACTIONS: [Action; 17] = [
    ("tms Get", |scene, _| (Api::TmsExternal, json!({"type": "Get", "task_id": scene.task.id}))),
    ("tms List", |_, _| (Api::TmsExternal, json!({"type": "List"}))),
    ("tms GetCheckpoint", |_, _| (Api::TmsExternal, json!({"type": "GetCheckpoint"}))),
    ("tms ListLog of the task", |scene, _| (Api::TmsExternal, json!({"type": "ListLog", "task_id": scene.task.id}))),
    // The first scene's task was created first, by the same creator with the same collaborators.
    ("tms ProveLog of such a task", |_, _| (Api::TmsExternal, json!({"type": "ProveLog", "index": 0}))),
    ("tdfs Get input", |scene, _| (Api::TdfsExternal, json!({"type": "Get", "file_id": scene.input}))),
    ("tdfs List input", |_, _| (Api::TdfsExternal, json!({"type": "List"}))),
    ("tdfs Usage", |_, _| (Api::TdfsExternal, json!({"type": "Usage"}))),
    ("tdfs SetPolicy input", |scene, _| {
        (Api::TdfsExternal, json!({"type": "SetPolicy", "file_id": scene.input, "policy": {"uses": 9}}))
    }),
    ("tms GetManifest", |scene, _| (Api::TmsExternal, json!({"type": "GetManifest", "task_id": scene.task.id}))),
    ("tms GetReceipt", |scene, _| (Api::TmsExternal, json!({"type": "GetReceipt", "task_id": scene.task.id}))),
    ("tms BringFiles", |scene, _| {
        (Api::TmsExternal, json!({"type": "BringFiles", "task_id": scene.task.id, "files": []}))
    }),
    ("tms Update", |scene, file| {
        (Api::TmsExternal, json!({"type": "Update", "task_id": scene.task.id, "files": [file]}))
    }),
    ("tms Update, other manifest", |scene, _| {
        let document = json!({"type": "Update", "task_id": scene.task.id, "files": [], "manifest": "0".repeat(64)});
        (Api::TmsExternal, document)
    }),
    ("tms SetPayload", |scene, _| (Api::TmsExternal, json!({"type": "SetPayload", "task_id": scene.task.id}))),
    ("tdfs Delete input", |scene, _| (Api::TdfsExternal, json!({"type": "Delete", "file_id": scene.input}))),
    ("tms Withdraw", |scene, _| (Api::TmsExternal, json!({"type": "Withdraw", "task_id": scene.task.id}))),
];

fn is_about(scene: &Scene<'_>, item: &Value) -> bool {
    // Entries of the log were asked for by their task.
    *item == scene.task.id || *item == scene.input || item.get("entry").is_some()
}

/// A list's answer says whether what the scene is about is on it.
fn shown_of(scene: &Scene<'_>, answer: &Value) -> String {
    match answer["list"].as_array() {
        Some(list) if list.iter().any(|item| is_about(scene, item)) => "listed".to_owned(),
        Some(_) => "not listed".to_owned(),
        None => shown(answer),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_plane() {
    let cluster = cluster().await;
    let site = cluster.clone();
    let mut files: [String; 3] = Default::default();
    for (file, name) in files.iter_mut().zip(["collaborator", "other", "disabled"]) {
        *file = site.party(name, "t").put(name.as_bytes()).await;
    }
    // A task per principal and state: what one principal changes, the next one does not meet.
    let mut scenes = Vec::new();
    for principal in PRINCIPALS {
        for status in Status::ALL {
            scenes.push((principal, status, Scene::set(&site, &files, status).await));
        }
    }
    disable(&site).await;
    let mut table = Table::default();
    for (title, action) in ACTIONS {
        table.title(title, &state_names());
        for row in scenes.chunks(Status::ALL.len()) {
            let ((who, name, token), ..) = row[0];
            let own = ["collaborator", "other", "disabled"].iter().position(|other| *other == name);
            let file = own.map_or("none", |at| &files[at]);
            let mut cells = Vec::new();
            for (_, status, scene) in row {
                let (api, document) = action(scene, file);
                cells.push(shown_of(scene, &ask(&site.party(name, token), api, document, *status).await));
            }
            table.line(who, &cells);
        }
    }
    insta::assert_snapshot!("user_plane", table.0);
}

/// The tdfs hears of a task's end a moment later than the caller; until then its inputs are in use.
async fn ask(party: &Party<'_>, api: Api, document: Value, status: Status) -> Value {
    loop {
        let answer = party.ask(api, document.clone()).await;
        if api == Api::TmsExternal || !status.is_final() || answer["code"] != "conflict" {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A file that a task gave to the creator, with this policy and one collaborator.
async fn output(site: &Site, allow_policy: u32) -> String {
    let create = json!({"type": "Create", "sha256": "0".repeat(64), "file_size": 0, "user_id": "creator",
        "task_id": "t", "collaborator_list": ["collaborator", "disabled"], "allow_policy": allow_policy});
    site.framed(Api::TdfsInternal, create).await["file_id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_by_policy() {
    let cluster = cluster().await;
    let site = cluster.clone();
    disable(&site).await;
    let mut table = Table::default();
    let columns = ["policy 0", "policy 1", "policy 2"];
    for verb in ["Get", "SetPolicy", "Delete", "List"] {
        table.title(&format!("tdfs {verb} output"), &columns);
        for (who, name, token) in PRINCIPALS {
            let mut cells = Vec::new();
            for policy in 0..3 {
                let file = output(&site, policy).await;
                let document = match verb {
                    "List" => json!({"type": "List"}),
                    _ => json!({"type": verb, "file_id": file}),
                };
                let answer = site.party(name, token).ask(Api::TdfsExternal, document).await;
                let listed = answer["list"].as_array().map(|list| list.contains(&json!(file)));
                cells.push(
                    listed.map_or_else(
                        || shown(&answer),
                        |listed| if listed { "listed" } else { "not listed" }.to_owned(),
                    ),
                );
            }
            table.line(who, &cells);
        }
    }
    insta::assert_snapshot!("files_by_policy", table.0);
}

/// What makes a request of another.
type Fill = fn(&mut Value);

/// Functions by whom they are for. Each principal meets its own of those that can change.
const FUNCTIONS: [(&str, Fill); 4] = [
    ("private", |_| ()),
    ("shared", |register| register["allow"] = json!(["collaborator", "disabled"])),
    ("public", |register| register["public"] = json!(true)),
    ("disabled", |register| register["public"] = json!(true)),
];

/// Registers the creator's functions for the principal of this number; what may be asked for, by column.
async fn functions_for(site: &Site, number: usize, code: &str) -> Vec<(&'static str, String)> {
    let (creator, mut all) = (site.party("creator", "t"), Vec::new());
    for (kind, change) in FUNCTIONS {
        let name = format!("{kind}_{number}");
        let mut register = registration(&name, code);
        change(&mut register);
        assert_eq!(creator.ask(Api::TmsExternal, register).await["type"], "RegisterFunction");
        if kind == "disabled" {
            let disable = json!({"type": "DisableFunction", "function_name": name});
            assert_eq!(creator.ask(Api::TmsExternal, disable).await["success"], true);
        }
        all.push((kind, name));
    }
    all.extend([("built-in", "echo".to_owned()), ("none", format!("none_{number}"))]);
    all
}

fn registration(name: &str, code: &str) -> Value {
    let declaration = json!({"language": "Wasm", "function_type": "Single", "payload": "Optional",
        "inputs": {"min": 0, "max": 0}, "outputs": []});
    json!({"type": "RegisterFunction", "function_name": name, "file_id": code, "declaration": declaration})
}

/// What a user can ask about a function, by name; `code` is a file of the user's. What changes something comes last.
type FunctionAction = (&'static str, fn(name: &str, code: &str) -> Value);

const FUNCTION_ACTIONS: [FunctionAction; 5] = [
    ("tms GetFunction", |name, _| json!({"type": "GetFunction", "function_name": name})),
    ("tms ListFunctions", |_, _| json!({"type": "ListFunctions"})),
    (
        "tms Create task of it",
        |name, _| json!({"type": "Create", "function_name": name, "collaborator_list": [], "files": []}),
    ),
    ("tms RegisterFunction", registration),
    ("tms DisableFunction", |name, _| json!({"type": "DisableFunction", "function_name": name})),
];

/// A list's answer says whether the function is on it.
fn shown_of_function(name: &str, answer: &Value) -> String {
    match answer["list"].as_array() {
        Some(list) if list.iter().any(|listed| listed["function"]["name"] == name) => "listed".to_owned(),
        Some(_) => "not listed".to_owned(),
        None => shown(answer),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_by_whom_they_are_for() {
    let cluster = cluster().await;
    let site = cluster.clone();
    let (mut codes, mut functions) = (Vec::new(), Vec::new());
    let code = site.party("creator", "t").put(b"code").await;
    for (number, (_, name, _)) in PRINCIPALS.into_iter().enumerate() {
        let own = if name == "nobody" { code.clone() } else { site.party(name, "t").put(b"code").await };
        codes.push(own);
        functions.push(functions_for(&site, number, &code).await);
    }
    disable(&site).await;
    let columns: Vec<&str> = functions[0].iter().map(|(kind, _)| *kind).collect();
    let mut table = Table::default();
    for (title, action) in FUNCTION_ACTIONS {
        table.title(title, &columns);
        for (number, (who, name, token)) in PRINCIPALS.into_iter().enumerate() {
            let (party, mut cells) = (site.party(name, token), Vec::new());
            for (_, function) in &functions[number] {
                let answer = party.ask(Api::TmsExternal, action(function, &codes[number])).await;
                cells.push(shown_of_function(function, &answer));
            }
            table.line(who, &cells);
        }
    }
    insta::assert_snapshot!("functions_by_whom_they_are_for", table.0);
}

/// A task in this state that nobody needs to approve, except where the state is that they have to.
async fn bare(site: &Site, status: Status) -> Task<'_> {
    let creator = site.party("creator", "t");
    if status == Status::Created {
        let input = creator.put(b"input").await;
        return creator.create("concat", &["other"], &[&input]).await;
    }
    let task = creator.create("echo", &[], &[]).await;
    if status != Status::Ready {
        assert!(task.update(json!("Running"), Some(LEASE)).await);
    }
    if status.is_final() {
        assert!(task.update(json!(status), Some(LEASE)).await);
    }
    task
}

/// What is done to a task in each state, by name.
type Deed = (String, Box<dyn Fn(&Task<'_>) -> (Api, Value)>);

fn invocations() -> Vec<Deed> {
    let invoke = |name: &str, change: fn(&mut Value)| -> Deed {
        let deed = move |task: &Task<'_>| {
            let mut document = task.invocation((task.function == "echo").then_some("p"));
            change(&mut document);
            (Api::FnsExternal, document)
        };
        (name.to_owned(), Box::new(deed))
    };
    vec![
        invoke("with its token", |_| {}),
        invoke("another token", |document| document["task_token"] = json!("0".repeat(32))),
        invoke("an empty token", |document| document["task_token"] = json!("")),
        invoke("another function", |document| document["function_name"] = json!("psi")),
        invoke("another task", |document| document["task_id"] = json!("another")),
        invoke("another payload", |document| document["payload"] = json!(null)),
    ]
}

fn updates() -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::new();
    for (lease, named) in [(Some(LEASE), "its lease"), (None, "no lease"), (Some("foreign"), "foreign lease")] {
        for status in Status::ALL.map(Some).into_iter().chain([None]) {
            let to = status.map_or("nothing".to_owned(), |status| status.to_string());
            let deed = move |task: &Task<'_>| {
                let mut document = json!({"type": "Update", "task_id": task.id, "task_result_file_id": null,
                    "output_files": [], "status": status});
                if let Some(lease) = lease {
                    document["lease_id"] = json!(lease);
                }
                (Api::TmsInternal, document)
            };
            deeds.push((format!("{to}, {named}"), Box::new(deed)));
        }
        if let Some(lease) = lease {
            let deed = move |task: &Task<'_>| {
                (Api::TmsInternal, json!({"type": "Renew", "task_id": task.id, "lease_id": lease}))
            };
            deeds.push((format!("Renew, {named}"), Box::new(deed)));
        }
    }
    deeds
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_updates_by_state() {
    let cluster = cluster().await;
    let mut table = Table::default();
    for (title, deeds) in [("fns Invoke", invocations()), ("tms-internal Update to", updates())] {
        table.title(title, &state_names());
        for (name, deed) in deeds {
            let mut cells = Vec::new();
            for status in Status::ALL {
                let (api, document) = deed(&bare(&cluster, status).await);
                cells.push(shown(&cluster.framed(api, document).await));
            }
            table.line(&name, &cells);
        }
    }
    insta::assert_snapshot!("runs_and_updates_by_state", table.0);
}

/// Whether whoever shows this certificate is heard on a port.
async fn heard(site: &Site, protocol: Protocol, api: Api, key: Option<Identity>) -> &'static str {
    // In TLS 1.3 the client's handshake is over before the server has looked at its certificate.
    let Ok(mut channel) = Channel::open(protocol, site.address(api), key.as_ref()).await else { return "refused" };
    match channel.send("{}").await {
        Ok(answer) if answer.json()["code"] == "invalid_request" => "heard",
        Ok(answer) => panic!("{answer:?}"),
        Err(_) => "refused",
    }
}

/// Who may open a connection where: the caller table, as handshakes answer it.
#[tokio::test(flavor = "multi_thread")]
async fn callers() {
    let (cluster, other) = (cluster().await, tempfile::tempdir().expect("a folder"));
    let other = DevDeployment::open_or_create(other.path()).expect("another deployment");
    let mut table = Table::default();
    table.title("callers", &Api::ALL.map(|api| api.to_string()));
    let mut row = async |who: &str, key: &dyn Fn() -> Option<Identity>| {
        let mut cells = Vec::new();
        for api in Api::ALL {
            let answers = [
                heard(&cluster, Protocol::Framed, api, key()).await,
                heard(&cluster, Protocol::Http1, api, key()).await,
                heard(&cluster, Protocol::Http2, api, key()).await,
            ];
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{who} {api} {answers:?}");
            cells.push(answers[0]);
        }
        table.line(who, &cells);
    };
    row("no certificate", &|| None).await;
    for role in Role::ALL {
        row(role.as_str(), &|| Some(cluster.identity(role))).await;
        row(&format!("another house's {role}"), &|| Some(other.issue(role, &[]).expect("a certificate"))).await;
    }
    insta::assert_snapshot!("callers", table.0);
}
