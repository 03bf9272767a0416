//! Users' functions from end to end: registered, versioned, used by those who may, pinned by tasks.

use serde_json::{Value, json};
use testkit::Cluster;
use testkit::party::{Party, Task};
use types::service::Api;

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    cluster
}

/// A module that writes a text to standard output.
fn says(text: &str) -> Vec<u8> {
    module(&format!(
        r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
           (memory (export "memory") 1)
           (data (i32.const 64) "{text}")
           (data (i32.const 0) "\40\00\00\00\{:02x}\00\00\00")
           (func (export "_start")
             (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))"#,
        text.len()
    ))
}

fn module(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {fields})")).expect("a module")
}

/// What most tests declare: one user, any payload, no files.
fn declaration() -> Value {
    json!({
        "language": "Wasm", "function_type": "Single", "payload": "Optional",
        "inputs": {"min": 0, "max": 0}, "outputs": [],
    })
}

/// Puts code and registers it, with these fields beside the usual ones; the answer.
async fn register(author: Party<'_>, name: &str, code: &[u8], more: Value) -> Value {
    let file = author.put(code).await;
    let mut document = json!({
        "type": "RegisterFunction", "function_name": name, "file_id": file, "declaration": declaration(),
    });
    for (field, value) in more.as_object().expect("fields") {
        document[field] = value.clone();
    }
    author.ask(Api::TmsExternal, document).await
}

/// As [`register`]; the version's number.
async fn registered(author: Party<'_>, name: &str, code: &[u8], more: Value) -> u64 {
    let answer = register(author, name, code, more).await;
    answer["function"]["version"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}

async fn show(reader: Party<'_>, name: &str) -> Value {
    let found = reader.ask(Api::TmsExternal, json!({"type": "GetFunction", "function_name": name})).await;
    if found["type"] == "GetFunction" { found["function_info"].clone() } else { found }
}

async fn disable(user: Party<'_>, name: &str) -> Value {
    user.ask(Api::TmsExternal, json!({"type": "DisableFunction", "function_name": name})).await
}

async fn names(reader: Party<'_>) -> Vec<String> {
    let list = reader.ask(Api::TmsExternal, json!({"type": "ListFunctions"})).await;
    let all = list["list"].as_array().unwrap_or_else(|| panic!("{list}")).iter();
    all.filter(|listed| listed["author"].is_string())
        .map(|listed| {
            format!("{}@{}", listed["function"]["name"].as_str().unwrap_or("?"), listed["function"]["version"])
        })
        .collect()
}

async fn result(task: &Task<'_>) -> Value {
    task.invoke(None).await
}

fn check_code(answer: &Value, code: &str) {
    assert_eq!(answer["code"], code, "{answer}");
}

/// The reader of the documented requests writes a function's plain name and gets the newest version; a version that is
/// named stays what it is, and so does a task that was created before a newer one came.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_keeps_the_version_that_it_was_created_with() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    assert_eq!(registered(user1, "greet", &says("one"), json!({})).await, 1);
    let early = user1.create("greet", &[], &[]).await;
    assert_eq!(registered(user1, "greet", &says("two"), json!({})).await, 2);
    for (name, expected) in [("greet", "two"), ("greet@1", "one"), ("greet@2", "two")] {
        assert_eq!(result(&user1.create(name, &[], &[]).await).await, json!({"result": expected}), "{name}");
    }
    let pinned = &user1.look(&early).await["function"];
    assert_eq!((&pinned["name"], &pinned["version"]), (&json!("greet"), &json!(1)));
    assert_eq!(pinned["digest"], show(user1, "greet@1").await["function"]["digest"]);
    assert_eq!(result(&early).await, json!({"result": "one"}));
    check_code(&user1.try_create("greet@3", &[], &[]).await, "not_found");
    check_code(&user1.try_create("greet@01", &[], &[]).await, "not_found");
}

/// Whom its author does not name can't tell a function from none.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_exists_for_those_who_may_use_it() {
    let cluster = cluster().await;
    let [user1, user2, user3, ..] = cluster.examples();
    registered(user1, "mine", &says("mine"), json!({})).await;
    registered(user1, "ours", &says("ours"), json!({"allow": [user2.name]})).await;
    registered(user1, "all", &says("all"), json!({"public": true})).await;
    let none = user3.try_create("no_such", &[], &[]).await;
    for (user, name, may) in [
        (user1, "mine", true),
        (user2, "mine", false),
        (user3, "mine", false),
        (user2, "ours", true),
        (user3, "ours", false),
        (user2, "all", true),
        (user3, "all", true),
    ] {
        let (created, shown) = (user.try_create(name, &[], &[]).await, show(user, name).await);
        match may {
            true => assert_eq!((&created["type"], &shown["function"]["name"]), (&json!("Create"), &json!(name))),
            false => {
                assert_eq!(created["message"].as_str(), Some(format!("no function {name}").as_str()));
                assert_eq!((&created["code"], &shown["code"]), (&none["code"], &none["code"]));
            }
        }
    }
    assert_eq!(names(user1).await, ["all@1", "mine@1", "ours@1"]);
    assert_eq!(names(user2).await, ["all@1", "ours@1"]);
    assert_eq!(names(user3).await, ["all@1"]);
    let (own, others) = (show(user1, "ours").await, show(user2, "ours").await);
    assert_eq!((&own["code"]["allow"], &others["code"]["allow"]), (&json!([user2.name]), &Value::Null));
    assert_eq!(others["code"]["author"], user1.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_belong_to_built_ins_and_to_whoever_came_first() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    registered(user1, "greet", &says("one"), json!({"public": true})).await;
    check_code(&register(user1, "psi", &says("x"), json!({})).await, "conflict");
    check_code(&register(user2, "greet", &says("x"), json!({})).await, "conflict");
    check_code(&register(user1, "Greet", &says("x"), json!({})).await, "invalid_request");
    check_code(&register(user1, "greet@2", &says("x"), json!({})).await, "invalid_request");
    check_code(&disable(user2, "greet").await, "permission_denied");
    check_code(&disable(user2, "psi").await, "permission_denied");
    check_code(&disable(user2, "nothing").await, "not_found");
    assert_eq!(show(user2, "greet").await["function"]["version"], 1);
}

/// The request that registers a file as a function.
fn registration(name: &str, file: &str) -> Value {
    json!({"type": "RegisterFunction", "function_name": name, "file_id": file, "declaration": declaration()})
}

/// Of two who want a name in the same moment one gets it, whole, and the other is told and keeps nothing but the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_race_for_a_name_has_one_winner() {
    let mut cluster = cluster().await;
    let mut won = Vec::new();
    for round in 0..20 {
        let [user1, user2, ..] = cluster.examples();
        let name = format!("race_{round}");
        let files = [user1.put(&says("one")).await, user2.put(&says("two")).await];
        let [first, second] = [registration(&name, &files[0]), registration(&name, &files[1])];
        let answers = tokio::join!(user1.ask(Api::TmsExternal, first), user2.ask(Api::TmsExternal, second));
        let (winner, answers) = match &answers {
            (first, second) if first["type"] == "RegisterFunction" => (0, [first, second]),
            (first, second) => (1, [second, first]),
        };
        let (users, said) = ([user1, user2], ["one", "two"][winner]);
        let (winner, loser, kept, free) = (users[winner], users[1 - winner], &files[winner], &files[1 - winner]);
        assert_eq!(answers[0]["function"]["version"], 1, "{answers:?}");
        let taken = json!(format!("the name {name} is taken: choose another"));
        assert_eq!((&answers[1]["code"], &answers[1]["message"]), (&json!("conflict"), &taken));
        assert_eq!(show(winner, &name).await["code"]["author"], winner.name);
        check_code(&show(loser, &name).await, "not_found");
        check_code(&winner.delete(kept).await, "conflict");
        assert_eq!(loser.delete(free).await["type"], "Delete");
        won.push((name, winner.name == "user1", said));
    }
    cluster.restart().await;
    let [user1, user2, ..] = cluster.examples();
    for (name, first, said) in won {
        let [winner, loser] = if first { [user1, user2] } else { [user2, user1] };
        assert_eq!(result(&winner.create(&name, &[], &[]).await).await, json!({"result": said}), "{name}");
        check_code(&register(loser, &name, &says("late"), json!({})).await, "conflict");
        assert_eq!(registered(winner, &name, &says("next"), json!({})).await, 2);
    }
}

/// One author who registers twice at once gets two versions, each with its own code.
#[tokio::test(flavor = "multi_thread")]
async fn versions_registered_at_once_are_both_there() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    for round in 0..10 {
        let name = format!("both_{round}");
        let files = [user1.put(&says("one")).await, user1.put(&says("two")).await];
        let [first, second] = [registration(&name, &files[0]), registration(&name, &files[1])];
        let (first, second) = tokio::join!(user1.ask(Api::TmsExternal, first), user1.ask(Api::TmsExternal, second));
        let mut numbers = Vec::new();
        for (answer, said) in [(&first, "one"), (&second, "two")] {
            let number = answer["function"]["version"].as_u64().unwrap_or_else(|| panic!("{answer}"));
            let task = user1.create(&format!("{name}@{number}"), &[], &[]).await;
            assert_eq!(result(&task).await, json!({"result": said}), "{name}@{number}");
            numbers.push(number);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_version_serves_the_tasks_that_have_it_and_no_more() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    registered(user1, "greet", &says("one"), json!({})).await;
    registered(user1, "greet", &says("two"), json!({})).await;
    let before = user1.create("greet", &[], &[]).await;
    assert_eq!(disable(user1, "greet@2").await["versions"], json!([2]));
    check_code(&user1.try_create("greet@2", &[], &[]).await, "conflict");
    assert_eq!(result(&user1.create("greet", &[], &[]).await).await, json!({"result": "one"}));
    assert_eq!(result(&before).await, json!({"result": "two"}));
    assert_eq!(show(user1, "greet@2").await["disabled"], true);
    assert_eq!(disable(user1, "greet").await["versions"], json!([2, 1]));
    check_code(&user1.try_create("greet", &[], &[]).await, "conflict");
    assert!(names(user1).await.is_empty());
    assert_eq!(registered(user1, "greet", &says("three"), json!({})).await, 3);
    assert_eq!(names(user1).await, ["greet@3"]);
}

/// The code of a function is there for as long as the function: its author can't take it away from under a task.
#[tokio::test(flavor = "multi_thread")]
async fn code_can_not_be_deleted_while_it_is_a_function() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let file = user1.put(&says("held")).await;
    // What is refused holds nothing.
    check_code(&user1.ask(Api::TmsExternal, registration("psi", &file)).await, "conflict");
    check_code(&user2.ask(Api::TmsExternal, registration("held", &file)).await, "not_found");
    assert_eq!(user1.ask(Api::TmsExternal, registration("held", &file)).await["type"], "RegisterFunction");
    check_code(&user1.delete(&file).await, "conflict");
    assert_eq!(result(&user1.create("held", &[], &[]).await).await, json!({"result": "held"}));
}

/// What is wrong with code is said to whoever runs it, and the task fails for good.
#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_none_fails_its_tasks_with_a_reason() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let missing = module(r#"(import "env" "launch" (func)) (memory (export "memory") 1) (func (export "_start"))"#);
    for (name, code, part) in [
        ("garbage", b"no module at all".to_vec(), "the function's code: "),
        ("cut", says("x")[..40].to_vec(), "the function's code: "),
        ("startless", module(r#"(memory (export "memory") 1)"#), "_start"),
        ("greedy", missing, "launch"),
        ("empty", Vec::new(), "the function's code: "),
    ] {
        registered(user1, name, &code, json!({})).await;
        let task = user1.create(name, &[], &[]).await;
        let failed = result(&task).await;
        check_code(&failed, "function_failed");
        assert!(failed["message"].as_str().is_some_and(|message| message.contains(part)), "{name}: {failed}");
        assert_eq!(user1.look(&task).await["status"], "Failed");
    }
}

/// Code that imports more than was declared does not run, whoever declared it and whoever ran it before.
#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_of_imports_is_held_to() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let declared = |imports: Value| {
        let mut declaration = declaration();
        declaration["imports"] = imports;
        json!({"declaration": declaration})
    };
    let honest = declared(json!(["wasi_snapshot_preview1::fd_write"]));
    registered(user1, "honest", &says("here"), honest).await;
    assert_eq!(result(&user1.create("honest", &[], &[]).await).await, json!({"result": "here"}));
    // The same bytes, which are compiled and loaded by now.
    registered(user1, "sly", &says("here"), declared(json!([]))).await;
    let failed = result(&user1.create("sly", &[], &[]).await).await;
    check_code(&failed, "function_failed");
    assert!(failed["message"].as_str().is_some_and(|message| message.contains("fd_write")), "{failed}");
}

/// Limits of a registration are lower than the node's, never higher, and a run past one fails alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_past_its_limits_fails_and_its_neighbours_do_not() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let limited = |limits: Value| {
        let mut declaration = declaration();
        declaration["limits"] = limits;
        json!({"declaration": declaration})
    };
    let endless = module(r#"(memory (export "memory") 1) (func (export "_start") (loop $on (br $on)))"#);
    let hungry = module(
        r#"(memory (export "memory") 1)
           (func (export "_start") (if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then unreachable)))"#,
    );
    registered(user1, "endless", &endless, limited(json!({"cpu_ms": 200}))).await;
    registered(user1, "late", &endless, limited(json!({"wall_ms": 200}))).await;
    registered(user1, "hungry", &hungry, limited(json!({"memory_bytes": 1 << 20}))).await;
    registered(user1, "fed", &hungry, limited(json!({"memory_bytes": 8 << 20}))).await;
    registered(user1, "greet", &says("well"), json!({})).await;
    let [endless, late, hungry, fed, greet] = [
        user1.create("endless", &[], &[]).await,
        user1.create("late", &[], &[]).await,
        user1.create("hungry", &[], &[]).await,
        user1.create("fed", &[], &[]).await,
        user1.create("greet", &[], &[]).await,
    ];
    let (endless, late, hungry, fed, greet) =
        tokio::join!(result(&endless), result(&late), result(&hungry), result(&fed), result(&greet));
    check_code(&endless, "function_failed");
    check_code(&late, "deadline_exceeded");
    check_code(&hungry, "function_failed");
    assert!(hungry["message"].as_str().is_some_and(|message| message.contains("memory")), "{hungry}");
    assert_eq!((fed, greet), (json!({"result": ""}), json!({"result": "well"})));
}

/// A page ends where it says, and the next one goes on from there; built-ins and users' functions are one list.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_every_name_once() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    for name in ["aaa", "echo_twice", "zzz"] {
        registered(user1, name, &says("x"), json!({"public": true, "allow": [user2.name]})).await;
    }
    let (mut all, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut ask = json!({"type": "ListFunctions", "limit": 2});
        if !cursor.is_null() {
            ask["cursor"] = cursor;
        }
        let page = user2.ask(Api::TmsExternal, ask).await;
        let list = page["list"].as_array().expect("a page");
        assert!(list.len() <= 2);
        all.extend(list.iter().map(|listed| listed["function"]["name"].as_str().expect("a name").to_owned()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert!(all.is_sorted() && all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
    for name in ["aaa", "echo", "echo_twice", "psi", "zzz"] {
        assert!(all.iter().any(|listed| listed == name), "{name} of {all:?}");
    }
    check_code(&user2.ask(Api::TmsExternal, json!({"type": "ListFunctions", "limit": 0})).await, "invalid_request");
}
