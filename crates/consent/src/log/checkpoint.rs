//! Checkpoints (C2SP tlog-checkpoint, <https://c2sp.org/tlog-checkpoint>): a log's size and root, signed.
//!
//! ```text
//! teehouse.log/<deployment>
//! <size>                                   decimal, without leading zeroes
//! <root>                                   base64 of 32 bytes
//!
//! — teehouse.log/<deployment> <signature>
//! ```

use attest::identity::Deployment;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::log::note::{self, BadNote};
use crate::log::tree::{Hash, MAX_SIZE};
use crate::statement::StatementKey;

/// What a log's origin begins with; the deployment's name follows.
const ORIGIN: &str = "teehouse.log/";

/// A log's size and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// A checkpoint that is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// Not a note, or not signed by the key.
    #[error("the checkpoint: {0}")]
    Note(#[from] BadNote),
    /// Its text is not three lines as above, or of another log.
    #[error("the checkpoint is not one of this deployment's log")]
    Text,
}

/// The name of a deployment's log.
pub fn origin(deployment: &Deployment) -> String {
    format!("{ORIGIN}{deployment}")
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self, deployment: &Deployment) -> String {
        format!("{}\n{}\n{}\n", origin(deployment), self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    pub fn sign(&self, deployment: &Deployment, key: &StatementKey) -> String {
        let text = self.text(deployment);
        let signature = key.sign_bytes(text.as_bytes());
        note::write(&text, &origin(deployment), &key.signer().key.0, &signature)
    }

    /// Reads a checkpoint that a key signed. Whose key it is, is `statement::appraise`'s business.
    ///
    /// # Errors
    /// [`BadCheckpoint`] for everything else.
    pub fn open(note: &str, deployment: &Deployment, key: &[u8]) -> Result<Self, BadCheckpoint> {
        let text = note::open(note, &origin(deployment), key)?;
        let [named, size, root] = text.lines().collect::<Vec<_>>()[..] else { return Err(BadCheckpoint::Text) };
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let size = size.parse().ok().filter(|size| *size <= MAX_SIZE);
        let read = size.zip(root).map(|(size, root)| Checkpoint { size, root }).filter(|_| named == origin(deployment));
        // There is one way of writing it.
        read.filter(|read| read.text(deployment) == text).ok_or(BadCheckpoint::Text)
    }
}

#[cfg(test)]
mod tests {
    use crypto::sign::Ed25519KeyPair;

    use super::*;
    use crate::log::tree;

    fn house() -> Deployment {
        "house".parse().expect("a name")
    }

    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed(&[7; 32])
    }

    fn signed(text: &str) -> String {
        note::write(text, &origin(&house()), &pair().public_key(), &pair().sign(text.as_bytes()))
    }

    /// `docs/consent-log.md` has this note; it was made with Python's `cryptography`.
    #[test]
    fn the_documented_checkpoint() {
        let checkpoint = Checkpoint { size: 1, root: tree::leaf(b"entry") };
        let note = concat!(
            "teehouse.log/house\n1\n2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs94=\n\n",
            "— teehouse.log/house DUd/ZavqNd43ClEA+MpaTs/ZPN9Ljb0aAc7yAG8frwynFlwxVueg0ydTcl2SMKooX0aLYt8kawdWpF8lCPJDHJOJJgg=\n"
        );
        assert_eq!(signed(&checkpoint.text(&house())), note);
        assert_eq!(Checkpoint::open(note, &house(), &pair().public_key()), Ok(checkpoint));
    }

    #[test]
    fn only_three_lines_in_their_one_spelling_are_read() {
        let root = STANDARD.encode([5; 32]);
        let check = |text: &str| Checkpoint::open(&signed(text), &house(), &pair().public_key());
        assert_eq!(check(&format!("teehouse.log/house\n17\n{root}\n")), Ok(Checkpoint { size: 17, root: [5; 32] }));
        for bad in [
            format!("teehouse.log/other\n17\n{root}\n"),
            format!("house\n17\n{root}\n"),
            format!("teehouse.log/house\n017\n{root}\n"),
            format!("teehouse.log/house\n+17\n{root}\n"),
            format!("teehouse.log/house\n-1\n{root}\n"),
            format!("teehouse.log/house\n\n{root}\n"),
            format!("teehouse.log/house\n9007199254740992\n{root}\n"),
            format!("teehouse.log/house\n17\n{}\n", STANDARD.encode([5; 31])),
            format!("teehouse.log/house\n17\n{}\n", root.trim_end_matches('=')),
            format!("teehouse.log/house\n17\n{root}\nmore\n"),
            format!("teehouse.log/house\n17\n{root}\n\n"),
            "teehouse.log/house\n17\n".to_owned(),
            "\n".to_owned(),
        ] {
            assert_eq!(check(&bad), Err(BadCheckpoint::Text), "{bad:?}");
        }
    }

    #[test]
    fn a_changed_checkpoint_is_not_signed() {
        let note = signed(&Checkpoint { size: 17, root: [5; 32] }.text(&house()));
        let other = note.replace("\n17\n", "\n18\n");
        let not_signed = Err(BadCheckpoint::Note(BadNote::NotSigned));
        assert_eq!(Checkpoint::open(&other, &house(), &pair().public_key()), not_signed);
        let stranger = Ed25519KeyPair::from_seed(&[8; 32]).public_key();
        assert_eq!(Checkpoint::open(&note, &house(), &stranger), not_signed);
    }
}
