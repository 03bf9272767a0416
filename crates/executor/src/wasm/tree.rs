//! The directory tree that a guest sees.
//!
//! ```text
//! /inputs/0 …            read-only, in the task's order
//! /outputs/creator       created by opening for writing
//! /outputs/shared
//! /outputs/owner/0 …
//! /code/NAME …           what belongs to the function besides its module, if anything does; read-only
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bindings::wasi::filesystem::types::ErrorCode;
use crate::{Failure, Output, OutputStream};

/// A place in the tree. An output's is there before the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Root,
    Inputs,
    Outputs,
    Owner,
    Code,
    Input(usize),
    Output(Output),
    /// A file of the function's own, by number.
    Script(usize),
}

/// A file of the function's own.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) name: String,
    pub(super) content: Arc<[u8]>,
}

/// An output that was created.
pub(super) struct Written {
    pub(super) stream: OutputStream,
    pub(super) bytes: u64,
}

/// What is in the tree during one run.
pub(super) struct Tree {
    pub(super) sizes: Vec<u64>,
    pub(super) scripts: Arc<[Script]>,
    pub(super) outputs: BTreeMap<Output, Written>,
}

impl Tree {
    /// The place that `path` leads to from the directory `start`; whether a file is there is another question.
    pub(super) fn walk(&self, start: Node, path: &str) -> Result<Node, ErrorCode> {
        if path.starts_with('/') || path.contains('\0') {
            return Err(ErrorCode::NotPermitted);
        }
        path.split('/').filter(|name| !matches!(*name, "" | ".")).try_fold(start, |node, name| self.step(node, name))
    }

    fn step(&self, from: Node, name: &str) -> Result<Node, ErrorCode> {
        if !from.is_directory() {
            return Err(ErrorCode::NotDirectory);
        }
        if name == ".." {
            return from.parent().ok_or(ErrorCode::NotPermitted);
        }
        self.child(from, name).ok_or(ErrorCode::NoEntry)
    }

    fn child(&self, directory: Node, name: &str) -> Option<Node> {
        match (directory, name) {
            (Node::Root, "inputs") => Some(Node::Inputs),
            (Node::Root, "outputs") => Some(Node::Outputs),
            (Node::Root, "code") if !self.scripts.is_empty() => Some(Node::Code),
            (Node::Outputs, "creator") => Some(Node::Output(Output::Creator)),
            (Node::Outputs, "shared") => Some(Node::Output(Output::Shared)),
            (Node::Outputs, "owner") => Some(Node::Owner),
            (Node::Owner, _) => Some(Node::Output(Output::Owner(number(name)?))),
            (Node::Inputs, _) => number(name).filter(|input| *input < self.sizes.len()).map(Node::Input),
            (Node::Code, _) => self.scripts.iter().position(|script| script.name == name).map(Node::Script),
            _ => None,
        }
    }

    /// Where `path` leads, if something is there.
    pub(super) fn find(&self, start: Node, path: &str) -> Result<Node, ErrorCode> {
        self.walk(start, path).and_then(|node| if self.exists(node) { Ok(node) } else { Err(ErrorCode::NoEntry) })
    }

    pub(super) fn exists(&self, node: Node) -> bool {
        !matches!(node, Node::Output(output) if !self.outputs.contains_key(&output))
    }

    /// Bytes of a file; 0 for a directory.
    pub(super) fn size(&self, node: Node) -> u64 {
        match node {
            Node::Input(input) => self.sizes[input],
            Node::Output(output) => self.outputs.get(&output).map_or(0, |written| written.bytes),
            Node::Script(script) => self.scripts[script].content.len() as u64,
            _ => 0,
        }
    }

    /// The names in a directory.
    pub(super) fn list(&self, directory: Node) -> Vec<(String, Node)> {
        let here = |names: &[&str]| -> Vec<(String, Node)> {
            let nodes = names.iter().filter_map(|name| Some(((*name).to_owned(), self.child(directory, name)?)));
            nodes.filter(|(_, node)| self.exists(*node)).collect()
        };
        match directory {
            Node::Root => here(&["inputs", "outputs", "code"]),
            Node::Outputs => here(&["creator", "shared", "owner"]),
            Node::Inputs => (0..self.sizes.len()).map(|input| (input.to_string(), Node::Input(input))).collect(),
            Node::Owner => self.outputs.keys().filter_map(|output| of_owner(*output)).collect(),
            Node::Code => {
                self.scripts.iter().enumerate().map(|(n, script)| (script.name.clone(), Node::Script(n))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Everything has been written.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.outputs.into_values().try_for_each(|written| written.stream.finish())
    }
}

fn of_owner(output: Output) -> Option<(String, Node)> {
    match output {
        Output::Owner(input) => Some((input.to_string(), Node::Output(output))),
        _ => None,
    }
}

/// A number in its one spelling.
fn number(name: &str) -> Option<usize> {
    name.parse().ok().filter(|number: &usize| number.to_string() == name)
}

impl Node {
    pub(super) fn is_directory(self) -> bool {
        matches!(self, Self::Root | Self::Inputs | Self::Outputs | Self::Owner | Self::Code)
    }

    /// `None` above the root.
    fn parent(self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::Inputs | Self::Outputs | Self::Code => Some(Self::Root),
            Self::Owner | Self::Output(Output::Creator | Output::Shared) => Some(Self::Outputs),
            Self::Output(Output::Owner(_)) => Some(Self::Owner),
            Self::Input(_) => Some(Self::Inputs),
            Self::Script(_) => Some(Self::Code),
        }
    }

    /// A number of its own for every place.
    pub(super) fn inode(self) -> (u64, u64) {
        match self {
            Self::Root => (1, 0),
            Self::Inputs => (2, 0),
            Self::Outputs => (3, 0),
            Self::Owner => (4, 0),
            Self::Code => (5, 0),
            Self::Input(input) => (6, input as u64),
            Self::Output(Output::Creator) => (7, 0),
            Self::Output(Output::Shared) => (8, 0),
            Self::Output(Output::Owner(input)) => (9, input as u64),
            Self::Script(script) => (10, script as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(scripts: &[&str]) -> Tree {
        let script = |name: &&str| Script { name: (*name).to_owned(), content: Arc::from(*b"print()") };
        Tree { sizes: vec![5; 11], scripts: scripts.iter().map(script).collect(), outputs: BTreeMap::new() }
    }

    #[test]
    fn paths_lead_to_places_and_never_out() {
        for (path, place) in [
            ("", Ok(Node::Root)),
            (".", Ok(Node::Root)),
            ("inputs/", Ok(Node::Inputs)),
            ("inputs//10", Ok(Node::Input(10))),
            ("inputs/../outputs/owner/../creator", Ok(Node::Output(Output::Creator))),
            ("outputs/owner/99", Ok(Node::Output(Output::Owner(99)))),
            ("code/main.py", Ok(Node::Script(0))),
            ("inputs/11", Err(ErrorCode::NoEntry)),
            ("inputs/01", Err(ErrorCode::NoEntry)),
            ("inputs/+1", Err(ErrorCode::NoEntry)),
            ("inputs/0/x", Err(ErrorCode::NotDirectory)),
            ("inputs/0/..", Err(ErrorCode::NotDirectory)),
            ("outputs/owner/x", Err(ErrorCode::NoEntry)),
            ("etc/passwd", Err(ErrorCode::NoEntry)),
            ("..", Err(ErrorCode::NotPermitted)),
            ("inputs/../..", Err(ErrorCode::NotPermitted)),
            ("/etc/passwd", Err(ErrorCode::NotPermitted)),
            ("inputs/0\0", Err(ErrorCode::NotPermitted)),
        ] {
            assert_eq!(tree(&["main.py"]).walk(Node::Root, path), place, "{path:?}");
        }
        assert_eq!(tree(&[]).walk(Node::Root, "code"), Err(ErrorCode::NoEntry));
        assert_eq!(tree(&[]).walk(Node::Inputs, "../../x"), Err(ErrorCode::NotPermitted));
    }

    #[test]
    fn every_listed_name_leads_to_its_place() {
        let tree = tree(&["main.py", "other.py"]);
        let mut seen = std::collections::BTreeSet::new();
        for directory in [Node::Root, Node::Inputs, Node::Outputs, Node::Owner, Node::Code] {
            for (name, node) in tree.list(directory) {
                assert_eq!(tree.walk(directory, &name), Ok(node));
                assert_eq!(tree.walk(directory, &format!("{name}/..")).is_ok(), node.is_directory());
                assert!(seen.insert(node.inode()), "{node:?}");
            }
        }
        assert_eq!(seen.len(), 3 + 11 + 1 + 2);
    }
}
