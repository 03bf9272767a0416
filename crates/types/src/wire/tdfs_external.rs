//! The tdfs's requests and answers for users (port 5065).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::digest::Digest;
use crate::file::FileName;
use crate::id::{FileId, TaskId};
use crate::key::KeyConfig;
use crate::secret::Secret;
use crate::user::UserId;

super::requests! {
    /// A user's request to the tdfs.
    #[schema(as = DFSRequest)]
    Request {
        /// Declares a file.
        Create(CreateFile),
        /// Returns a file's record and key.
        Get(GetFile),
        /// Lists the caller's files.
        List(ListFiles),
        /// Removes a file's record and key.
        Delete(DeleteFile),
    }
}

/// Declares a file that the caller is about to encrypt and write.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateFileRequest)]
#[serde(deny_unknown_fields)]
pub struct CreateFile {
    /// Its display name.
    pub file_name: FileName,
    /// SHA-256 of the plaintext.
    pub sha256: Digest,
    /// Size of the plaintext, in bytes.
    pub file_size: u64,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for a file's record and key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetFileRequest)]
#[serde(deny_unknown_fields)]
pub struct GetFile {
    /// Which file.
    pub file_id: FileId,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for the ids of the caller's files.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListFileRequest)]
#[serde(deny_unknown_fields)]
pub struct ListFiles {
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
    /// How many ids at most; 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the previous page ended: its `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Asks to remove a file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeleteFileRequest)]
#[serde(deny_unknown_fields)]
pub struct DeleteFile {
    /// Which file.
    pub file_id: FileId,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// The tdfs's answer to a user.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DFSResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// Where the new file goes, and its key.
    Create(CreatedFile),
    /// The file.
    Get(FoundFile),
    /// The caller's files.
    List(FileList),
    /// The file, which is gone now.
    Delete(FoundFile),
}

/// A declared file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateFileResponse)]
pub struct CreatedFile {
    /// Its name in every later request.
    pub file_id: FileId,
    /// Where the ciphertext goes.
    pub access_path: String,
    /// The key to encrypt it with.
    pub key_config: KeyConfig,
}

/// A file's record and key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetFileResponse)]
pub struct FoundFile {
    /// The record.
    pub file_info: FileInfo,
}

/// A file's record, as those who may read it see it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FileInfo {
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
    /// Who else may read it when its policy allows collaborators.
    pub collaborator_list: Vec<UserId>,
    /// The key.
    pub key_config: KeyConfig,
}

/// One page of the caller's files.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListFileResponse)]
pub struct FileList {
    /// Newest first.
    pub list: Vec<FileId>,
    /// Present when there are more: the next page's `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
