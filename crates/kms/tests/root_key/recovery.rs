//! Recovery: k of n holders bring the seed back; fewer, changed or foreign shares do not.

use kms::root_key::{
    HolderName, Kind, Means, OpenShare, RecoveryError, RecoveryKey, RecoverySecret, Root, RootError, ShareFile,
    SlotError, share_files,
};

use crate::fakes::{LATER, NOW, create, dir, holders, keys, open, simulated, snp};

/// A root with a recovery set of 2 of 3, whose platform is gone.
struct Lost {
    dir: tempfile::TempDir,
    made: Vec<[u8; 32]>,
    secrets: Vec<RecoverySecret>,
    files: Vec<ShareFile>,
}

fn publics(secrets: &[RecoverySecret]) -> Vec<RecoveryKey> {
    secrets.iter().map(RecoverySecret::public).collect()
}

fn lost() -> Lost {
    let dir = dir();
    let mut root = create(dir.path(), &snp("chip", "v1"));
    let secrets = holders(&["alice", "bob", "carol"]);
    root.set_recovery(2, &publics(&secrets), LATER).unwrap();
    let (made, files) = (keys(&root), share_files(dir.path()).unwrap().unwrap());
    Lost { dir, made, secrets, files }
}

impl Lost {
    fn shares(&self, which: &[usize]) -> Vec<OpenShare> {
        which.iter().map(|at| self.files[*at].open(&self.secrets[*at]).unwrap()).collect()
    }

    async fn recover(&self, shares: &[OpenShare]) -> Result<Root, RootError> {
        Root::open(self.dir.path(), &Means { shares, ..Means::default() }).await
    }

    async fn check_refused(&self, shares: &[OpenShare], expected: RecoveryError) {
        let Err(RootError::Sealed { attempts, .. }) = self.recover(shares).await else { panic!("unsealed") };
        match &attempts.0.last().unwrap().why {
            SlotError::Shares(error) => assert_eq!(*error, expected),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn any_k_holders_recover_on_a_new_machine() {
    for which in [&[0, 1][..], &[2, 0], &[1, 2], &[0, 1, 2]] {
        let lost = lost();
        let mut root = lost.recover(&lost.shares(which)).await.unwrap();
        assert_eq!((keys(&root), root.opened_by().1), (lost.made.clone(), Kind::Recovery), "{which:?}");
        root.rewrap(&simulated(), LATER).unwrap();
        drop(root);
        assert_eq!(keys(&open(lost.dir.path(), &simulated()).await.unwrap()), lost.made);
        assert!(open(lost.dir.path(), &snp("chip", "v1")).await.is_err());
    }
}

#[tokio::test]
async fn one_holder_fewer_or_one_twice_is_not_enough() {
    let lost = lost();
    let too_few = RecoveryError::TooFew { given: 1, threshold: 2 };
    lost.check_refused(&lost.shares(&[1]), too_few).await;
    lost.check_refused(&lost.shares(&[1, 1]), RecoveryError::Twice(2)).await;
}

#[tokio::test]
async fn shares_of_another_set_or_an_earlier_generation_are_refused() {
    let lost = lost();
    let old = lost.shares(&[0]);
    let mut root = open(lost.dir.path(), &snp("chip", "v1")).await.unwrap();
    let set = root.set_recovery(2, &publics(&lost.secrets), LATER).unwrap().set;
    drop(root);
    let (found, name) = (lost.files[0].to_bytes(), |name: &str| name.parse::<HolderName>().unwrap());
    let found = serde_json::from_slice::<serde_json::Value>(&found).unwrap()["set"].as_str().unwrap().to_owned();
    let found = found.try_into().unwrap();
    let expected = |generation| RecoveryError::OtherSet { holder: name("alice"), found, generation, expected: set };
    lost.check_refused(&old, expected(1)).await;
    // One of the right set does not make it better.
    let new = share_files(lost.dir.path()).unwrap().unwrap();
    let mixed: Vec<_> = [new[1].open(&lost.secrets[1]).unwrap()].into_iter().chain(old).collect();
    lost.check_refused(&mixed, expected(1)).await;
}

#[test]
fn a_share_opens_with_its_holders_key_alone() {
    let lost = lost();
    for (at, file) in lost.files.iter().enumerate() {
        for (holder, secret) in lost.secrets.iter().enumerate() {
            assert_eq!(file.open(secret).is_ok(), at == holder);
        }
    }
    let error = lost.files[0].open(&lost.secrets[1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the share of alice does not open with the key of bob: it is another's, or it was changed"
    );
}

#[test]
fn every_changed_byte_of_a_share_file_is_refused_or_names_somebody_else() {
    let lost = lost();
    let (file, secret) = (lost.files[0].to_bytes(), &lost.secrets[0]);
    assert_eq!(ShareFile::from_bytes(&file).unwrap(), lost.files[0]);
    for at in 0..file.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut changed = file.clone();
            changed[at] ^= flip;
            // The holder's name is for people; the share opens with the same key whatever it says.
            let opened = ShareFile::from_bytes(&changed).and_then(|file| Ok((file.holder.clone(), file.open(secret)?)));
            assert!(!opened.is_ok_and(|(holder, _)| holder == lost.files[0].holder), "byte {at} ^ {flip:#x}");
        }
        assert!(ShareFile::from_bytes(&file[..at]).is_err());
    }
    assert!(ShareFile::from_bytes(&[&file[..], b"\n"].concat()).is_err());
    assert!(ShareFile::from_bytes(&vec![b' '; kms::root_key::MAX_SHARE_FILE_LEN + 1]).is_err());
}

/// Whoever knows the public keys can seal shares of a seed of his own to them; the file's tag knows better.
#[tokio::test]
async fn shares_that_a_stranger_made_do_not_open_the_file() {
    let (lost, other) = (lost(), dir());
    let mut stranger = create(other.path(), &simulated());
    stranger.set_recovery(2, &publics(&lost.secrets), NOW).unwrap();
    let (target, source) = (lost.dir.path().join("root.json"), other.path().join("root.json"));
    let read = |path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
    let (mut victim, theirs) = (std::fs::read_to_string(&target).unwrap(), read(&source));
    let slot = |root: &serde_json::Value| root["root"]["slots"][1]["content"].clone();
    let (own, theirs) = (slot(&read(&target)), slot(&theirs));
    for part in ["/set", "/holders/0/share", "/holders/1/share", "/holders/2/share"] {
        let text = |set: &serde_json::Value| set.pointer(part).unwrap().as_str().unwrap().to_owned();
        victim = victim.replace(&text(&own), &text(&theirs));
    }
    std::fs::write(&target, victim).unwrap();
    let files = share_files(lost.dir.path()).unwrap().unwrap();
    let shares: Vec<_> = files.iter().zip(&lost.secrets).map(|(file, secret)| file.open(secret).unwrap()).collect();
    let error = lost.recover(&shares).await.unwrap_err().to_string();
    assert!(error.contains("the seed in it is not the one that this file was made with"), "{error}");
}

#[test]
fn sets_that_make_no_sense_are_refused() {
    let dir = dir();
    let mut root = create(dir.path(), &simulated());
    let three = publics(&holders(&["alice", "bob", "carol"]));
    let mut check = |threshold, keys: &[RecoveryKey], expected: &str| match root.set_recovery(threshold, keys, NOW) {
        Err(RootError::Recovery(error)) => assert_eq!(error.to_string(), expected),
        other => panic!("{other:?}"),
    };
    check(0, &three, "0 of 3 holders is no threshold");
    check(4, &three, "4 of 3 holders is no threshold");
    check(1, &[], "a recovery set has 1 to 32 holders, not 0");
    let name = |at: usize| format!("holder-{at}");
    let many: Vec<_> = (0..33).map(|at| RecoverySecret::generate(name(at).parse().unwrap()).public()).collect();
    check(2, &many, "a recovery set has 1 to 32 holders, not 33");
    let same_name = [three[0].clone(), RecoveryKey { key: three[1].key, ..three[0].clone() }];
    check(1, &same_name, "alice is there twice");
    let same_key = [three[0].clone(), RecoveryKey { key: three[0].key, ..three[1].clone() }];
    check(1, &same_key, "bob has the same key as another holder");
    root.set_recovery(32, &many[..32], NOW).unwrap();
    drop(root);
    assert_eq!(share_files(dir.path()).unwrap().unwrap().len(), 32);
}
