//! Whatever a client does to a file in a folder, it is as a few lines of arithmetic say.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeMap;
use std::io;

use blobs::{Blobs, Id, Layout, Options, PART_SIZE};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};
use proptest::prelude::*;

/// Bytes from which a body that breaks off has overwritten something: a batch.
const BATCH: usize = 256 << 10;

/// Bytes of a piece; a whole number of them is a batch.
const PIECE: usize = 16 << 10;

#[derive(Clone, Debug)]
enum Step {
    Part { part: u32, len: usize, fill: u8, breaks: bool },
    Whole { len: usize, fill: u8, breaks: bool },
    Complete { len: usize },
    Delete,
    Reopen,
}

/// What must be there.
#[derive(Default)]
struct Model {
    parts: BTreeMap<u32, (usize, u8)>,
    finished: Option<(usize, u8)>,
}

impl Model {
    /// Applies a step and says whether it must succeed.
    fn apply(&mut self, step: &Step) -> bool {
        match *step {
            Step::Part { .. } if self.finished.is_some() => false,
            Step::Part { part, len, breaks: true, .. } => {
                if len >= BATCH {
                    self.parts.remove(&part);
                }
                false
            }
            Step::Part { part, len, fill, .. } => {
                self.parts.insert(part, (len, fill));
                true
            }
            Step::Whole { breaks: true, .. } => false,
            Step::Whole { len, fill, .. } => *self.finished.get_or_insert((len, fill)) == (len, fill),
            Step::Complete { len } => self.complete(len),
            Step::Delete => {
                *self = Model::default();
                true
            }
            Step::Reopen => true,
        }
    }

    /// Only part 0 is ever small enough to be a whole file.
    fn complete(&mut self, len: usize) -> bool {
        match (self.finished, self.parts.len(), self.parts.get(&0)) {
            (Some((found, _)), ..) => found == len && self.parts.is_empty(),
            (None, 1, Some(&(found, fill))) if found == len => {
                self.finished = Some((len, fill));
                self.parts.clear();
                true
            }
            _ => false,
        }
    }
}

fn body(len: usize, fill: u8, breaks: bool) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let data = Bytes::from(vec![fill; len]);
    let pieces = (0..len).step_by(PIECE).map(move |at| Ok(data.slice(at..len.min(at + PIECE))));
    let broken = breaks.then(|| Err(io::ErrorKind::ConnectionReset.into()));
    stream::iter(pieces.chain(broken).collect::<Vec<_>>())
}

async fn run(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let open = || Blobs::open(folder.path().to_str().unwrap(), &Options::default()).unwrap();
    let (mut blobs, mut model, id): (_, _, Id) = (open(), Model::default(), "a".parse().unwrap());
    for step in steps {
        let done = match step.clone() {
            Step::Part { part, len, fill, breaks } => {
                blobs.write_part(&id, part, PART_SIZE, body(len, fill, breaks)).await.is_ok()
            }
            Step::Whole { len, fill, breaks } => {
                blobs.write_whole(&id, len as u64, body(len, fill, breaks)).await.is_ok()
            }
            Step::Complete { len } => blobs.complete(&id, len as u64).await.is_ok(),
            Step::Delete => blobs.delete(&id).await.is_ok(),
            Step::Reopen => {
                blobs = open();
                true
            }
        };
        assert_eq!(done, model.apply(&step), "{step:?}");
        check(&blobs, &id, &model).await;
    }
}

async fn check(blobs: &Blobs, id: &Id, model: &Model) {
    let parts: Vec<_> = model.parts.iter().map(|(part, (len, _))| (*part, *len as u64)).collect();
    assert_eq!(blobs.received(id).await.unwrap(), parts);
    let len = blobs.len(id, Layout::Whole).await.unwrap();
    assert_eq!(len, model.finished.map(|(len, _)| len as u64));
    if let Some((len, fill)) = model.finished {
        let pieces: Vec<Bytes> =
            blobs.read(id, Layout::Whole, 0..len as u64).await.unwrap().try_collect().await.unwrap();
        assert!(pieces.concat() == vec![fill; len], "other bytes");
    }
}

fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), Just(40_000), Just(BATCH - 1), Just(BATCH), Just(BATCH + 70_000)]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u32..2, lengths(), any::<u8>(), any::<bool>())
            .prop_map(|(part, len, fill, breaks)| Step::Part { part, len, fill, breaks }),
        1 => (lengths(), 0u8..2, any::<bool>()).prop_map(|(len, fill, breaks)| Step::Whole { len, fill, breaks }),
        3 => lengths().prop_map(|len| Step::Complete { len }),
        1 => Just(Step::Delete),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_folder_does_as_the_model_says(steps in proptest::collection::vec(steps(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
