//! The tdfs's two APIs: authenticate, then call the service.

use std::sync::Arc;

use rpc::authn::{Identity as _, authenticate};
use rpc::bodies::Bodies;
use rpc::{Ctx, Service, protocol};
use types::wire::tdfs_external::DeletedFile;
use types::wire::{tdfs_external as external, tdfs_internal as internal};

use crate::{Error, Tdfs};

/// The tdfs on the user plane.
pub struct External(pub Arc<Tdfs>);

impl Service for External {
    type Protocol = protocol::TdfsExternal;
    type Error = Error;

    fn bodies(&self) -> Option<&dyn Bodies> {
        Some(&*self.0)
    }

    async fn call(&self, ctx: Ctx, request: external::Request) -> Result<external::Response, Error> {
        use external::{FoundFile, PolicySet, Request, Response, UploadCompleted};
        let tdfs = &self.0;
        match request {
            Request::Create(create) => {
                let caller = authenticate(&*tdfs.identity, create.user_id.clone(), &create.user_token).await?;
                Ok(Response::Create(tdfs.create(&caller, create, ctx.now).await?))
            }
            Request::Get(get) => {
                let caller = authenticate(&*tdfs.identity, get.user_id, &get.user_token).await?;
                Ok(Response::Get(FoundFile { file_info: tdfs.get(&caller, get.file_id, ctx.now).await? }))
            }
            Request::List(list) => {
                let caller = authenticate(&*tdfs.identity, list.user_id.clone(), &list.user_token).await?;
                Ok(Response::List(tdfs.list(&caller, list).await?))
            }
            Request::Delete(delete) => {
                let caller = authenticate(&*tdfs.identity, delete.user_id, &delete.user_token).await?;
                let deleted = tdfs.delete(caller, delete.file_id).await?;
                // Clients that know only the documented answer are given no other.
                let erasure = deleted.erasure.filter(|_| delete.erasure);
                Ok(Response::Delete(DeletedFile { erasure, ..deleted }))
            }
            Request::Upload(upload) => {
                let caller = authenticate(&*tdfs.identity, upload.user_id.clone(), &upload.user_token).await?;
                Ok(Response::Upload(tdfs.continue_upload(&caller, upload, ctx.now).await?))
            }
            Request::CompleteUpload(complete) => {
                let caller = authenticate(&*tdfs.identity, complete.user_id.clone(), &complete.user_token).await?;
                tdfs.complete_upload(&caller, complete).await?;
                Ok(Response::CompleteUpload(UploadCompleted { success: true }))
            }
            Request::GetKey(ask) => {
                let caller = authenticate(&*tdfs.identity, ask.user_id, &ask.user_token).await?;
                Ok(Response::GetKey(tdfs.identity.key(caller.user()).await.map_err(Error::Key)?))
            }
            Request::SetKey(set) => {
                let caller = authenticate(&*tdfs.identity, set.user_id.clone(), &set.user_token).await?;
                Ok(Response::SetKey(tdfs.identity.set_key(&caller, set, ctx.now).await.map_err(Error::Key)?))
            }
            Request::Usage(ask) => {
                let caller = authenticate(&*tdfs.identity, ask.user_id, &ask.user_token).await?;
                Ok(Response::Usage(tdfs.usage(caller.user()).await?))
            }
            Request::SetPolicy(set) => {
                let caller = authenticate(&*tdfs.identity, set.user_id, &set.user_token).await?;
                tdfs.set_policy(&caller, set.file_id, set.policy, ctx.now).await?;
                Ok(Response::SetPolicy(PolicySet { success: true }))
            }
        }
    }
}

/// The tdfs on the service plane.
pub struct Internal(pub Arc<Tdfs>);

impl Service for Internal {
    type Protocol = protocol::TdfsInternal;
    type Error = Error;

    async fn call(&self, ctx: Ctx, request: internal::Request) -> Result<internal::Response, Error> {
        use internal::{Authenticated, FoundRecord, FoundUsers, HeldInputs, Request, Response, TaskEnded};
        let tdfs = &self.0;
        match request {
            Request::Create(create) => Ok(Response::Create(tdfs.create_output(create, ctx.now).await?)),
            Request::Get(get) => Ok(Response::Get(FoundRecord { file_info: tdfs.record(get.file_id).await? })),
            Request::Authenticate(ask) => {
                let known = tdfs.identity.verify(&ask.user_id, &ask.user_token).await?;
                let success = known.is_some();
                Ok(Response::Authenticate(Authenticated { success, key: known.and_then(|known| known.key) }))
            }
            Request::Users(ask) => {
                Ok(Response::Users(FoundUsers { user_ids: tdfs.identity.existing(&ask.user_ids).await? }))
            }
            Request::Hold(hold) => {
                let files = tdfs.hold(hold.task_id, hold.user_id, hold.files).await?;
                Ok(Response::Hold(HeldInputs { files }))
            }
            Request::End(end) => {
                tdfs.end_task(end.task_id, end.outputs).await?;
                Ok(Response::End(TaskEnded { success: true }))
            }
        }
    }
}
