//! Who may do what with a task: one pure function per action, each leading to a [`Permit`] that the logic demands.

use std::marker::PhantomData;

use rpc::authn::Principal;
use types::id::TaskId;
use types::user::UserId;

use crate::Error;
use crate::function::Version;
use crate::parties::Parties;

/// Seeing a task.
#[derive(Debug)]
pub enum View {}

/// Approving a task.
#[derive(Debug)]
pub enum Approve {}

/// Bringing files to a task.
#[derive(Debug)]
pub enum Bring {}

/// Changing what is to be approved.
#[derive(Debug)]
pub enum Change {}

/// Taking back consent.
#[derive(Debug)]
pub enum Withdraw {}

/// Using a function, which is also to know of it.
#[derive(Debug)]
pub enum Use {}

/// Adding a version to a function.
#[derive(Debug)]
pub enum Register {}

/// Taking versions of a function out of use.
#[derive(Debug)]
pub enum Disable {}

/// The proof that an action on one task or function was allowed to one user. Only this module makes one.
#[derive(Debug)]
pub struct Permit<A> {
    user: UserId,
    action: PhantomData<A>,
}

impl<A> Permit<A> {
    fn new(principal: &Principal) -> Self {
        Permit { user: principal.user().clone(), action: PhantomData }
    }

    /// The user whom it allows.
    pub fn user(&self) -> &UserId {
        &self.user
    }
}

/// The creator and the collaborators may see a task.
///
/// # Errors
/// To everyone else the task does not exist.
pub fn view(principal: &Principal, id: &TaskId, task: &impl Parties) -> Result<Permit<View>, Error> {
    match task.is_participant(principal.user()) {
        true => Ok(Permit::new(principal)),
        false => Err(Error::NoSuchTask(id.clone())),
    }
}

/// The collaborators may approve a task, and its creator where creating it was not enough. Whether its state allows it is
/// the state machine's business.
///
/// # Errors
/// To a creator who approved by creating it, it says that there is nothing to approve; to strangers the task does not
/// exist.
pub fn approve(principal: &Principal, id: &TaskId, task: &impl Parties) -> Result<Permit<Approve>, Error> {
    match principal.user() {
        user if task.is_collaborator(user) => Ok(Permit::new(principal)),
        user if user == task.creator() && task.asks_creator() => Ok(Permit::new(principal)),
        user if user == task.creator() => Err(Error::NotAnApprover(id.clone())),
        _ => Err(Error::NoSuchTask(id.clone())),
    }
}

/// Every party may approve a task by naming its manifest, its creator included.
///
/// # Errors
/// To whoever only sees the task it says so; to strangers the task does not exist.
pub fn confirm(principal: &Principal, id: &TaskId, task: &impl Parties) -> Result<Permit<Approve>, Error> {
    party(principal, id, task)
}

/// Every party may bring files to a task.
///
/// # Errors
/// As [`confirm`].
pub fn bring(principal: &Principal, id: &TaskId, task: &impl Parties) -> Result<Permit<Bring>, Error> {
    party(principal, id, task)
}

/// The creator alone changes what is to be approved.
///
/// # Errors
/// To collaborators it says so; to strangers the task does not exist.
pub fn change(principal: &Principal, id: &TaskId, task: &impl Parties) -> Result<Permit<Change>, Error> {
    match principal.user() {
        user if user == task.creator() => Ok(Permit::new(principal)),
        user if task.is_collaborator(user) => Err(Error::NotTheCreator(id.clone())),
        _ => Err(Error::NoSuchTask(id.clone())),
    }
}

/// Every party may take back its consent.
///
/// # Errors
/// As [`confirm`].
pub fn withdraw(principal: &Principal, id: &TaskId, task: &impl Parties) -> Result<Permit<Withdraw>, Error> {
    party(principal, id, task)
}

fn party<A>(principal: &Principal, id: &TaskId, task: &impl Parties) -> Result<Permit<A>, Error> {
    match principal.user() {
        user if user == task.creator() => Ok(Permit::new(principal)),
        user if task.is_collaborator(user) && task.has_collaborators_agree() => Ok(Permit::new(principal)),
        user if task.is_collaborator(user) => Err(Error::OnlySees(id.clone())),
        _ => Err(Error::NoSuchTask(id.clone())),
    }
}

/// A version of a user's function may be used by its author, by those whom the author named, and by everybody where it is
/// public. To everyone else there is none.
pub(crate) fn use_function(principal: &Principal, version: &Version) -> Option<Permit<Use>> {
    let user = principal.user();
    (version.public || version.author == *user || version.allow.contains(user)).then(|| Permit::new(principal))
}

/// Its author may add versions to a function; a name that nobody has is for whoever comes first.
///
/// # Errors
/// To everyone else the name is taken.
pub(crate) fn register(principal: &Principal, name: &str, author: Option<&UserId>) -> Result<Permit<Register>, Error> {
    match author {
        Some(author) if author != principal.user() => Err(Error::NameTaken(name.to_owned())),
        _ => Ok(Permit::new(principal)),
    }
}

/// Its author may take versions of a function out of use.
///
/// # Errors
/// To everyone else who may know of it, it says whose business that is.
pub(crate) fn disable(principal: &Principal, name: &str, author: &UserId) -> Result<Permit<Disable>, Error> {
    match author == principal.user() {
        true => Ok(Permit::new(principal)),
        false => Err(Error::NotTheAuthor(name.to_owned())),
    }
}
