//! The deployment's CA in the kms's store: made once, its key sealed by the root seed beside the store's own seal.

use std::time::Duration;

use attest::authority::{AuthorityError, CertificateAuthority};
use attest::identity::Deployment;
use attest::validity::Validity;
use types::time::UnixMillis;

use crate::root_key::Root;
use crate::{Kms, db};

/// How long the CA's certificate holds.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Clocks of machines that talk may differ by this much.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Why there is no CA.
#[derive(Debug, thiserror::Error)]
pub enum NoAuthority {
    /// Its certificate or key is refused.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Its key was sealed by another root seed.
    #[error("the CA's key was sealed by another root seed")]
    Sealed(#[from] crypto::Refused),
    /// The store holds another deployment's.
    #[error("this kms is that of the deployment `{found}`, and the manifest is for `{expected}`")]
    OtherDeployment {
        /// Whose it is.
        found: Deployment,
        /// Whose it should be.
        expected: Deployment,
    },
    /// There was one, and the store does not have it.
    #[error(
        "this deployment has a CA (trust/ca.pem, or the manifest's ca_sha256), and this kms's store does not have its key: \
         restore the store, or name the peers that have it as kms.peers"
    )]
    Lost,
    /// The store failed.
    #[error("the kms's store")]
    Store(#[from] store::StoreError),
}

/// Whether this kms keeps a CA.
pub(crate) async fn is_kept(kms: &Kms) -> Result<bool, NoAuthority> {
    Ok(db::authority(kms.store()).await?.is_some())
}

/// The CA that this kms keeps; when it keeps none yet, the one that a peer offered, or a new
/// one where none is `pinned`.
///
/// # Errors
/// When the store fails, or what it holds is no CA of this deployment.
pub(crate) async fn open_or_create(
    kms: &Kms,
    root: &Root,
    (offered, pinned): (Option<db::AuthorityRow>, bool),
    deployment: &Deployment,
    now: UnixMillis,
) -> Result<CertificateAuthority, NoAuthority> {
    let row = match (db::authority(kms.store()).await?, offered) {
        (Some(row), _) => row,
        (None, Some(offered)) => db::keep_authority(kms.store(), offered).await?,
        (None, None) if pinned => return Err(NoAuthority::Lost),
        (None, None) => db::keep_authority(kms.store(), create(root, deployment, now)?).await?,
    };
    let key = root.open_authority_key(&row.sealed_key)?;
    let authority = CertificateAuthority::load(&row.certificate, &String::from_utf8_lossy(key.expose()))?;
    match authority.deployment() == deployment {
        true => Ok(authority),
        false => {
            let found = authority.deployment().clone();
            Err(NoAuthority::OtherDeployment { found, expected: deployment.clone() })
        }
    }
}

fn create(root: &Root, deployment: &Deployment, now: UnixMillis) -> Result<db::AuthorityRow, NoAuthority> {
    let from = UnixMillis(now.0.saturating_sub(CLOCK_SKEW.as_millis() as u64));
    let validity = Validity { not_before: from, not_after: now.plus(LIFETIME) };
    let authority = CertificateAuthority::generate(deployment.clone(), validity)?;
    let sealed_key = root.seal_authority_key(authority.danger_key_pem().as_bytes());
    Ok(db::AuthorityRow { certificate: authority.certificate_pem(), sealed_key })
}

#[cfg(test)]
mod tests {
    use attest::attester::PlatformSealer;
    use attest::simulated::SimulatedSealer;
    use crypto::SealingKey;
    use types::service::Role;

    use super::*;
    use crate::root_key::Seeds;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    /// A kms whose deployment is known to have a CA makes no second one when its store comes back empty; without that
    /// knowledge it makes one, and keeps it.
    #[tokio::test]
    async fn a_lost_ca_is_not_replaced_in_silence() {
        let dir = tempfile::tempdir().expect("a folder");
        let sealer = SimulatedSealer::default().with_key(Role::Kms, SealingKey::from_bytes([7; 32]));
        let sealer = PlatformSealer::Key(Box::new(sealer));
        let root = Root::create(dir.path(), Seeds::generate(), &sealer, NOW).expect("a root");
        let kms = Kms::open(dir.path(), &root.store_key()).expect("a store");
        let deployment = "house".parse().expect("a name");
        let lost = open_or_create(&kms, &root, (None, true), &deployment, NOW).await;
        assert!(matches!(lost, Err(NoAuthority::Lost)));
        assert!(!is_kept(&kms).await.expect("a store"));

        let first = open_or_create(&kms, &root, (None, false), &deployment, NOW).await.expect("the first");
        let again = open_or_create(&kms, &root, (None, true), &deployment, NOW).await.expect("kept");
        assert_eq!(first.certificate_der(), again.certificate_der());
        let other = "mill".parse().expect("a name");
        let refused = open_or_create(&kms, &root, (None, true), &other, NOW).await;
        assert!(matches!(refused, Err(NoAuthority::OtherDeployment { .. })));
        kms.close().await;
    }
}
