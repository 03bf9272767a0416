//! What the requests of one connection have in common.

use std::sync::Arc;

use crate::Peer;
use crate::attestation::Session;
use crate::gate::{Gate, Slot};

/// Who is at the other end of a connection, and what the connection shares with others.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    pub(crate) session: Arc<Session>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) slot: Arc<Slot>,
}
