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

/// The collaborators may approve a task. Whether its state allows it is the state machine's business.
///
/// # Errors
/// To the creator it says that there is nothing to approve; to everyone else the task does not exist.
pub fn approve(principal: &Principal, id: &TaskId, task: &impl Parties) -> Result<Permit<Approve>, Error> {
    match principal.user() {
        user if task.is_collaborator(user) => Ok(Permit::new(principal)),
        user if user == task.creator() => Err(Error::NotAnApprover(id.clone())),
        _ => Err(Error::NoSuchTask(id.clone())),
    }
}
