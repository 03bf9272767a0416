//! The kms's one API: decides nothing, calls the service.

use std::sync::Arc;

use rpc::{Ctx, Peer, Service};
use types::key::KeyConfig;
use types::service::Role;
use types::wire::kms::{Begun, CreatedKey, FoundKey, KeyList, PolicyInForce, Request, Response};

use crate::{Error, Kms};

/// The kms on the service plane. The tdfs may do all that there is to do with a key, but what belongs to runs of tasks:
/// that is for function nodes, who also may ask for keys by name for which no owner has set a policy. Who else may
/// connect is settled in the handshake.
pub struct Api(pub Arc<Kms>);

impl Service for Api {
    type Protocol = rpc::protocol::Kms;
    type Error = Error;

    async fn call(&self, ctx: Ctx, request: Request) -> Result<Response, Error> {
        let kms = &self.0;
        match request {
            Request::Create(create) => {
                if create.policy.is_some() {
                    check_role(&ctx.peer, Role::Tdfs)?;
                }
                let (key_id, config) = kms.create(create.policy).await?;
                Ok(Response::Create(CreatedKey { key_id, config }))
            }
            Request::Get(get) if is(&ctx.peer, Role::Tdfs) => Ok(Response::Get(kms.describe(get.key_id).await?)),
            Request::Get(get) => Ok(Response::Get(unbound(kms.get_unbound(get.key_id).await?))),
            Request::Delete(delete) if is(&ctx.peer, Role::Tdfs) => {
                Ok(Response::Delete(unbound(kms.delete(delete.key_id).await?)))
            }
            Request::Delete(delete) => Ok(Response::Delete(unbound(kms.delete_unbound(delete.key_id).await?))),
            Request::ListKeys(list) => {
                check_role(&ctx.peer, Role::Tdfs)?;
                let (key_ids, more) = kms.list(list.limit, list.cursor).await?;
                Ok(Response::ListKeys(KeyList { key_ids, more }))
            }
            Request::SetPolicy(set) => {
                check_role(&ctx.peer, Role::Tdfs)?;
                kms.set_policy(set.key_id, set.policy).await?;
                Ok(Response::SetPolicy(PolicyInForce { success: true }))
            }
            Request::Release(release) => {
                check_role(&ctx.peer, Role::Fns)?;
                let platform = ctx.peer.trust(kms.surroundings().ok_or(Error::Alone)?.platform);
                Ok(Response::Release(kms.release(release, platform, ctx.now).await?))
            }
            Request::Begin(begin) => {
                check_role(&ctx.peer, Role::Fns)?;
                kms.begin(begin).await?;
                Ok(Response::Begin(Begun { success: true }))
            }
        }
    }
}

/// A key as those see it who are told no policy.
fn unbound(config: KeyConfig) -> FoundKey {
    FoundKey { config, policy: None, uses: None }
}

fn is(peer: &Peer, role: Role) -> bool {
    peer.role() == Some(role)
}

fn check_role(peer: &Peer, role: Role) -> Result<(), Error> {
    if is(peer, role) { Ok(()) } else { Err(Error::NotForYou(role)) }
}
