//! Which function nodes are there now: those that were heard of lately.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A node says every minute that it is there; after three minutes of silence it gets no more tasks while others are there.
const SILENCE: Duration = Duration::from_secs(180);

/// When each node was heard of last, in this life of the tms, and whose turn it is.
#[derive(Default)]
pub(crate) struct Nodes(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    last: HashMap<SocketAddr, Instant>,
    turn: usize,
}

impl Nodes {
    /// A node said that it is there.
    pub(crate) fn hear(&self, node: SocketAddr, now: Instant) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.last.retain(|_, last| now.saturating_duration_since(*last) < SILENCE);
        heard.last.insert(node, now);
    }

    /// One of these nodes, in turn: of those that are there, or of all when none was heard of, as after a restart.
    pub(crate) fn choose(&self, nodes: &[SocketAddr], now: Instant) -> Option<SocketAddr> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there =
            |node: &SocketAddr| heard.last.get(node).is_some_and(|last| now.saturating_duration_since(*last) < SILENCE);
        let mut there: Vec<SocketAddr> = nodes.iter().copied().filter(is_there).collect();
        if there.is_empty() {
            there = nodes.to_vec();
        }
        heard.turn = heard.turn.wrapping_add(1);
        there.get(heard.turn % there.len().max(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn nodes_take_turns_while_they_are_heard_of() {
        let (nodes, start, all) = (Nodes::default(), Instant::now(), [node(1), node(2), node(3)]);
        let chosen = |now| {
            let mut chosen: Vec<_> = (0..6).filter_map(|_| nodes.choose(&all, now)).map(|node| node.port()).collect();
            chosen.sort_unstable();
            chosen
        };
        assert_eq!(chosen(start), [1, 1, 2, 2, 3, 3], "nobody was heard of yet");
        nodes.hear(node(1), start);
        nodes.hear(node(3), start + Duration::from_secs(60));
        assert_eq!(chosen(start + Duration::from_secs(60)), [1, 1, 1, 3, 3, 3]);
        assert_eq!(chosen(start + Duration::from_secs(181)), [3; 6], "one fell silent");
        assert_eq!(chosen(start + Duration::from_secs(400)), [1, 1, 2, 2, 3, 3], "all did");
        assert_eq!(nodes.choose(&[], start), None);
    }
}
