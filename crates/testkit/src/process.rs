//! Services in a process of their own, which a test can kill at any instant.
//!
//! The process is the test binary itself, asked to run its test `child`, which calls [`serve`].

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

use rpc::config::Config;
use rpc::telemetry::{self, LogFormat};
use serde_json::json;
use teehouse::system::{Mode, System};
use types::service::Role;

use crate::node::Node;
use crate::{Site, functions};

const WHAT: &str = "TESTKIT_CHILD";
const READY: &str = "ready ";
const LOG: &str = "log";

/// A process that serves. Dropping it kills it.
pub struct Process {
    child: Child,
    /// Where it serves what.
    pub site: Site,
}

impl Process {
    /// Starts these services in a process; it serves when this returns. Its function node also knows the functions
    /// that misbehave.
    pub fn start(config: &Config, services: &[Role]) -> Self {
        Self::try_start(config, services).unwrap_or_else(|ended| panic!("the child ended: {ended}"))
    }

    /// The same; how the process ended, when it did not come to serve. So it is with a fixed port that somebody's connection
    /// has just then.
    ///
    /// # Errors
    /// How it ended.
    pub fn try_start(config: &Config, services: &[Role]) -> Result<Self, ExitStatus> {
        let mut log = OpenOptions::new();
        let log = log.create(true).append(true).open(config.data_dir.join(LOG)).expect("a log");
        let what = json!({"config": config, "services": services}).to_string();
        let mut child = Command::new(std::env::current_exe().expect("this test's binary"))
            .args(["child", "--exact", "--nocapture"])
            .env(WHAT, what)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("a process");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let ready = output.lines().map_while(Result::ok).find_map(|line| Some(line.split_once(READY)?.1.to_owned()));
        match ready {
            Some(ready) => {
                Ok(Process { child, site: Site::new(serde_json::from_str(&ready).expect("a configuration")) })
            }
            None => Err(child.wait().expect("it ended")),
        }
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.site.data_dir().join(LOG)).expect("a log")
    }

    /// SIGKILL; returns when the process is gone.
    pub fn kill(mut self) {
        self.kill_now();
    }

    fn kill_now(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_now();
    }
}

/// What the child does: serves what it was asked to, until it is killed. Does nothing when nobody asked.
pub async fn serve() {
    let Ok(what) = std::env::var(WHAT) else { return };
    telemetry::start_logs(LogFormat::Text, "info");
    let what: serde_json::Value = serde_json::from_str(&what).expect("JSON");
    let config: Config = serde_json::from_value(what["config"].clone()).expect("a configuration");
    let services: Vec<Role> = serde_json::from_value(what["services"].clone()).expect("roles");
    let (nodes, others): (Vec<Role>, Vec<Role>) = services.into_iter().partition(|role| *role == Role::Fns);
    let system = System::start(config, &others, Mode::Dev).await.expect("it starts");
    let mut config = system.config().clone();
    let node = match nodes.is_empty() {
        true => None,
        false => Some(Node::start(config.clone(), functions::all()).await),
    };
    config.fns.external = node.as_ref().map_or(config.fns.external, Node::address);
    // The line begins with what the test harness printed before.
    println!("\n{READY}{}", serde_json::to_string(&config).expect("plain data"));
    std::future::pending::<()>().await;
    drop((system, node));
}
