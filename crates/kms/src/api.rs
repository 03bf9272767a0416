//! The kms's one API: decides nothing, calls the service.

use std::sync::Arc;

use rpc::{Ctx, Peer, Service};
use types::service::Role;
use types::wire::kms::{CreatedKey, FoundKey, KeyList, Request, Response};

use crate::{Error, Kms};

/// The kms on the service plane. Every attested tdfs and function node may ask for every key by its name, and the tdfs
/// alone which names there are; who else may connect is settled in the handshake.
pub struct Api(pub Arc<Kms>);

impl Service for Api {
    type Protocol = rpc::protocol::Kms;
    type Error = Error;

    async fn call(&self, ctx: Ctx, request: Request) -> Result<Response, Error> {
        match request {
            Request::Create(_) => {
                let (key_id, config) = self.0.create().await?;
                Ok(Response::Create(CreatedKey { key_id, config }))
            }
            Request::Get(get) => Ok(Response::Get(FoundKey { config: self.0.get(get.key_id).await? })),
            Request::Delete(delete) => Ok(Response::Delete(FoundKey { config: self.0.delete(delete.key_id).await? })),
            Request::ListKeys(list) => {
                check_lister(&ctx.peer)?;
                let (key_ids, more) = self.0.list(list.limit, list.cursor).await?;
                Ok(Response::ListKeys(KeyList { key_ids, more }))
            }
        }
    }
}

fn check_lister(peer: &Peer) -> Result<(), Error> {
    match peer {
        Peer::SameProcess(Role::Tdfs) => Ok(()),
        Peer::Service(identity) if identity.role == Role::Tdfs => Ok(()),
        _ => Err(Error::NotForYou),
    }
}
