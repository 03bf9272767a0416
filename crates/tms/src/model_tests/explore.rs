//! A breadth-first explorer: every state that actions lead to, once, and the shortest way to one that must not be.
//!
//! `stateright` would do the same; it links an HTTP server and a dozen crates that nothing else here needs, and wants
//! states to be hashed field by field, which records with their wire types are not. What is needed of it is this file.

use std::collections::HashSet;
use std::fmt::Debug;

use crypto::hash::Sha256;

/// Something that moves from state to state by actions.
pub(super) trait Model {
    /// Everything that the future depends on, and what properties speak of.
    type State;
    /// What may happen.
    type Action: Copy + Debug;

    /// Where it starts.
    fn first(&self) -> Self::State;

    /// What may happen in a state, whether or not it is refused.
    fn actions(&self, state: &Self::State) -> Vec<Self::Action>;

    /// The state after an action; `None` when it was refused, or changed nothing. `Err` says what must not be.
    fn next(&self, state: &Self::State, action: Self::Action) -> Result<Option<Self::State>, String>;

    /// Two states that have the same bytes have the same future.
    fn bytes(&self, state: &Self::State) -> Vec<u8>;
}

/// What was explored.
#[derive(Debug, Default)]
pub(super) struct Explored {
    /// States, each counted once.
    pub(super) states: usize,
    /// Actions that led somewhere.
    pub(super) steps: usize,
    /// Actions that were refused.
    pub(super) refused: usize,
}

/// A property does not hold.
#[derive(Debug)]
pub(super) struct Broken<A> {
    /// Which.
    pub(super) why: String,
    /// The shortest way to it.
    pub(super) path: Vec<A>,
}

/// Goes everywhere, and shows each state to `see`.
pub(super) fn explore<M: Model>(model: &M, mut see: impl FnMut(&M::State)) -> Result<Explored, Broken<M::Action>> {
    let first = model.first();
    let mut known = HashSet::from([key(model, &first)]);
    // How each state was come to: from which, and by what.
    let mut ways: Vec<Option<(usize, M::Action)>> = vec![None];
    let (mut round, mut explored) = (vec![(0, first)], Explored::default());
    while !round.is_empty() {
        let mut later = Vec::new();
        for (at, state) in round {
            see(&state);
            explored.states += 1;
            for action in model.actions(&state) {
                let next = model.next(&state, action);
                let next = next.map_err(|why| Broken { why, path: path(&ways, at, action) })?;
                let Some(next) = next else {
                    explored.refused += 1;
                    continue;
                };
                explored.steps += 1;
                if known.insert(key(model, &next)) {
                    ways.push(Some((at, action)));
                    later.push((ways.len() - 1, next));
                }
            }
        }
        round = later;
    }
    Ok(explored)
}

fn key<M: Model>(model: &M, state: &M::State) -> [u8; 32] {
    Sha256::digest(&model.bytes(state))
}

fn path<A: Copy>(ways: &[Option<(usize, A)>], mut at: usize, last: A) -> Vec<A> {
    let mut path = vec![last];
    while let Some((before, action)) = ways[at] {
        path.push(action);
        at = before;
    }
    path.reverse();
    path
}
