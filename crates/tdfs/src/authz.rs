//! Who may do what with a file: one pure function per action, each leading to a [`Permit`] that the store demands.

use rpc::authn::Principal;
use types::file::AllowPolicy;
use types::id::FileId;
use types::user::UserId;

use crate::Error;
use crate::file::FileRow;

/// Reading a file's record and key.
#[derive(Debug)]
pub enum Read {}

/// Uploading a file's content.
#[derive(Debug)]
pub enum Write {}

/// Removing a file.
#[derive(Debug)]
pub enum Delete {}

/// Saying what tasks may do with a file.
#[derive(Debug)]
pub enum Restrict {}

/// The proof that an action on one file was allowed. Only this module makes one.
#[derive(Debug)]
pub struct Permit<A> {
    file: FileId,
    action: std::marker::PhantomData<A>,
}

impl<A> Permit<A> {
    fn new(file: &FileId) -> Self {
        Permit { file: file.clone(), action: std::marker::PhantomData }
    }

    /// The file that it is for.
    pub fn file(&self) -> &FileId {
        &self.file
    }
}

/// The owner may read a file; with its policy's leave, so may its collaborators or every user.
///
/// # Errors
/// To everyone else the file does not exist.
pub fn read(principal: &Principal, id: &FileId, row: &FileRow) -> Result<Permit<Read>, Error> {
    read_as(principal.user(), id, row)
}

/// As [`read`], for a user whom another service authenticated.
///
/// # Errors
/// To everyone else the file does not exist.
pub fn read_as(user: &UserId, id: &FileId, row: &FileRow) -> Result<Permit<Read>, Error> {
    match may_read(user, row) {
        true => Ok(Permit::new(id)),
        false => Err(Error::NoSuchFile(id.clone())),
    }
}

/// The owner alone may upload a file's content.
///
/// # Errors
/// To readers it says so; to everyone else the file does not exist.
pub fn write(principal: &Principal, id: &FileId, row: &FileRow) -> Result<Permit<Write>, Error> {
    owned(principal, id, row)
}

/// The owner alone may remove a file.
///
/// # Errors
/// To readers it says so; to everyone else the file does not exist.
pub fn delete(principal: &Principal, id: &FileId, row: &FileRow) -> Result<Permit<Delete>, Error> {
    owned(principal, id, row)
}

/// The owner alone may say what tasks may do with a file.
///
/// # Errors
/// To readers it says so; to everyone else the file does not exist.
pub fn restrict(principal: &Principal, id: &FileId, row: &FileRow) -> Result<Permit<Restrict>, Error> {
    owned(principal, id, row)
}

fn owned<A>(principal: &Principal, id: &FileId, row: &FileRow) -> Result<Permit<A>, Error> {
    match principal.user() {
        user if *user == row.owner => Ok(Permit::new(id)),
        user if may_read(user, row) => Err(Error::NotOwner(id.clone())),
        _ => Err(Error::NoSuchFile(id.clone())),
    }
}

fn may_read(user: &UserId, row: &FileRow) -> bool {
    *user == row.owner
        || match row.allow_policy {
            AllowPolicy::Owner => false,
            AllowPolicy::Collaborators => row.collaborators.contains(user),
            AllowPolicy::Everyone => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(allow_policy: AllowPolicy) -> FileRow {
        let collaborators = vec![user("collaborator")];
        FileRow { collaborators, allow_policy, ..crate::file::tests::row() }
    }

    fn user(name: &str) -> UserId {
        name.parse().expect("a good name")
    }

    /// The whole table: principal × policy → what reading and deleting answer.
    #[test]
    fn the_table() {
        use AllowPolicy::{Collaborators, Everyone, Owner};
        let id = "f".parse().expect("short");
        for (who, policy, may_read, delete_answer) in [
            ("owner", Owner, true, "permitted"),
            ("owner", Collaborators, true, "permitted"),
            ("owner", Everyone, true, "permitted"),
            ("collaborator", Owner, false, "no such file"),
            ("collaborator", Collaborators, true, "not owner"),
            ("collaborator", Everyone, true, "not owner"),
            ("stranger", Owner, false, "no such file"),
            ("stranger", Collaborators, false, "no such file"),
            ("stranger", Everyone, true, "not owner"),
        ] {
            let principal = Principal::danger_for_tests(user(who));
            assert_eq!(read(&principal, &id, &row(policy)).is_ok(), may_read, "{who} {policy:?}");
            let answer = match delete(&principal, &id, &row(policy)) {
                Ok(_) => "permitted",
                Err(Error::NotOwner(_)) => "not owner",
                Err(Error::NoSuchFile(_)) => "no such file",
                Err(other) => panic!("{other}"),
            };
            assert_eq!(answer, delete_answer, "{who} {policy:?}");
        }
    }
}
