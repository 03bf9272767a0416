//! The key by which a user signs approvals, and who may change it.

use consent::key::{KeyChange, NotSigned};
use serde::{Deserialize, Serialize};
use types::bytes::Base64;
use types::consent::ApprovalKey;
use types::log::Event;
use types::user::UserId;
use types::wire::tdfs_external::{FoundUserKey, SetUserKey};

use crate::Error;

/// What is kept of a user's key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signing {
    key: Option<Base64>,
    required: bool,
    /// How often it was changed. It never goes back, so that no change can be played again.
    version: u64,
}

impl Signing {
    pub(crate) fn is_default(&self) -> bool {
        *self == Signing::default()
    }

    pub(crate) fn key(&self, user: &UserId) -> Option<ApprovalKey> {
        let key = self.key.clone()?;
        Some(ApprovalKey { user_id: user.clone(), key, required: self.required })
    }

    pub(crate) fn found(&self, user: &UserId) -> FoundUserKey {
        FoundUserKey { key: self.key(user), version: self.version }
    }

    /// What the log says of the key that there is now.
    pub(crate) fn event(&self, user: &UserId) -> Event {
        Event::UserKey { user_id: user.clone(), key: self.key.clone(), required: self.required }
    }

    /// Without a key, by the operator's word.
    pub(crate) fn reset(self) -> Self {
        Signing { key: None, required: false, version: self.version + 1 }
    }

    /// After a change that the keys which come and go have signed.
    pub(crate) fn after(self, set: &SetUserKey) -> Result<Self, Error> {
        if set.version != self.version + 1 {
            return Err(Error::KeyVersion { expected: self.version + 1 });
        }
        if set.required && set.key.is_none() {
            return Err(Error::KeyRequired);
        }
        let change = KeyChange::new(set.user_id.clone(), set.key.clone(), set.required, set.version);
        let by = |key: &Option<Base64>, signature: &Option<Base64>| match key {
            None => Ok(()),
            Some(key) => change.verify(key, signature.as_ref()),
        };
        by(&set.key, &set.signature).map_err(|NotSigned| Error::KeyNotSigned("signature"))?;
        by(&self.key, &set.previous_signature).map_err(|NotSigned| Error::KeyNotSigned("previous_signature"))?;
        Ok(Signing { key: set.key.clone(), required: set.required, version: set.version })
    }
}

#[cfg(test)]
mod tests {
    use crypto::sign::Ed25519KeyPair;
    use types::secret::Secret;

    use super::*;

    fn set(key: Option<&Ed25519KeyPair>, previous: Option<&Ed25519KeyPair>, version: u64) -> SetUserKey {
        let user_id: UserId = "anna".parse().expect("a good name");
        let new = key.map(|pair| Base64(pair.public_key().to_vec()));
        let change = KeyChange::new(user_id.clone(), new.clone(), false, version);
        let sign = |pair: &Ed25519KeyPair| Base64(pair.sign(&change.signed_bytes()).to_vec());
        SetUserKey {
            key: new,
            required: false,
            version,
            signature: key.map(sign),
            previous_signature: previous.map(sign),
            user_id,
            user_token: Secret::new("t".into()),
        }
    }

    #[test]
    fn a_key_is_changed_by_itself_alone() {
        let (one, two) = (Ed25519KeyPair::generate(), Ed25519KeyPair::generate());
        let first = Signing::default().after(&set(Some(&one), None, 1)).expect("the first needs no other");
        for stolen in [set(Some(&two), None, 2), set(Some(&two), Some(&two), 2), set(None, None, 2)] {
            assert!(matches!(first.clone().after(&stolen), Err(Error::KeyNotSigned("previous_signature"))));
        }
        let second = first.clone().after(&set(Some(&two), Some(&one), 2)).expect("signed by both");
        let gone = second.after(&set(None, Some(&two), 3)).expect("signed by what goes");
        assert_eq!((gone.key.clone(), gone.version), (None, 3));
        for replayed in [set(Some(&one), None, 1), set(Some(&one), None, 3), set(Some(&one), None, 5)] {
            assert!(matches!(gone.clone().after(&replayed), Err(Error::KeyVersion { expected: 4 })));
        }
    }

    #[test]
    fn a_new_key_shows_that_its_user_has_it() {
        let (one, two) = (Ed25519KeyPair::generate(), Ed25519KeyPair::generate());
        let mut borrowed = set(Some(&one), None, 1);
        borrowed.signature = set(Some(&two), None, 1).signature;
        assert!(matches!(Signing::default().after(&borrowed), Err(Error::KeyNotSigned("signature"))));
        borrowed.signature = None;
        assert!(matches!(Signing::default().after(&borrowed), Err(Error::KeyNotSigned("signature"))));
        let required = SetUserKey { required: true, ..set(None, None, 1) };
        assert!(matches!(Signing::default().after(&required), Err(Error::KeyRequired)));
    }
}
