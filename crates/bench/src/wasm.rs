//! Users' functions beside `echo`: what a run costs more, how many there are in a second, and compiling once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use client::{Contents, NewFunction, Put, Teehouse};
use types::function::{Declaration, FunctionType, InputRule, Language, PayloadUse, RunLimits};
use types::secret::Secret;
use types::wire::fns;
use types::wire::tms_external::CreatedTask;

use crate::cluster::{Cluster, folder};
use crate::figure::{Figure, Report, Target};
use crate::load::{self, rates};
use crate::stats::median;

const CLIENTS: usize = 64;
const ROUND: Duration = Duration::from_secs(3);

/// Invocations of each function that one client times.
const SAMPLES: usize = 400;

/// How long the interpreter may take to be compiled.
const COMPILING: Duration = Duration::from_secs(120);

/// Size of the module that is compiled, in bytes.
const MODULE: usize = 1 << 20;

const EMPTY: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
const HELLO: &str = "def main(payload, inputs, outputs):\n    return 'hello'\n";

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let dir = folder()?;
    let cluster = Cluster::start_in(dir).await?;
    let author = cluster.user("author").await?;
    register(&author, "empty", Language::Wasm, wat::parse_str(EMPTY)?).await?;
    register(&author, "large", Language::Wasm, large()?).await?;
    let python = has_python(&author).await?;
    let [first, second] = [invoke(&author, "large").await?, invoke(&author, "large").await?];
    let names = if python { &["echo", "empty", "hello"][..] } else { &["echo", "empty"] };
    let alone = one_by_one(&author, names).await?;
    let mut users = Vec::new();
    for number in 0..CLIENTS {
        users.push(cluster.user(&format!("user{number}")).await?);
    }
    let echo = load::rounds(&users, ROUND, |user| async move { whole_task(&user, "echo").await }).await?;
    let empty = load::rounds(&users, ROUND, |user| async move { whole_task(&user, "empty").await }).await?;
    let cluster = Cluster::start_in(cluster.stop_and_keep().await).await?;
    let restarted = invoke(&cluster.again("author")?, "large").await?;
    cluster.stop().await;

    let beside = format!("echo {:.2} ms, empty {:.2} ms", alone[0], alone[1]);
    let more = Figure::once("wasm", "an empty module, invoked, more than echo", "ms", alone[1] - alone[0]);
    report.add(more.wanted(Target::AtMost(0.3)).beside(beside));
    if python {
        let more = Figure::once("wasm", "Python hello, invoked, more than echo", "ms", alone[2] - alone[0]);
        report.add(more.wanted(Target::AtMost(10.0)).beside(format!("hello {:.2} ms", alone[2])));
    }
    let (echo, empty) = (rates(&echo), rates(&empty));
    let ratios: Vec<f64> = empty.iter().map(|rate| rate / median(&echo)).collect();
    let figure = Figure::of_rounds("wasm", format!("empty modules, {CLIENTS} clients, of echo's rate"), "×", &ratios);
    let beside = format!("{:.0}/s of {:.0}/s", median(&empty), median(&echo));
    report.add(figure.wanted(Target::AtLeast(0.8)).beside(beside));
    let compiled = Figure::once("wasm", "a module of 1 MiB, its first invocation", "ms", first);
    let beside = format!("the second {second:.1} ms; the first after a restart {restarted:.1} ms");
    report.add(compiled.beside(beside));
    Ok(())
}

/// Registers the Python function, once the node's interpreter is ready, where it is told of one by `TEEHOUSE_PYTHON`.
async fn has_python(author: &Teehouse) -> anyhow::Result<bool> {
    if std::env::var_os("TEEHOUSE_PYTHON").is_none() {
        return Ok(false);
    }
    let deadline = Instant::now() + COMPILING;
    loop {
        match register(author, "hello", Language::Python, HELLO.into()).await {
            Ok(()) => return Ok(true),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

/// A module of many functions, none like the other.
fn large() -> anyhow::Result<Vec<u8>> {
    let mut text = String::from("(module (memory (export \"memory\") 1) (func (export \"_start\"))");
    let mut number = 0;
    // A function of this text takes 110 bytes or so.
    while number < MODULE / 110 {
        text += &format!(
            "(func (param $a i32) (result i32) (local $b i32)
               (local.set $b (i32.mul (local.get $a) (i32.const {number}0001)))
               (loop $on
                 (local.set $b (i32.xor (i32.rotl (local.get $b) (i32.const {})) (i32.load (i32.and (local.get $b) (i32.const 65532)))))
                 (i32.store (i32.and (local.get $b) (i32.const 65532)) (i32.add (local.get $b) (i32.const {number}7)))
                 (local.set $a (i32.sub (local.get $a) (i32.const 1)))
                 (br_if $on (i32.gt_u (local.get $a) (i32.const {number}))))
               (select (local.get $b) (i32.const {number}3) (i32.clz (local.get $b)))
               (drop (i64.mul (i64.extend_i32_u (local.get $b)) (i64.const {number}12345678901)))
               (i32.popcnt (i32.const {number}99)) (i32.add))",
            number % 31
        );
        number += 1;
    }
    text.push(')');
    Ok(wat::parse_str(text)?)
}

async fn register(author: &Teehouse, name: &str, language: Language, code: Vec<u8>) -> anyhow::Result<()> {
    let put = Put::named(name.parse()?);
    let code = author.put_file(Contents::Bytes(code.into()), put, |_, _| {}).await?.file_id;
    let declaration = Declaration {
        language,
        function_type: FunctionType::Single,
        payload: PayloadUse::Optional,
        inputs: InputRule { min: 0, max: Some(0), from_every_party: false },
        outputs: Vec::new(),
        random: false,
        limits: RunLimits::default(),
        imports: None,
    };
    let new = NewFunction {
        name: name.to_owned(),
        code,
        declaration,
        summary: String::new(),
        schema: String::new(),
        public: true,
        allow: Vec::new(),
    };
    author.register_function(new).await?;
    Ok(())
}

async fn create(user: &Teehouse, name: &str) -> anyhow::Result<(SocketAddr, fns::Request)> {
    let CreatedTask { task_id, task_token, ip, port } = user.create_task(name, &[], &[]).await?;
    let payload = Some(Secret::new("Hello, world".to_owned()));
    Ok((SocketAddr::new(ip, port), fns::Request { task_id, function_name: name.to_owned(), task_token, payload }))
}

/// Milliseconds of one invocation.
async fn invoke(user: &Teehouse, name: &str) -> anyhow::Result<f64> {
    let (node, request) = create(user, name).await?;
    let start = Instant::now();
    user.invoke(node, request).await?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

/// The median of each function's invocations, in milliseconds; the functions take turns.
async fn one_by_one(user: &Teehouse, names: &[&str]) -> anyhow::Result<Vec<f64>> {
    let mut times = vec![Vec::new(); names.len()];
    for sample in 0..SAMPLES {
        for (name, times) in names.iter().zip(&mut times) {
            let took = invoke(user, name).await?;
            // The first ones warm up.
            if sample >= SAMPLES / 10 {
                times.push(took);
            }
        }
    }
    Ok(times.iter().map(|times| median(times)).collect())
}

async fn whole_task(user: &Teehouse, name: &str) -> anyhow::Result<()> {
    let (node, request) = create(user, name).await?;
    let id = request.task_id.clone();
    user.invoke(node, request).await?;
    let task = user.task(&id).await?;
    ensure!(task.status == types::task::Status::Finished, "a task ended as {}", task.status);
    Ok(())
}
