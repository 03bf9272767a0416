//! `teehouse kms`: the slots of the kms's root key, through a kms that runs or on the file of one that does not.

use std::path::{Path, PathBuf};

use ::kms::operate;
use ::kms::root_key::{self, Content, Generation, Listing, Slot};
use clap::Subcommand;
use serde::Serialize;
use types::time::UnixMillis;
use types::wire::kms_operator::{AddPeer, Follow, RemoveSlot, Request, Reseal, Rotate};

use crate::output::Output;
use crate::recovery;
use crate::settings::DATA_DIR_VARIABLE;
use crate::utc::utc;

const EXAMPLES: &str = "\
Examples:
  teehouse kms slots
  teehouse kms rotate
  teehouse kms add-peer kms-2.example.org:6017
  teehouse kms recovery keygen alice
  teehouse kms recovery init --threshold 2 --holder alice.pub --holder bob.pub --holder carol.pub

What changes slots goes to the kms that runs on the data directory, through its socket
kms-operator.sock; only its own user can open that. When none runs, the root of a `--dev`
deployment is changed directly; no other can be unsealed without its kms.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The kms's data directory
    #[arg(long, global = true, value_name = "DIR", env = DATA_DIR_VARIABLE, default_value = "teehouse-data")]
    data_dir: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the slots that hold the root seed; never a secret. Needs nothing but the file.
    #[command(after_help = "Example:\n  teehouse kms slots --json")]
    Slots,
    /// Begin a generation with a fresh seed. What is sealed stays readable; old shares and other machines' slots are
    /// no good any more.
    #[command(after_help = "Example:\n  teehouse kms rotate --data-dir /var/lib/teehouse")]
    Rotate,
    /// Take over the generation that another kms began. Asks those that the running kms's configuration names.
    #[command(after_help = "Example:\n  teehouse kms follow")]
    Follow,
    /// Seal the root to this machine as it is now, in place of its platform slots: nothing that ran before opens them
    /// any more.
    #[command(after_help = "Example:\n  teehouse kms reseal")]
    Reseal {
        /// Leave the platform slots that are there
        #[arg(long)]
        keep: bool,
    },
    /// Add a slot for another kms, which gives the root when this machine's platform does not.
    #[command(after_help = "Example:\n  teehouse kms add-peer kms-2.example.org:6017")]
    AddPeer {
        /// Its enrolment port, as this kms's configuration names it in `kms.peers`
        #[arg(value_name = "HOST:PORT")]
        peer: String,
    },
    /// Remove a slot; `slots` has the numbers. Whoever could open it may have kept the seed: to shut somebody out,
    /// rotate too.
    #[command(after_help = "Example:\n  teehouse kms remove 2")]
    Remove {
        /// The slot's number
        #[arg(value_name = "ID")]
        slot: u32,
        /// Also when this machine could then not open the root by itself
        #[arg(long)]
        leave_locked: bool,
    },
    /// Let people recover the root when its machine is lost.
    Recovery(recovery::Args),
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { data_dir, verb } = args;
    let (request, note) = match verb {
        Verb::Slots => return show(&data_dir, output),
        Verb::Recovery(verb) => return recovery::run(verb, &data_dir, output).await,
        Verb::Rotate => return renew(&data_dir, Rotate {}.into(), output).await,
        Verb::Follow => return renew(&data_dir, Follow {}.into(), output).await,
        Verb::Reseal { keep } => (Reseal { keep }.into(), "the root is sealed to this machine as it is now"),
        Verb::AddPeer { peer } => {
            (AddPeer { peer }.into(), "at its start a kms asks the peers that its configuration names as `kms.peers`")
        }
        Verb::Remove { slot, leave_locked } => {
            let note = "whoever could open it may have kept the seed: `teehouse kms rotate` begins another";
            (RemoveSlot { slot, leave_locked }.into(), note)
        }
    };
    change(&data_dir, request, note, output).await
}

/// Has the slots changed, and shows them.
pub(crate) async fn change(data_dir: &Path, request: Request, note: &str, output: &Output) -> anyhow::Result<()> {
    operate(data_dir, request).await?;
    output.note(note);
    show(data_dir, output)
}

/// Goes on to another generation.
async fn renew(data_dir: &Path, request: Request, output: &Output) -> anyhow::Result<()> {
    operate(data_dir, request).await?;
    let listing = root_key::list(data_dir)?;
    let generation = listing.generation;
    output.note(format_args!("generation {generation} has begun here; what was sealed before stays readable"));
    if listing.slots.iter().any(|slot| matches!(slot.content, Content::Recovery(_))) {
        output.note("the holders' shares are new: `teehouse kms recovery split` writes them; destroy the old ones");
    }
    show(data_dir, output)
}

pub(crate) fn show(data_dir: &Path, output: &Output) -> anyhow::Result<()> {
    let listing = root_key::list(data_dir)?;
    output.result(&Shown::new(&listing), |out| {
        let Listing { generation, made_ms, store_generation, previous, slots } = &listing;
        writeln!(out, "generation  {generation}, begun {}", utc(*made_ms))?;
        writeln!(out, "store       sealed with generation {store_generation}")?;
        if !previous.is_empty() {
            let previous: Vec<_> = previous.iter().map(ToString::to_string).collect();
            writeln!(out, "carries     {}", previous.join(", "))?;
        }
        slots.iter().try_for_each(|slot| write_slot(out, slot))
    })?;
    Ok(())
}

fn write_slot(out: &mut dyn std::io::Write, slot: &Slot) -> std::io::Result<()> {
    let Slot { id, created_ms, content } = slot;
    write!(out, "slot {id:<6} {}, made {}", content.describe(), utc(*created_ms))?;
    match content {
        Content::Recovery(set) => {
            let names: Vec<_> = set.holders.iter().map(|holder| holder.name.to_string()).collect();
            writeln!(out, ": {}", names.join(", "))
        }
        Content::Platform { .. } | Content::Peer { .. } => writeln!(out),
    }
}

/// A listing as JSON.
#[derive(Serialize)]
struct Shown {
    generation: Generation,
    made_ms: UnixMillis,
    store_generation: Generation,
    previous: Vec<Generation>,
    slots: Vec<ShownSlot>,
}

#[derive(Serialize)]
struct ShownSlot {
    id: u32,
    created_ms: UnixMillis,
    #[serde(flatten)]
    content: ShownContent,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum ShownContent {
    Platform { platform: &'static str, form: root_key::Form },
    Peer { name: String },
    Recovery { set: root_key::SetId, threshold: u8, holders: Vec<root_key::HolderName> },
}

impl Shown {
    fn new(listing: &Listing) -> Self {
        let slot = |Slot { id, created_ms, content }: &Slot| ShownSlot {
            id: *id,
            created_ms: *created_ms,
            content: match content {
                Content::Platform { platform, form, .. } => {
                    ShownContent::Platform { platform: platform.as_str(), form: *form }
                }
                Content::Peer { name } => ShownContent::Peer { name: name.clone() },
                Content::Recovery(set) => ShownContent::Recovery {
                    set: set.set,
                    threshold: set.threshold,
                    holders: set.holders.iter().map(|holder| holder.name.clone()).collect(),
                },
            },
        };
        Shown {
            generation: listing.generation,
            made_ms: listing.made_ms,
            store_generation: listing.store_generation,
            previous: listing.previous.clone(),
            slots: listing.slots.iter().map(slot).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_read_by_people() {
        assert_eq!(utc(UnixMillis(0)), "1970-01-01T00:00:00Z");
        assert_eq!(utc(UnixMillis(1_795_435_201_999)), "2026-11-23T12:00:01Z");
        assert_eq!(utc(UnixMillis(u64::MAX)), "18446744073709551615 ms");
    }
}
