//! The tms's two APIs: authenticate, then call the service.

use std::sync::Arc;

use rpc::authn::authenticate;
use rpc::{Ctx, Service, protocol};
use types::file::PinnedFile;
use types::service::Role;
use types::wire::tms_log::FoundCheckpoint;
use types::wire::{tms_external as external, tms_internal as internal};

use crate::task::Task;
use crate::{Error, Tms};

/// The tms on the user plane.
pub struct External(pub Arc<Tms>);

impl Service for External {
    type Protocol = protocol::TmsExternal;
    type Error = Error;

    async fn call(&self, ctx: Ctx, request: external::Request) -> Result<external::Response, Error> {
        use external::{FoundTask, Request, Response};
        let tms = &self.0;
        match request {
            Request::Create(create) => {
                let caller = authenticate(&*tms.identity, create.user_id.clone(), &create.user_token).await?;
                let tms = tms.clone();
                let created = to_the_end(async move { tms.create(&caller, create, ctx.now).await });
                Ok(Response::Create(created.await?))
            }
            Request::Get(get) => {
                let caller = authenticate(&*tms.identity, get.user_id, &get.user_token).await?;
                Ok(Response::Get(FoundTask { task_info: tms.get(&caller, get.task_id).await? }))
            }
            Request::Update(approve) => {
                let caller = authenticate(&*tms.identity, approve.user_id.clone(), &approve.user_token).await?;
                let tms = tms.clone();
                Ok(Response::Update(to_the_end(async move { tms.approve(caller, approve, ctx.now).await }).await?))
            }
            Request::List(list) => {
                let caller = authenticate(&*tms.identity, list.user_id, &list.user_token).await?;
                Ok(Response::List(tms.list(&caller, list.limit, list.cursor).await?))
            }
            Request::BringFiles(bring) => {
                let caller = authenticate(&*tms.identity, bring.user_id.clone(), &bring.user_token).await?;
                let tms = tms.clone();
                Ok(Response::BringFiles(to_the_end(async move { tms.bring_files(caller, bring).await }).await?))
            }
            Request::SetPayload(set) => {
                let caller = authenticate(&*tms.identity, set.user_id.clone(), &set.user_token).await?;
                Ok(Response::SetPayload(tms.set_payload(caller, set, ctx.now).await?))
            }
            Request::Withdraw(withdraw) => {
                let caller = authenticate(&*tms.identity, withdraw.user_id, &withdraw.user_token).await?;
                Ok(Response::Withdraw(tms.withdraw(caller, withdraw.task_id, ctx.now).await?))
            }
            Request::GetManifest(get) => {
                let caller = authenticate(&*tms.identity, get.user_id, &get.user_token).await?;
                Ok(Response::GetManifest(tms.manifest(&caller, get.task_id).await?))
            }
            Request::GetReceipt(get) => {
                let caller = authenticate(&*tms.identity, get.user_id, &get.user_token).await?;
                Ok(Response::GetReceipt(tms.receipt(&caller, get.task_id, ctx.now).await?))
            }
            Request::RegisterFunction(register) => {
                let caller = authenticate(&*tms.identity, register.user_id.clone(), &register.user_token).await?;
                let tms = tms.clone();
                let registered = to_the_end(async move { tms.register_function(&caller, register, ctx.now).await });
                Ok(Response::RegisterFunction(registered.await?))
            }
            Request::GetFunction(get) => {
                let caller = authenticate(&*tms.identity, get.user_id, &get.user_token).await?;
                Ok(Response::GetFunction(tms.function(&caller, &get.function_name).await?))
            }
            Request::ListFunctions(list) => {
                let caller = authenticate(&*tms.identity, list.user_id, &list.user_token).await?;
                Ok(Response::ListFunctions(tms.functions(&caller, list.limit, list.cursor).await?))
            }
            Request::DisableFunction(disable) => {
                let caller = authenticate(&*tms.identity, disable.user_id, &disable.user_token).await?;
                Ok(Response::DisableFunction(tms.disable_function(&caller, &disable.function_name).await?))
            }
            Request::GetCheckpoint(get) => {
                authenticate(&*tms.identity, get.user_id, &get.user_token).await?;
                Ok(Response::GetCheckpoint(FoundCheckpoint { head: tms.log().head(get.from).await? }))
            }
            Request::ListLog(list) => {
                let caller = authenticate(&*tms.identity, list.user_id.clone(), &list.user_token).await?;
                Ok(Response::ListLog(tms.log().list(caller.user().clone(), list).await?))
            }
            Request::ProveLog(prove) => {
                let caller = authenticate(&*tms.identity, prove.user_id, &prove.user_token).await?;
                Ok(Response::ProveLog(tms.log().entry(caller.user().clone(), prove.index, prove.from).await?))
            }
        }
    }
}

/// Does what holds inputs to its end, also when the caller is gone meanwhile: nothing stays held for nothing.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The process ends; nobody waits for this any more.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The tms on the service plane.
pub struct Internal(pub Arc<Tms>);

impl Service for Internal {
    type Protocol = protocol::TmsInternal;
    type Error = Error;

    async fn call(&self, ctx: Ctx, request: internal::Request) -> Result<internal::Response, Error> {
        use internal::{FoundTask, Request, Response, Updated};
        let tms = &self.0;
        check_role(&request, ctx.peer.role())?;
        match request {
            Request::Get(get) => {
                let task = tms.task(&get.task_id).await?;
                let terms = Some(task.consented(&get.task_id));
                Ok(Response::Get(FoundTask { manifest: Some(task.manifest()), terms, task_info: info(task) }))
            }
            Request::Update(update) => {
                let trust = ctx.peer.trust(tms.settings().trust);
                Ok(Response::Update(Updated { success: tms.update(update, trust, ctx.now).await? }))
            }
            Request::Release(release) => Ok(Response::Release(tms.released(&release).await?)),
            Request::Ended(find) => Ok(Response::Ended(tms.which_ended(find.task_ids).await?)),
            Request::Record(record) => Ok(Response::Record(tms.record(ctx.peer.role(), record).await?)),
            Request::Renew(renew) => Ok(Response::Renew(Updated { success: tms.renew(&renew) })),
            Request::Register(register) => {
                tms.register(register).await?;
                Ok(Response::Register(Updated { success: true }))
            }
        }
    }
}

/// The kms asks what it may release, the tdfs which tasks ended, and neither anything else; nodes ask everything else.
fn check_role(request: &internal::Request, role: Option<Role>) -> Result<(), Error> {
    use internal::Request;
    let whose = match request {
        // What each may record, is decided with the event.
        Request::Record(_) => return Ok(()),
        Request::Release(_) => Role::Kms,
        Request::Ended(_) => Role::Tdfs,
        Request::Get(_) | Request::Update(_) | Request::Renew(_) | Request::Register(_) => Role::Fns,
    };
    match role {
        Some(role) if role != whose => Err(Error::OtherRole(role)),
        _ => Ok(()),
    }
}

fn info(task: Task) -> internal::TaskInfo {
    internal::TaskInfo {
        status: task.status(),
        approved_user_number: task.collaborators.iter().filter(|collaborator| collaborator.approved).count(),
        user_id: task.creator,
        collaborator_list: task.collaborators,
        function_name: task.function.name,
        function_type: task.function_type,
        ip: task.node.ip(),
        port: task.node.port(),
        task_token: task.token,
        input_files: task.inputs.iter().map(PinnedFile::task_file).collect(),
        output_files: task.outputs,
        task_result_file_id: task.result_file,
    }
}
