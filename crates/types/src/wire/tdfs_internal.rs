//! The tdfs's requests and answers for services (port 5066).
//!
//! `Create` and `Get` are the reference's. The others are this system's own: the tdfs keeps the users, so the tms asks
//! it who somebody is; a task in flight holds its inputs, so that their owner can't delete them under it; and a task that
//! ended keeps only the outputs that it lists.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::consent::ApprovalKey;
use crate::digest::Digest;
use crate::file::{AllowPolicy, FileName, Format};
use crate::id::{FileId, KeyId, TaskId};
use crate::secret::Secret;
use crate::user::UserId;

super::requests! {
    /// A service's request to the tdfs.
    #[schema(as = InternalDFSRequest)]
    Request {
        /// Declares a task's output.
        Create(CreateOutput),
        /// Returns a file's record.
        Get(GetRecord),
        /// Checks a user's token.
        Authenticate(Authenticate),
        /// Tells which of some names are users.
        Users(FindUsers),
        /// Holds a task's inputs: they can't be deleted until it releases them.
        Hold(HoldInputs),
        /// Says that a task ended.
        End(EndTask),
    }
}

/// Declares a file that a function node is about to encrypt and write.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateOutputRequest)]
#[serde(deny_unknown_fields)]
pub struct CreateOutput {
    /// SHA-256 of the plaintext.
    pub sha256: Digest,
    /// Size of the plaintext, in bytes.
    pub file_size: u64,
    /// Who will own it.
    pub user_id: UserId,
    /// The task that writes it.
    pub task_id: TaskId,
    /// Who else may read it when the policy allows collaborators.
    pub collaborator_list: Vec<UserId>,
    /// Who may read it.
    pub allow_policy: AllowPolicy,
    /// How the plaintext will be sealed; one message when absent.
    #[serde(default, skip_serializing_if = "Format::is_single")]
    pub format: Format,
}

/// Asks for a file's record.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetRecordRequest)]
#[serde(deny_unknown_fields)]
pub struct GetRecord {
    /// Which file.
    pub file_id: FileId,
}

/// Asks whether a token is a user's.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthenticateRequest)]
#[serde(deny_unknown_fields)]
pub struct Authenticate {
    /// Who somebody says they are.
    pub user_id: UserId,
    /// What they show for it.
    pub user_token: Secret,
}

/// Asks which of some names are users who are not disabled.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = FindUsersRequest)]
#[serde(deny_unknown_fields)]
pub struct FindUsers {
    /// The names.
    pub user_ids: Vec<UserId>,
}

/// Holds files for a task on behalf of a user who must be able to read them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = HoldInputsRequest)]
#[serde(deny_unknown_fields)]
pub struct HoldInputs {
    /// The task.
    pub task_id: TaskId,
    /// Who brings the files.
    pub user_id: UserId,
    /// The files.
    pub files: Vec<FileId>,
}

/// Says that a task ended: its inputs are released, and what it declared as output without listing it is removed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EndTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct EndTask {
    /// The task.
    pub task_id: TaskId,
    /// The outputs that it lists; none, if it failed.
    pub outputs: Vec<FileId>,
}

/// The tdfs's answer to a service.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = InternalDFSResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// Where the output goes, and its key.
    Create(super::tdfs_external::CreatedFile),
    /// The record.
    Get(FoundRecord),
    /// Whether the token is the user's and the user is not disabled.
    Authenticate(Authenticated),
    /// Which names are users.
    Users(FoundUsers),
    /// What is held now.
    Hold(HeldInputs),
    /// The task holds nothing any more.
    End(TaskEnded),
}

/// A file's record.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetRecordResponse)]
pub struct FoundRecord {
    /// The record.
    pub file_info: FileRecord,
}

/// A file's record, as services see it: the key by name only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileRecord {
    /// The owner.
    pub user_id: UserId,
    /// The display name; an output's is its task's id.
    pub file_name: FileName,
    /// SHA-256 of the plaintext.
    pub sha256: Digest,
    /// Size of the plaintext, in bytes.
    pub file_size: u64,
    /// Where the ciphertext is.
    pub access_path: String,
    /// The task that wrote it.
    pub task_id: Option<TaskId>,
    /// Who else may read it when the policy allows collaborators.
    pub collaborator_list: Vec<UserId>,
    /// Who may read it.
    pub allow_policy: AllowPolicy,
    /// The key's name in the kms.
    pub key_id: KeyId,
    /// How the plaintext is sealed.
    #[serde(default, skip_serializing_if = "Format::is_single")]
    pub format: Format,
    /// Where the ciphertext can be had, for a while, when `access_path` is no file: in order, without gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub download: Vec<super::tdfs_external::DownloadPart>,
}

impl FileRecord {
    /// Whether the file's owner or its policy lets a user read it.
    pub fn may_be_read_by(&self, user: &UserId) -> bool {
        *user == self.user_id
            || match self.allow_policy {
                AllowPolicy::Owner => false,
                AllowPolicy::Collaborators => self.collaborator_list.contains(user),
                AllowPolicy::Everyone => true,
            }
    }
}

/// The answer to [`Authenticate`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthenticateResponse)]
pub struct Authenticated {
    /// Whether the token is the user's and the user is not disabled.
    pub success: bool,
    /// The key by which the user signs approvals, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ApprovalKey>,
}

/// The answer to [`FindUsers`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = FindUsersResponse)]
pub struct FoundUsers {
    /// Those of the names that are users and not disabled.
    pub user_ids: Vec<UserId>,
}

/// The answer to [`HoldInputs`]: what was declared for each file, in the order asked.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = HoldInputsResponse)]
pub struct HeldInputs {
    /// The files and their declared bytes.
    pub files: Vec<crate::file::PinnedFile>,
}

/// The answer to [`EndTask`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EndTaskResponse)]
pub struct TaskEnded {
    /// Always true: to end a task twice changes nothing.
    pub success: bool,
}
