//! Which functions there are: the built-ins of the nodes, and those that users registered.

use std::net::SocketAddr;

use rpc::authn::Principal;
use types::digest::Digest;
use types::file::PinnedFile;
use types::function::{Code, FunctionInfo, Language, Named};
use types::id::TaskId;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_external::{DisabledFunction, FoundFunction, FunctionList, RegisterFunction, RegisteredFunction};

use crate::db::functions::{self as db, Usable};
use crate::function::{self, Version};
use crate::service::page_limit;
use crate::{Error, Tms};

/// A function as a new task pins it.
pub(crate) struct Callable {
    pub(crate) info: FunctionInfo,
    pub(crate) nodes: Vec<SocketAddr>,
    pub(crate) code: Option<Code>,
}

impl Tms {
    /// The function that a user means, pinned.
    pub(crate) async fn callable(&self, name: &str, caller: &Principal) -> Result<Callable, Error> {
        let unknown = || Error::NoSuchFunction(name.to_owned());
        let named = Named::parse(name).ok_or_else(unknown)?;
        if let Some(row) = db::built_in(&self.store, named.name.to_owned()).await? {
            let meant = named.admits(&row.info.function);
            return meant.then_some(Callable { info: row.info, nodes: row.nodes, code: None }).ok_or_else(unknown);
        }
        let Usable { permit, number, version } = self.version(&named, caller).await?.ok_or_else(unknown)?;
        if version.disabled {
            return Err(Error::Disabled(name.to_owned()));
        }
        let runtime = self.runtime(version.declaration.language).await?;
        let function = version.reference(named.name, number, runtime.digest);
        let (info, code) = (version.info(&permit, function), version.code(&permit, runtime.digest));
        Ok(Callable { info, nodes: runtime.nodes, code: Some(code) })
    }

    async fn version(&self, named: &Named<'_>, caller: &Principal) -> Result<Option<Usable>, Error> {
        Ok(db::version(&self.store, named.name.to_owned(), named.version, caller.clone()).await?)
    }

    async fn runtime(&self, language: Language) -> Result<Runs, Error> {
        let row = db::runtime(&self.store, language).await?.ok_or(Error::NoNode(language))?;
        Ok(Runs { digest: row.runtime.digest, nodes: row.nodes })
    }

    /// Registers a version of a function of the caller's.
    pub(crate) async fn register_function(
        &self,
        author: &Principal,
        asked: RegisterFunction,
        now: UnixMillis,
    ) -> Result<RegisteredFunction, Error> {
        function::check(&asked)?;
        let (name, language) = (asked.function_name.clone(), asked.declaration.language);
        db::check_name(&self.store, name.clone(), author.clone()).await?;
        // Before the first node said which names are built-ins', nobody can have one.
        let runtime = self.runtime(language).await?.digest;
        self.check_readers(&asked.allow).await?;
        let hold = TaskId::from_random(crypto::random::bytes());
        let code = self.hold_code(&hold, author.user(), &asked).await?;
        let version = Version::new(asked, code, hold.clone(), now);
        let number = match db::add_version(&self.store, name.clone(), version.clone(), author.clone()).await {
            Ok(number) => number,
            Err(error) => {
                self.let_go(&hold).await;
                return Err(error);
            }
        };
        Ok(RegisteredFunction { function: version.reference(&name, number, runtime) })
    }

    async fn check_readers(&self, readers: &[UserId]) -> Result<(), Error> {
        let existing = if readers.is_empty() { Vec::new() } else { self.identity.existing(readers).await? };
        match readers.iter().find(|reader| !existing.contains(reader)) {
            Some(unknown) => Err(Error::field("allow", format!("no user {unknown}"))),
            None => Ok(()),
        }
    }

    /// Has the tdfs keep the code for as long as the function is there.
    async fn hold_code(&self, hold: &TaskId, author: &UserId, asked: &RegisterFunction) -> Result<PinnedFile, Error> {
        let mut held = self.hold_for_new(hold, author, vec![asked.file_id.clone()]).await?;
        let code = held.pop().ok_or_else(rpc::CallError::unexpected)?;
        match self.settings().code_bytes {
            limit if code.file_size > limit => {
                self.let_go(hold).await;
                Err(Error::CodeTooLarge { size: code.file_size, limit })
            }
            _ => Ok(code),
        }
    }

    /// Lets go of code that nothing came of. Where that fails, the next start does it.
    async fn let_go(&self, hold: &TaskId) {
        if let Err(error) = self.settle_one_unborn(hold).await {
            tracing::warn!(%error, "the code of a function that was not registered is let go of at the next start");
        }
    }

    /// Describes a function to somebody who may use it.
    pub(crate) async fn function(&self, principal: &Principal, name: &str) -> Result<FoundFunction, Error> {
        let unknown = || Error::NoSuchFunction(name.to_owned());
        let named = Named::parse(name).ok_or_else(unknown)?;
        if let Some(row) = db::built_in(&self.store, named.name.to_owned()).await? {
            let meant = named.admits(&row.info.function).then(|| function::details(row.info));
            return Ok(FoundFunction { function_info: meant.ok_or_else(unknown)? });
        }
        let Usable { permit, number, version } = self.version(&named, principal).await?.ok_or_else(unknown)?;
        let runtime = self.known_runtime(version.declaration.language).await?;
        let function = version.reference(named.name, number, runtime);
        Ok(FoundFunction { function_info: version.details(&permit, function, runtime) })
    }

    /// The interpreter that runs a language now, if one does.
    async fn known_runtime(&self, language: Language) -> Result<Option<Digest>, Error> {
        Ok(db::runtime(&self.store, language).await?.and_then(|row| row.runtime.digest))
    }

    /// One page of the functions that the caller may use.
    pub(crate) async fn functions(
        &self,
        principal: &Principal,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<FunctionList, Error> {
        let limit = page_limit(limit)?;
        let (page, next_cursor) = db::list(&self.store, principal.clone(), cursor, limit).await?;
        let mut list = Vec::with_capacity(page.len());
        for (name, found) in page {
            list.push(match found {
                db::Listed::BuiltIn(info) => function::listed(info),
                db::Listed::Users(found) => {
                    let Usable { permit, number, version } = *found;
                    let runtime = self.known_runtime(version.declaration.language).await?;
                    version.listed(&permit, version.reference(&name, number, runtime))
                }
            });
        }
        Ok(FunctionList { list, next_cursor })
    }

    /// Takes versions of the caller's function out of use.
    pub(crate) async fn disable_function(&self, principal: &Principal, name: &str) -> Result<DisabledFunction, Error> {
        let Named { name, version } = Named::parse(name).ok_or_else(|| Error::NoSuchFunction(name.to_owned()))?;
        if db::built_in(&self.store, name.to_owned()).await?.is_some() {
            return Err(Error::NotTheAuthor(name.to_owned()));
        }
        let versions = db::disable(&self.store, name.to_owned(), version, principal.clone()).await?;
        Ok(DisabledFunction { success: true, versions })
    }
}

/// An interpreter and who runs it.
struct Runs {
    digest: Option<Digest>,
    nodes: Vec<SocketAddr>,
}
