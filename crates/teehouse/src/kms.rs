//! `teehouse kms`: the slots of the kms's root key, on the data directory of a kms that does not run.

use std::path::{Path, PathBuf};

use ::kms::root_key::{self, Content, Generation, Listing, Root, Slot, at_start};
use attest::attester::PlatformSealer;
use attest::simulated::SimulatedSealer;
use clap::Subcommand;
use rpc::deployment::DevDeployment;
use serde::Serialize;
use time::OffsetDateTime;
use types::service::Role;
use types::time::UnixMillis;

use crate::exit::Complaint;
use crate::output::Output;
use crate::recovery;
use crate::settings::DATA_DIR_VARIABLE;

const EXAMPLES: &str = "\
Examples:
  teehouse kms slots
  teehouse kms rotate
  teehouse kms recovery keygen alice
  teehouse kms recovery init --threshold 2 --holder alice.pub --holder bob.pub --holder carol.pub

All but `slots` and `keygen` need the data directory of a `serve --dev` (or `teehouse-kms --dev`)
that is stopped: on a real platform only the kms itself can unseal its root.";

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
    /// Let people recover the root when its machine is lost.
    Recovery(recovery::Args),
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    match args.verb {
        Verb::Slots => show(&args.data_dir, output),
        Verb::Rotate => rotate(&args.data_dir, output).await,
        Verb::Recovery(verb) => recovery::run(verb, &args.data_dir, output).await,
    }
}

/// The sealer of a `--dev` kms; no other can be had outside the kms.
pub(crate) fn sealer(data_dir: &Path) -> anyhow::Result<PlatformSealer> {
    if !data_dir.join("dev").exists() {
        let what = format!("{} holds no --dev deployment, and no other root can be unsealed here", data_dir.display());
        let help = "name the data directory of a stopped `teehouse serve --dev`: --data-dir DIR; on a real platform \
                    only the kms itself can unseal its root";
        return Err(Complaint::new(what).help(help).into());
    }
    let key = DevDeployment::open(data_dir)?.sealing_key(Role::Kms)?;
    Ok(PlatformSealer::Key(Box::new(SimulatedSealer::default().with_key(Role::Kms, key))))
}

/// The root as the kms itself gets it at its start.
pub(crate) async fn unseal(data_dir: &Path, sealer: &PlatformSealer) -> anyhow::Result<Root> {
    Ok(at_start(data_dir, sealer, &[], UnixMillis::now()).await?)
}

async fn rotate(data_dir: &Path, output: &Output) -> anyhow::Result<()> {
    let sealer = sealer(data_dir)?;
    let mut root = unseal(data_dir, &sealer).await?;
    let has_recovery = |root: &Root| root.slots().iter().any(|slot| matches!(slot.content, Content::Recovery(_)));
    root.rotate(&sealer, UnixMillis::now())?;
    output.note(format_args!(
        "generation {} has begun; what was sealed before stays readable",
        root.seeds().generation()
    ));
    if has_recovery(&root) {
        output.note("the holders' shares are new: `teehouse kms recovery split` writes them; destroy the old ones");
    }
    drop(root);
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

/// To the second, as in RFC 3339; a point beyond the year 9999 as its milliseconds.
fn utc(at: UnixMillis) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => {
            let ((year, month, day), (hour, minute, second)) = (at.to_calendar_date(), at.to_hms());
            format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
        }
        Err(_) => format!("{} ms", at.0),
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
