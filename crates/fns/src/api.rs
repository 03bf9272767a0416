//! The function node's one API: decides nothing, calls the node.

use std::sync::Arc;

use rpc::{Ctx, Service};
use types::wire::fns::{Request, Response};

use crate::{Error, Fns};

/// A function node on the user plane. Whoever shows a task's token may run the task.
pub struct Api(pub Arc<Fns>);

impl Service for Api {
    type Protocol = rpc::protocol::FnsExternal;
    type Error = Error;

    async fn call(&self, ctx: Ctx, request: Request) -> Result<Response, Error> {
        Ok(Response { result: self.0.invoke(ctx, request).await? })
    }
}
