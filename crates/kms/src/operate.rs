//! How an operator works on the root key's slots: through the kms that runs, or on the file when none does.
//!
//! On a real platform the platform's key is the kms's, so there it must run. Without one, the root of a `--dev`
//! deployment can be had, whose key is on the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest::attester::PlatformSealer;
use attest::simulated::SimulatedSealer;
use rpc::config::Attestation;
use rpc::deployment::{DeploymentError, DevDeployment};
use rpc::machine::MachineError;
use rpc::shutdown::Shutdown;
use rpc::{Fault, unix};
use types::error::{ErrorCode, ErrorReply};
use types::service::Role;
use types::time::UnixMillis;
use types::wire::kms_operator::{AddPeer, InForce, RemoveSlot, Request, Reseal, Response, SetRecovery};

use crate::keeper::Keeper;
use crate::root_key::{BadKeyText, Lockout, RecoveryKey, Root, RootError, at_start};
use crate::{Kms, OpenError};

/// Why an operator's request is refused.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The root can't be changed in this way.
    #[error(transparent)]
    Root(#[from] RootError),
    /// One of the holders' keys is none.
    #[error("field `keys`: key {number}")]
    Key {
        /// Which, from 1.
        number: usize,
        /// Why.
        source: BadKeyText,
    },
    /// There is nobody to follow.
    #[error("only a running kms can follow, and it follows those that its configuration names as `kms.peers`")]
    NoPeers,
    /// The peer to follow gives nothing.
    #[error("the peer {name} did not give its seeds")]
    Peer {
        /// Which.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The kms ends.
    #[error("the kms is stopping")]
    Stopping,
    /// A change panicked.
    #[error("changing the root crashed")]
    Crashed,
}

impl Fault for OperatorError {
    fn code(&self) -> ErrorCode {
        match self {
            OperatorError::Root(error) => code(error),
            OperatorError::Key { .. } => ErrorCode::InvalidRequest,
            OperatorError::NoPeers => ErrorCode::PreconditionFailed,
            OperatorError::Peer { .. } | OperatorError::Stopping => ErrorCode::Unavailable,
            OperatorError::Crashed => ErrorCode::Internal,
        }
    }

    /// With its causes, since whoever asks here is the one who reads the log.
    fn message(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

fn code(error: &RootError) -> ErrorCode {
    match error {
        RootError::PeerName | RootError::Recovery(_) => ErrorCode::InvalidRequest,
        RootError::NoSuchSlot(_) => ErrorCode::NotFound,
        RootError::SamePeer { .. } | RootError::OtherSeeds => ErrorCode::Conflict,
        RootError::LastSlot(_) | RootError::LocksOut(_) | RootError::NoSealer(_) => ErrorCode::PreconditionFailed,
        RootError::Full | RootError::TooManyGenerations => ErrorCode::ResourceExhausted,
        // Disks and platforms fail, and may work again: no bug of ours.
        RootError::None { .. }
        | RootError::Exists { .. }
        | RootError::Busy { .. }
        | RootError::Io { .. }
        | RootError::Malformed { .. }
        | RootError::Sealed { .. }
        | RootError::Orphaned { .. }
        | RootError::Legacy { .. }
        | RootError::Seal(_)
        | RootError::LongBlob(_) => ErrorCode::Unavailable,
    }
}

/// Carries out a request on an unsealed root.
///
/// # Errors
/// [`OperatorError`]; the root's file is then as it was.
pub fn change(
    root: &mut Root,
    sealer: &PlatformSealer,
    request: Request,
    now: UnixMillis,
) -> Result<Response, OperatorError> {
    let answer = match request {
        Request::Rotate(_) => {
            root.rotate(sealer, now)?;
            Response::Rotate
        }
        Request::Follow(_) => return Err(OperatorError::NoPeers),
        Request::SetRecovery(SetRecovery { threshold, keys }) => {
            root.set_recovery(threshold, &recovery_keys(&keys)?, now)?;
            Response::SetRecovery
        }
        Request::Reseal(Reseal { keep }) => {
            if keep { root.add_platform(sealer, now) } else { root.rewrap(sealer, now) }?;
            Response::Reseal
        }
        Request::AddPeer(AddPeer { peer }) => {
            root.add_peer(&peer, now)?;
            Response::AddPeer
        }
        Request::RemoveSlot(RemoveSlot { slot, leave_locked }) => {
            root.remove(slot, if leave_locked { Lockout::Accepted } else { Lockout::Refused(sealer) })?;
            Response::RemoveSlot
        }
    };
    Ok(answer(in_force(root)))
}

pub(crate) fn in_force(root: &Root) -> InForce {
    InForce { generation: root.seeds().generation() }
}

fn recovery_keys(texts: &[String]) -> Result<Vec<RecoveryKey>, OperatorError> {
    let read = |(at, text): (usize, &String)| {
        RecoveryKey::from_text(text).map_err(|source| OperatorError::Key { number: at + 1, source })
    };
    texts.iter().enumerate().map(read).collect()
}

/// Why an operator's request has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// No kms runs, and the root is not one that can be unsealed without it.
    #[error("no kms runs on {0}, and only the root of a --dev deployment can be unsealed without one")]
    NobodyThere(PathBuf),
    /// The deployment's keys can't be read.
    #[error("the deployment can't be used")]
    Deployment(#[from] DeploymentError),
    /// The machine has no platform that seals.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A kms runs, but its socket does not answer.
    #[error("a kms uses {0}, but its socket does not answer")]
    Busy(PathBuf),
    /// The socket answers nonsense or not at all.
    #[error("the running kms's socket")]
    Socket(#[from] io::Error),
    /// The running kms refuses.
    #[error("{}", .0.message)]
    Refused(ErrorReply),
    /// The request is refused.
    #[error(transparent)]
    Failed(#[from] OperatorError),
    /// The keys can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Where a kms that runs on a data directory listens for its operator.
fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("kms-operator.sock")
}

/// Serves operators' requests in the background until the order to stop.
///
/// # Errors
/// When the socket can't be bound.
pub(crate) fn serve_operator(data_dir: &Path, keeper: &Arc<Keeper>, shutdown: Shutdown) -> io::Result<()> {
    let path = socket_path(data_dir);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let socket = unix::bind(&path).map_err(named)?;
    // Whoever connected and says nothing does not hold the platform of a kms that ended.
    let keeper = Arc::downgrade(keeper);
    let handler = move |request: Request| {
        let keeper = keeper.upgrade().ok_or(OperatorError::Stopping);
        async move { keeper?.handle(request).await }
    };
    tokio::spawn(unix::serve(socket, handler, shutdown));
    Ok(())
}

/// Carries out an operator's request on a data directory, whether or not a kms runs on it.
///
/// # Errors
/// When neither a kms nor the platform's key is there, nobody answers, or the request is refused.
pub async fn operate(data_dir: &Path, request: Request) -> Result<Response, OperateError> {
    match unix::call(&socket_path(data_dir), &request).await {
        Ok(answer) => answer.map_err(OperateError::Refused),
        Err(error) if nobody_listens(&error) => operate_on_file(data_dir, request).await,
        Err(error) => Err(error.into()),
    }
}

fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

async fn operate_on_file(data_dir: &Path, request: Request) -> Result<Response, OperateError> {
    let sealer = dev_sealer(data_dir)?;
    let mut root = match at_start(data_dir, &sealer, &[], UnixMillis::now()).await {
        Err(RootError::Busy { data_dir }) => return Err(OperateError::Busy(data_dir)),
        root => root.map_err(OperatorError::from)?,
    };
    Ok(change(&mut root, &sealer, request, UnixMillis::now())?)
}

/// Opens the keys of a `--dev` deployment that is not running. While the root lives, no kms starts there.
///
/// # Errors
/// When there is no such deployment, or a kms runs.
pub async fn open_stopped(data_dir: &Path) -> Result<(Kms, Root), OperateError> {
    let sealer = dev_sealer(data_dir)?;
    let root = match at_start(data_dir, &sealer, &[], UnixMillis::now()).await {
        Err(RootError::Busy { data_dir }) => return Err(OperateError::Busy(data_dir)),
        root => root.map_err(OperatorError::from)?,
    };
    Ok((Kms::open(data_dir, &root.store_key())?, root))
}

/// What seals for a kms that would start here: with `--dev` the key on the disk, else the platform that its configuration
/// names. A TPM seals for whatever runs on the machine in this state, and Gramine for its enclave alone.
///
/// # Errors
/// When a `--dev` deployment's key can't be read, or there is no platform that seals.
pub fn sealer_here(data_dir: &Path, attestation: &Attestation) -> Result<PlatformSealer, OperateError> {
    match dev_sealer(data_dir) {
        Err(OperateError::NobodyThere(_)) => Ok(attestation.machine()?.sealer()),
        sealer => sealer,
    }
}

/// The sealer of a `--dev` kms.
fn dev_sealer(data_dir: &Path) -> Result<PlatformSealer, OperateError> {
    if !data_dir.join("dev").exists() {
        return Err(OperateError::NobodyThere(data_dir.to_owned()));
    }
    let key = DevDeployment::open(data_dir)?.sealing_key(Role::Kms)?;
    Ok(PlatformSealer::Key(Box::new(SimulatedSealer::default().with_key(Role::Kms, key))))
}
