//! Who takes part in a task: all that decisions about leave need to know of one.

use types::user::UserId;

/// A creator and the collaborators.
pub trait Parties {
    /// Who created it.
    fn creator(&self) -> &UserId;

    /// Whether a user was asked to take part.
    fn is_collaborator(&self, user: &UserId) -> bool;

    /// Whether its creator's approval is missing.
    fn asks_creator(&self) -> bool;

    /// Whether its collaborators approve it, and not only see it.
    fn has_collaborators_agree(&self) -> bool;

    /// Whether a user created it or collaborates in it.
    fn is_participant(&self, user: &UserId) -> bool {
        self.creator() == user || self.is_collaborator(user)
    }
}
