//! The kms's one API: decides nothing, calls the service.

use std::sync::Arc;

use rpc::{Ctx, Service};
use types::wire::kms::{CreatedKey, FoundKey, Request, Response};

use crate::{Error, Kms};

/// The kms on the service plane. Every attested tdfs and function node may ask for every key by its name; who else
/// may connect is settled in the handshake.
pub struct Api(pub Arc<Kms>);

impl Service for Api {
    type Protocol = rpc::protocol::Kms;
    type Error = Error;

    async fn call(&self, _: Ctx, request: Request) -> Result<Response, Error> {
        match request {
            Request::Create(_) => {
                let (key_id, config) = self.0.create().await?;
                Ok(Response::Create(CreatedKey { key_id, config }))
            }
            Request::Get(get) => Ok(Response::Get(FoundKey { config: self.0.get(get.key_id).await? })),
            Request::Delete(delete) => Ok(Response::Delete(FoundKey { config: self.0.delete(delete.key_id).await? })),
        }
    }
}
