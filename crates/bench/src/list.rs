//! One page of a user's list, in a store of a thousand tasks and in one of many.
//!
//! The stores are filled by the tms itself, called without TLS by many callers at once: the same code writes the same
//! records as when users create tasks.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use client::Teehouse;
use consent::signing::Statements;
use rpc::authn::{AuthnError, Identity, Known};
use rpc::config::{LIST_PAGE, Limits};
use rpc::deployment::DevDeployment;
use rpc::tls::Connector;
use rpc::{Client, protocol};
use tms::{External, Internal, Settings, Tms};
use tokio::task::JoinSet;
use types::digest::Digest;
use types::function::{FunctionInfo, FunctionRef, FunctionType};
use types::secret::Secret;
use types::service::{Api, Role};
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_external::{CreateTask, TaskTerms};
use types::wire::tms_internal::RegisterNode;

use crate::cluster::{Cluster, folder};
use crate::figure::{Figure, Report, Target};
use crate::stats::{median, millis};

/// Tasks in the small store: one page.
const FEW: u64 = 1000;
/// Pages of each kind.
const PAGES: usize = 300;
/// Tasks that are created at once: as many as share a commit.
const CREATORS: u64 = 256;
const USER: &str = "user";

pub(crate) async fn run(report: &mut Report, tasks: u64) -> anyhow::Result<()> {
    let few = Filled::start(FEW).await?;
    let start = Instant::now();
    let many = Filled::start(tasks).await?;
    eprintln!("  {tasks} tasks created in {:.0} s", start.elapsed().as_secs_f64());
    let middle = Some((tasks / 2).to_string());
    let (mut small, mut first, mut deep) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAGES {
        small.push(few.page(None).await?);
        first.push(many.page(None).await?);
        deep.push(many.page(middle.clone()).await?);
    }
    few.cluster.stop().await;
    many.cluster.stop().await;
    let [small, first, deep] = [small, first, deep].map(|times| millis(&times));
    let base = median(&small);
    report.add(Figure::of_samples("list", format!("page of {LIST_PAGE} ids, {FEW} tasks"), "ms", &small));
    for (page, times) in [("first", &first), ("middle", &deep)] {
        report.add(Figure::of_samples("list", format!("{page} page, {tasks} tasks"), "ms", times));
        let share = Figure::once("list", format!("{page} page beside that of {FEW}"), "×", median(times) / base);
        report.add(share.wanted(Target::AtMost(2.0)));
    }
    Ok(())
}

/// A cluster whose one user has created so many tasks.
struct Filled {
    cluster: Cluster,
    user: Teehouse,
}

impl Filled {
    async fn start(tasks: u64) -> anyhow::Result<Self> {
        let dir = folder()?;
        fill(dir.path(), tasks).await?;
        let cluster = Cluster::start_in(dir).await?;
        let user = cluster.user(USER).await?;
        let filled = Filled { cluster, user };
        // Warms up the connection, and shows that the tasks are the user's.
        filled.page(None).await?;
        Ok(filled)
    }

    async fn page(&self, cursor: Option<String>) -> anyhow::Result<Duration> {
        let start = Instant::now();
        let page = self.user.task_page(None, cursor).await?;
        let took = start.elapsed();
        ensure!(page.list.len() == LIST_PAGE as usize, "a page has {} ids", page.list.len());
        Ok(took)
    }
}

/// Has a tms create tasks in a data directory's store, and closes it.
async fn fill(data_dir: &Path, tasks: u64) -> anyhow::Result<()> {
    let tms = Arc::new(open(data_dir)?);
    let node = Client::local(Arc::new(Internal(tms.clone())), Role::Fns);
    node.call(RegisterNode { node: nowhere(), started: true, functions: vec![echo()], runtimes: Vec::new() }).await?;
    let users = Client::<protocol::TmsExternal>::local(Arc::new(External(tms)), Role::Fns);
    let mut creators = JoinSet::new();
    for creator in 0..CREATORS {
        let users = users.clone();
        let share = tasks / CREATORS + u64::from(creator < tasks % CREATORS);
        creators.spawn(async move {
            for _ in 0..share {
                users.call(create()?).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = creators.join_next().await {
        done??;
    }
    Ok(())
}

fn open(data_dir: &Path) -> anyhow::Result<Tms> {
    let deployment = DevDeployment::open_or_create(data_dir)?;
    let trust = Arc::new(deployment.trust()?);
    // The tasks have no files: the tdfs is never asked.
    let tdfs = Client::remote(Connector::new(Api::TdfsInternal, None, trust), nowhere().to_string());
    let (sealing_key, settings) = (deployment.sealing_key(Role::Tms)?, Settings::from(&Limits::default()));
    let (house, attester) = (deployment.trust()?.deployment, deployment.attester(Role::Tms));
    let statements = Statements::new(house, &sealing_key, attester, UnixMillis::now())?;
    Tms::open(data_dir, &sealing_key, tdfs, Arc::new(Anyone), statements, settings).context("the tms's store")
}

fn create() -> anyhow::Result<CreateTask> {
    Ok(CreateTask {
        function_name: "echo".to_owned(),
        collaborator_list: Vec::new(),
        files: Vec::new(),
        terms: TaskTerms::default(),
        user_id: USER.parse()?,
        user_token: Secret::new(String::new()),
    })
}

/// The discard port: nobody listens there.
fn nowhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9))
}

fn echo() -> FunctionInfo {
    FunctionInfo {
        function: FunctionRef { name: "echo".to_owned(), version: 1, digest: Digest::new([0; 32]) },
        function_type: FunctionType::Single,
        min_files: 0,
        max_files: Some(0),
        from_every_party: false,
        summary: String::new(),
        payload: None,
        outputs: Vec::new(),
        schema: String::new(),
        counts: false,
    }
}

/// Believes every user.
struct Anyone;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, AuthnError>> + Send + 'a>>;

impl Identity for Anyone {
    fn verify<'a>(&'a self, _: &'a UserId, _: &'a Secret) -> Answer<'a, Option<Known>> {
        Box::pin(async { Ok(Some(Known { key: None })) })
    }

    fn existing<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<UserId>> {
        Box::pin(async { Ok(users.to_vec()) })
    }
}
