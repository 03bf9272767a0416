//! The requests of a kms's operator, on a Unix socket in its data directory: the slots of the root key.
//!
//! None carries a secret, and no answer does: what is sealed never leaves the kms in another way than sealed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

super::requests! {
    /// A request of the kms's operator.
    #[schema(as = KMSOperatorRequest)]
    Request {
        /// Begins a generation with a fresh seed.
        Rotate(Rotate),
        /// Takes over the generation that another kms began.
        Follow(Follow),
        /// Splits the seed among holders.
        SetRecovery(SetRecovery),
        /// Seals the seed to this machine as it is now.
        Reseal(Reseal),
        /// Adds another kms to ask.
        AddPeer(AddPeer),
        /// Removes a slot.
        RemoveSlot(RemoveSlot),
    }
}

/// Begins a generation with a fresh seed; what was sealed before stays readable.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {}

/// Asks the configured peers for a newer generation, and goes on with the first that continues this one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Follow {}

/// Splits the seed among holders, in place of an earlier set.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRecovery {
    /// How many holders it takes: 1 up to their number.
    pub threshold: u8,
    /// Each holder's public recovery key, as its line of text: 1 to 32.
    pub keys: Vec<String>,
}

/// Seals the seed to this machine as it is now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reseal {
    /// Whether the platform slots that are there stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

/// Adds a slot for another kms.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPeer {
    /// Its enrolment port, `host:port`, as the configuration names it.
    pub peer: String,
}

/// Removes a slot.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveSlot {
    /// Its number.
    pub slot: u32,
    /// Whether it may go although this machine could then not open the root by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_locked: bool,
}

/// The answer to the kms's operator.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KMSOperatorResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// The new generation is in force.
    Rotate(InForce),
    /// The peer's generation is in force.
    Follow(InForce),
    /// The holders have shares.
    SetRecovery(InForce),
    /// This machine has a new slot.
    Reseal(InForce),
    /// The peer has a slot.
    AddPeer(InForce),
    /// The slot is gone.
    RemoveSlot(InForce),
}

/// What `root.json` says once a request is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InForce {
    /// The generation whose seed the slots hold.
    pub generation: u32,
}
