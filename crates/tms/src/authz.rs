//! Who may do what with a task: one pure function per action, each leading to a [`Permit`] that the logic demands.

use std::marker::PhantomData;

use rpc::authn::Principal;
use types::id::TaskId;
use types::user::UserId;

use crate::Error;
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

/// The proof that an action on one task was allowed to one user. Only this module makes one.
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
