//! What nodes and the kms do in a [`World`], and what must hold of it.

use consent::uses::{Tally, Use};
use types::file::TaskFile;
use types::task::Status;
use types::trust::TrustLevel;
use types::wire::tms_internal::UpdateTask;

use super::{Mutant, Node, Setting, World, id, lease, user};
use crate::task::Task;

impl Setting {
    /// A node's update, whatever became of the node since.
    fn update(&self, task: &Task, node: usize, status: Option<Status>, outputs: bool) -> UpdateTask {
        let output = TaskFile { user_id: user(0), file_id: format!("output {node}").parse().expect("short") };
        let any = task.lease.as_ref().and_then(|lease| lease.id.clone()).filter(|_| self.is(Mutant::TakesAnyReport));
        UpdateTask {
            task_id: id(),
            task_result_file_id: None,
            output_files: if outputs { vec![output] } else { Vec::new() },
            status,
            lease_id: any.or(Some(lease(node))),
            node: None,
            manifest_sha256: None,
            error: None,
            run: None,
        }
    }

    /// A node's request for the lease. It is refused when it comes again.
    pub(super) fn lease(&self, world: &World, node: usize) -> Result<Option<World>, String> {
        let named = match &world.nodes[node] {
            Node::Read(named) => Some(*named),
            _ => None,
        };
        let update = UpdateTask {
            manifest_sha256: named.filter(|_| !self.is(Mutant::NamesNoManifest)),
            ..self.update(&world.task, node, Some(Status::Running), false)
        };
        let mut after = world.clone();
        let Some(task) = world.task.clone().update(&update, TrustLevel::Simulated, world.now) else {
            // Told no, the node ends the invocation; the next one reads the task again.
            after.nodes[node] = Node::Idle;
            return Ok(named.map(|_| after));
        };
        if named.ok_or("a request for the lease counts again")? != world.standing {
            return Err("what runs is not what the node read".to_owned());
        }
        after.task = task;
        after.nodes[node] = Node::Runs;
        self.check_approved(&after)?;
        match after.keys(node) {
            true => Ok(Some(after)),
            false => Err("it runs, and the kms would not release its keys".to_owned()),
        }
    }

    pub(super) fn check_approved(&self, world: &World) -> Result<(), String> {
        if world.task.withdrawn.is_some() {
            return Err("something is released after a withdrawal".to_owned());
        }
        if !self.consented(world) {
            return Err("what runs is not approved as it stands".to_owned());
        }
        Ok(())
    }

    /// A node's report, or what it reports before its end.
    pub(super) fn report(&self, world: &World, node: usize, status: Option<Status>) -> Result<Option<World>, String> {
        let outputs = status != Some(Status::Failed);
        let update = self.update(&world.task, node, status, outputs);
        if world.task.is_repeated(&update) {
            return if world.task.ended_under == Some(lease(node)) {
                Ok(None)
            } else {
                Err("a stranger's end is told again".to_owned())
            };
        }
        let Some(task) = world.task.clone().update(&update, TrustLevel::Simulated, world.now) else { return Ok(None) };
        let held = world.task.lease.as_ref().and_then(|lease| lease.id.clone());
        if held != Some(lease(node)) {
            return Err("a report counts under another lease".to_owned());
        }
        if world.task.withdrawn.is_some() {
            return Err("something is recorded after a withdrawal".to_owned());
        }
        Ok(Some(World { task, ..world.clone() }))
    }

    /// As in `kms::policy`: keys come with a use, where uses are counted.
    pub(super) fn reserve(&self, world: &World, node: usize) -> Option<World> {
        let reserved = world.tally.reserve(world.held[node], 1).ok().filter(|_| self.one_use && world.keys(node))?;
        let mut after = world.clone();
        (after.tally, after.held[node]) = (reserved.0, Some(reserved.1));
        Some(after).filter(|after| after.held != world.held)
    }

    pub(super) fn begin(world: &World, node: usize) -> Option<World> {
        let tally = world.tally.begin(world.held[node]).ok().filter(|_| world.keys(node))?;
        let mut after = World { tally, ..world.clone() };
        after.held[node] = Some(Use::Spent);
        after.began += u64::from(after.held != world.held);
        Some(after).filter(|after| after.held != world.held)
    }

    pub(super) fn reclaim(world: &World) -> Option<World> {
        let mut after = world.clone();
        for node in 0..world.nodes.len() {
            let back = after.tally.give_back(world.held[node]).filter(|_| !world.keys(node));
            if let Some(tally) = back {
                (after.tally, after.held[node]) = (tally, None);
            }
        }
        Some(after).filter(|after| after.held != world.held)
    }

    fn check_uses(world: &World) -> Result<(), String> {
        let counted = |what| world.held.iter().filter(|held| **held == Some(what)).count() as u64;
        let Tally { reserved, spent } = world.tally;
        if spent != world.began || spent > 1 || spent != counted(Use::Spent) {
            return Err("a use is counted twice, or not at all".to_owned());
        }
        let lost = world.task.status().is_final() && Self::reclaim(world).unwrap_or(world.clone()).tally.reserved > 0;
        if lost || reserved != counted(Use::Reserved) {
            return Err("a use is lost for a run that did not begin".to_owned());
        }
        Ok(())
    }

    /// What holds of every state.
    pub(super) fn hold(&self, world: &World) -> Result<(), String> {
        let Task { outputs, result_file, lease, withdrawn, .. } = &world.task;
        let status = world.task.status();
        let results = !outputs.is_empty() || result_file.is_some();
        if withdrawn.is_some() && (status != Status::Failed || lease.is_some()) {
            return Err("a task goes on after a withdrawal".to_owned());
        }
        if status == Status::Failed && results {
            return Err("there are results of a task that failed or was withdrawn".to_owned());
        }
        if lease.is_some() != (status == Status::Running) {
            return Err("what is leased is not what runs".to_owned());
        }
        if status == Status::Ready && !self.consented(world) {
            return Err("what is ready is not approved as it stands".to_owned());
        }
        let runs = world.nodes.iter().filter(|node| matches!(node, Node::Runs)).count();
        if status == Status::Finished && outputs.iter().any(|output| output != &outputs[0]) || runs > 1 {
            return Err("two runs count".to_owned());
        }
        Self::check_uses(world)
    }
}
