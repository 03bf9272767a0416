//! Each user's entries as a chain, so that nobody can leave one out of a list and be believed.
//!
//! An entry names, for each user whom it concerns, the link of the entry before it that concerns the same user. A link
//! is SHA-256 of `0x02 ‖ entry`: another prefix than those of the tree, so that whoever shares one entry with a user
//! does not learn from it which of the tree's other leaves concern that user.

use crypto::hash::Sha256;
use types::digest::Digest;
use types::log::Entry;
use types::user::UserId;

/// The link that an entry is to those that follow it.
pub fn link(entry: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(&[0x02]);
    hasher.update(entry);
    Digest::new(hasher.finish())
}

/// An entry does not follow the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It does not concern the user.
    #[error("an entry that does not concern the user")]
    Stranger,
    /// An entry is missing before it.
    #[error("an entry is missing from the user's entries")]
    Missing,
}

/// Walks along the entries that concern one user, from the first on.
#[derive(Clone, Debug)]
pub struct Walk {
    user: UserId,
    last: Option<Digest>,
}

impl Walk {
    /// Before the first entry that concerns a user.
    pub fn new(user: UserId) -> Self {
        Walk { user, last: None }
    }

    /// After the entry that has this link.
    pub fn after(user: UserId, last: Digest) -> Self {
        Walk { user, last: Some(last) }
    }

    /// Takes the next entry, given with its bytes.
    ///
    /// # Errors
    /// [`Broken`] when it is not the next one.
    pub fn step<E>(&mut self, entry: &Entry<E>, bytes: &[u8]) -> Result<(), Broken> {
        let concern = entry.concerns.iter().find(|concern| concern.user_id == self.user).ok_or(Broken::Stranger)?;
        if concern.after != self.last {
            return Err(Broken::Missing);
        }
        self.last = Some(link(bytes));
        Ok(())
    }

    /// The link of the last entry taken.
    pub fn last(&self) -> Option<Digest> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use types::log::{Event, Salt, UserChange};
    use types::time::UnixMillis;

    use super::*;
    use crate::log::entry;

    fn user(name: &str) -> UserId {
        name.parse().expect("a name")
    }

    fn next(number: u8, walk: &Walk) -> (Entry, Vec<u8>) {
        let event = Event::User { user_id: user("alice"), change: UserChange::Rotated };
        let concerns = [(user("alice"), walk.last())];
        let entry = entry::new(UnixMillis(5), Salt([number; 16]), concerns, event);
        let bytes = entry::to_bytes(&entry).expect("canonical");
        (entry, bytes)
    }

    #[test]
    fn a_list_with_a_hole_is_no_walk() {
        let mut walk = Walk::new(user("alice"));
        let mut list = Vec::new();
        for number in 0..5 {
            let (entry, bytes) = next(number, &walk);
            walk.step(&entry, &bytes).expect("the next one");
            list.push((entry, bytes));
        }
        for missing in 0..4 {
            let mut walk = Walk::new(user("alice"));
            let mut rest = list.iter().enumerate().filter(|(at, _)| *at != missing);
            let walked = rest.try_for_each(|(_, (entry, bytes))| walk.step(entry, bytes));
            assert_eq!(walked, Err(Broken::Missing), "{missing}");
        }
        let (entry, bytes) = &list[0];
        assert_eq!(Walk::new(user("bob")).step(entry, bytes), Err(Broken::Stranger));
        assert_eq!(Walk::after(user("alice"), link(bytes)).step(&list[1].0, &list[1].1), Ok(()));
    }
}
