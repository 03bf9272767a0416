//! A kms that takes the root over from another one of its deployment, which attests itself and believes its evidence.
//!
//! Replicas have the root and the CA in common, and so every role's key for data at rest. Data keys are each kms's own,
//! in its own store.

use rpc::enrolment::Replica;
use types::wire::enrolment::Replicated;

use crate::db::AuthorityRow;
use crate::root_key::{BadSeeds, Peer, PeerAnswer, Seeds};

/// Another kms, as the root's slots know it.
pub(crate) struct RemoteKms(pub(crate) Replica);

impl Peer for RemoteKms {
    fn name(&self) -> &str {
        self.0.target()
    }

    fn seeds(&self) -> PeerAnswer<'_> {
        Box::pin(async move { Ok(Takeover::read(self.0.replicate().await?)?.seeds) })
    }
}

/// What a replica starts with.
pub(crate) struct Takeover {
    pub(crate) seeds: Seeds,
    pub(crate) authority: AuthorityRow,
}

impl Takeover {
    /// Reads another kms's answer.
    pub(crate) fn read(replicated: Replicated) -> Result<Self, BadSeeds> {
        let Replicated { seeds, ca, ca_key } = replicated;
        let seeds = Seeds::from_bytes(seeds.expose())?;
        Ok(Takeover { seeds, authority: AuthorityRow { certificate: ca, sealed_key: ca_key.0 } })
    }
}
