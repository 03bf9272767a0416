//! The root of a kms that runs: one owner, who changes it for the operator and tells the registry.
//!
//! A change takes the lock, works on files and maybe asks a TPM, all of it on a thread for blocking work: no lock is held
//! while anything waits for a network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest::attester::PlatformSealer;
use types::time::UnixMillis;
use types::wire::kms_operator::{InForce, Request, Response};

use crate::operate::{OperatorError, change, in_force};
use crate::registry::Registry;
use crate::root_key::{Peer, Root, Seeds};

/// Holds the root, and with it the right to change its file, until the kms ends.
pub(crate) struct Keeper {
    root: Mutex<Option<Root>>,
    sealer: PlatformSealer,
    peers: Vec<Box<dyn Peer>>,
    registry: Arc<Registry>,
}

impl Keeper {
    /// Keeps a root that was unsealed, whose seeds the registry has.
    pub(crate) fn new(
        root: Root,
        sealer: PlatformSealer,
        peers: Vec<Box<dyn Peer>>,
        registry: Arc<Registry>,
    ) -> Arc<Self> {
        Arc::new(Keeper { root: Mutex::new(Some(root)), sealer, peers, registry })
    }

    /// Carries out an operator's request.
    pub(crate) async fn handle(self: Arc<Self>, request: Request) -> Result<Response, OperatorError> {
        let response = match request {
            Request::Follow(_) => self.follow().await.map(Response::Follow),
            request => self.with_root(move |root, sealer| change(root, sealer, request, UnixMillis::now())).await,
        }?;
        tracing::warn!(?response, "the operator changed the root key's slots");
        Ok(response)
    }

    /// Lets go of the root: from now on another process may change its file, and requests are refused.
    pub(crate) async fn close(self: Arc<Self>) {
        // It waits for a change that is under way.
        let _ = tokio::task::spawn_blocking(move || drop(self.lock().take())).await;
    }

    /// Asks one peer after another for a generation that continues this one.
    async fn follow(self: &Arc<Self>) -> Result<InForce, OperatorError> {
        let mut last = OperatorError::NoPeers;
        for peer in &self.peers {
            let outcome = match peer.seeds().await {
                Ok(seeds) => self.follow_to(seeds).await,
                Err(source) => Err(OperatorError::Peer { name: peer.name().to_owned(), source }),
            };
            match outcome {
                Err(error) => last = error,
                followed => return followed,
            }
        }
        Err(last)
    }

    async fn follow_to(self: &Arc<Self>, seeds: Seeds) -> Result<InForce, OperatorError> {
        self.with_root(|root, sealer| {
            root.follow(seeds, sealer, UnixMillis::now())?;
            Ok(in_force(root))
        })
        .await
    }

    /// Changes the root on a thread for blocking work; then the registry goes on with its seeds.
    async fn with_root<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Root, &PlatformSealer) -> Result<T, OperatorError> + Send + 'static,
    ) -> Result<T, OperatorError> {
        let keeper = self.clone();
        let changed = tokio::task::spawn_blocking(move || {
            let mut held = keeper.lock();
            let root = held.as_mut().ok_or(OperatorError::Stopping)?;
            let outcome = change(root, &keeper.sealer);
            keeper.registry.continue_with(root.seeds());
            outcome
        });
        changed.await.map_err(|_| OperatorError::Crashed)?
    }

    /// A change that panicked left the root as it was: files are written before it goes on.
    fn lock(&self) -> MutexGuard<'_, Option<Root>> {
        self.root.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use attest::authority::CertificateAuthority;
    use attest::simulated::SimulatedSealer;
    use attest::validity::Validity;
    use crypto::SealingKey;
    use rpc::enrolment::Registrar as _;
    use types::service::Role;
    use types::wire::kms_operator::{Follow, Rotate};

    use super::*;
    use crate::root_key::{Means, PeerAnswer, RootError};

    const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

    fn sealer() -> PlatformSealer {
        let key = SealingKey::from_bytes([3; 32]);
        PlatformSealer::Key(Box::new(SimulatedSealer::default().with_key(Role::Kms, key)))
    }

    /// Another kms: with these seeds, or one that can't be reached.
    struct Other(Option<Seeds>);

    impl Peer for Other {
        fn name(&self) -> &str {
            "kms-2"
        }

        fn seeds(&self) -> PeerAnswer<'_> {
            let seeds = self.0.as_ref().map(Seeds::danger_to_bytes).ok_or("connection refused");
            Box::pin(async { Ok(Seeds::from_bytes(seeds?.expose())?) })
        }
    }

    fn keeper(dir: &tempfile::TempDir, seeds: Seeds, peers: Vec<Option<Seeds>>) -> Arc<Keeper> {
        let validity = Validity { not_before: UnixMillis(0), not_after: UnixMillis(1) };
        let authority = CertificateAuthority::generate("test".parse().unwrap(), validity).unwrap();
        let registry = Arc::new(Registry::new(authority, &seeds, Duration::from_secs(1)));
        let root = Root::create(dir.path(), seeds, &sealer(), NOW).unwrap();
        let peers = peers.into_iter().map(|seeds| Box::new(Other(seeds)) as Box<dyn Peer>).collect();
        Keeper::new(root, sealer(), peers, registry)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn requests_that_race_are_carried_out_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = keeper(&dir, Seeds::generate(), Vec::new());
        let before = *keeper.registry.sealing_key(Role::Tdfs).danger_expose();
        let racing: Vec<_> = (0..8).map(|_| tokio::spawn(keeper.clone().handle(Rotate {}.into()))).collect();
        let mut generations = Vec::new();
        for answer in racing {
            let Ok(Response::Rotate(InForce { generation })) = answer.await.unwrap() else { panic!("it rotates") };
            generations.push(generation);
        }
        generations.sort_unstable();
        assert_eq!(generations, (2..=9).collect::<Vec<_>>());
        assert_eq!(*keeper.registry.sealing_key(Role::Tdfs).danger_expose(), before);
    }

    #[tokio::test]
    async fn once_it_is_closed_others_may_change_the_file_and_it_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = keeper(&dir, Seeds::generate(), Vec::new());
        let sealer = sealer();
        let means = Means { sealer: Some(&sealer), ..Means::default() };
        assert!(matches!(Root::open(dir.path(), &means).await, Err(RootError::Busy { .. })));
        keeper.clone().close().await;
        assert!(Root::open(dir.path(), &means).await.is_ok());
        let error = keeper.handle(Rotate {}.into()).await.unwrap_err();
        assert_eq!(error.to_string(), "the kms is stopping");
    }

    #[tokio::test]
    async fn a_newer_generation_is_taken_from_the_first_peer_that_has_one() {
        let dir = tempfile::tempdir().unwrap();
        let first = Seeds::generate();
        let same = || Some(Seeds::from_bytes(first.danger_to_bytes().expose()).unwrap());
        let newer = first.rotated().unwrap().rotated();
        let keeper = keeper(&dir, same().unwrap(), vec![None, Some(Seeds::generate()), same(), newer]);
        let followed = keeper.clone().handle(Follow {}.into()).await.unwrap();
        assert_eq!(followed, Response::Follow(InForce { generation: 3 }));
        assert_eq!(crate::root_key::list(dir.path()).unwrap().generation, 3);
        let again = keeper.handle(Follow {}.into()).await.unwrap_err();
        assert_eq!(again.to_string(), "these seeds do not continue this root");
    }

    #[tokio::test]
    async fn who_has_nobody_to_follow_is_told_so() {
        for (peers, why) in [
            (vec![], "only a running kms can follow, and it follows those that its configuration names as `kms.peers`"),
            (vec![None], "the peer kms-2 did not give its seeds: connection refused"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let error = keeper(&dir, Seeds::generate(), peers).handle(Follow {}.into()).await.unwrap_err();
            assert_eq!(rpc::Fault::message(&error), why);
        }
    }
}
