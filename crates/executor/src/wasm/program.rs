//! User code as a function.

use std::fmt;
use std::sync::Arc;

use wasmtime::{Store, UpdateDeadline};

use super::door::drive;
use super::ending;
use super::engine::{Engine, Loaded};
use super::flavour::Linked;
use super::host::Host;
use super::tree::Script;
use super::watch::Watch;
use super::{Refused, Sandbox};
use crate::{Failure, Function, Interface, Invocation, Usage};

/// User code, ready to run any number of times, also at once.
#[derive(Clone)]
pub struct Program {
    engine: Engine,
    loaded: Arc<Loaded>,
    interface: Interface,
    sandbox: Sandbox,
    scripts: Arc<[Script]>,
}

impl Program {
    pub(super) fn new(engine: Engine, loaded: Arc<Loaded>, interface: Interface, sandbox: Sandbox) -> Self {
        Self { engine, loaded, interface, sandbox, scripts: Arc::default() }
    }

    /// The same program with read-only files of its own: each name is one below `/code`, as an interpreter finds its
    /// script there. Refuses names that are no plain file names, and names that occur twice.
    pub fn with_files<C: Into<Arc<[u8]>>>(self, files: impl IntoIterator<Item = (String, C)>) -> Result<Self, Refused> {
        let mut scripts: Vec<Script> = Vec::new();
        for (name, content) in files {
            let plain = !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0']);
            if !plain || scripts.iter().any(|script| script.name == name) {
                return Err(Refused::Unloadable(format!("{name:?} can't be a file below /code")));
            }
            scripts.push(Script { name, content: content.into() });
        }
        Ok(Self { scripts: scripts.into(), ..self })
    }

    /// The same program under another declaration.
    pub(crate) fn declared(self, interface: Interface, sandbox: Sandbox) -> Self {
        Self { interface, sandbox, ..self }
    }

    fn store(&self, linked: &Linked, invocation: &Invocation<'_>) -> wasmtime::Result<Store<Host>> {
        let mut store = Store::new(linked.engine(), Host::new(invocation, self.sandbox, self.scripts.clone()));
        store.limiter(|host| &mut host.memory);
        let watch = Watch::start(invocation.meter().clone());
        store.epoch_deadline_callback(move |_| {
            watch.check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        store.set_epoch_deadline(1);
        if counts_fuel(&store) {
            store.set_fuel(u64::MAX)?;
        }
        Ok(store)
    }
}

impl Function for Program {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let running = self.engine.ticker().enter();
        let watch = Watch::start(invocation.meter().clone());
        let linked = self.engine.place(&self.loaded, running.others).map_err(ending::of_host)?;
        let mut store = self.store(linked, invocation).map_err(ending::of_host)?;
        let door = store.data().door.clone();
        let ended = drive(linked.run(&mut store), &door, invocation);
        let fuel = counts_fuel(&store).then(|| u64::MAX - store.get_fuel().unwrap_or(u64::MAX));
        let host = store.into_data();
        invocation.meter().note(Usage { cpu: watch.cpu(), memory: host.memory.peak(), fuel });
        ending::conclude(ended, host)
    }
}

fn counts_fuel(store: &Store<Host>) -> bool {
    store.get_fuel().is_ok()
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("function", &self.interface.reference()).finish_non_exhaustive()
    }
}
