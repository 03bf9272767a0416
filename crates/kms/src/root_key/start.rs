//! The root at a kms's start: unsealed, made, or put beside a store that is older than roots.

use std::path::Path;

use attest::attester::PlatformSealer;
use types::service::Role;
use types::time::UnixMillis;

use super::{FILE_NAME, Kind, Means, Peer, Root, RootError, Seeds};
use crate::Kms;

/// The root of a data directory. What is there decides:
///
/// * a `root.json`: it is unsealed; if not by this platform, this platform gets a slot for the next time, if it keeps
///   secrets;
/// * no `root.json` but a store: the store was sealed with the platform's key itself, and stays so as generation 0;
/// * neither: a fresh root.
///
/// # Errors
/// When no slot can be unsealed, the old store does not open, or files can't be read or written.
pub async fn at_start(
    data_dir: &Path,
    sealer: &PlatformSealer,
    peers: &[Box<dyn Peer>],
    now: UnixMillis,
) -> Result<Root, RootError> {
    if data_dir.join(FILE_NAME).exists() {
        let mut root = Root::open(data_dir, &Means { sealer: Some(sealer), peers, shares: &[] }).await?;
        if root.opened_by().1 != Kind::Platform && sealer.keeps() {
            root.rewrap(sealer, now)?;
        }
        return Ok(root);
    }
    match data_dir.join(Kms::STORE_NAME).exists() {
        true => adopt(data_dir, sealer, now).await,
        false => Root::create(data_dir, Seeds::generate(), sealer, now),
    }
}

/// Nothing is written unless the store opens with the platform's key.
async fn adopt(data_dir: &Path, sealer: &PlatformSealer, now: UnixMillis) -> Result<Root, RootError> {
    let path = data_dir.join(FILE_NAME);
    // Only platforms with a key sealed stores before there were roots.
    let PlatformSealer::Key(keeper) = sealer else { return Err(RootError::Orphaned { path }) };
    let key = keeper.sealing_key(Role::Kms)?;
    let kms = Kms::open(data_dir, &key).map_err(|source| RootError::Legacy { path, source })?;
    kms.close().await;
    Root::create(data_dir, Seeds::generate_beside(key), sealer, now)
}
