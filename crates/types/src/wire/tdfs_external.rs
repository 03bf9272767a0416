//! The tdfs's requests and answers for users (port 5065).
//!
//! `Create`, `Get`, `List` and `Delete` are the reference's. The others are this system's own: `Upload` and
//! `CompleteUpload` bring the ciphertext of whoever does not share a disk with the server, part by part
//! (`docs/transfer.md`), `Usage` tells how much of a quota is left, and `SetPolicy` says what tasks may do with a file
//! (`docs/consent.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bytes::Base64;
use crate::consent::{ApprovalKey, FilePolicy, SignedStatement};
use crate::digest::Digest;
use crate::file::{FileName, Format};
use crate::id::{FileId, TaskId};
use crate::key::KeyConfig;
use crate::secret::Secret;
use crate::time::UnixMillis;
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
        /// Tells how far an upload is, and where its next parts go.
        Upload(ContinueUpload),
        /// Makes a file of the parts that arrived.
        CompleteUpload(CompleteUpload),
        /// Returns the key by which the caller signs approvals.
        GetKey(GetUserKey),
        /// Registers, changes or removes the key by which the caller signs approvals.
        SetKey(SetUserKey),
        /// Tells how much the caller keeps and may keep.
        Usage(GetUsage),
        /// Says what tasks may do with a file.
        SetPolicy(SetPolicy),
    }
}

/// Declares a file that the caller is about to encrypt and write.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateFileRequest)]
#[serde(try_from = "CreateFields", deny_unknown_fields)]
pub struct CreateFile {
    /// Its display name.
    pub file_name: FileName,
    /// SHA-256 of the plaintext. Absent when it is only known at the end, which takes the chunked format: the file is
    /// then of no use to anyone before `CompleteUpload` has said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = true)]
    pub sha256: Option<Digest>,
    /// Size of the plaintext, in bytes. Absent together with `sha256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = true)]
    pub file_size: Option<u64>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
    /// How the plaintext will be sealed; one message when absent.
    #[serde(skip_serializing_if = "Format::is_single")]
    #[schema(required = false)]
    pub format: Format,
    /// What tasks may do with it, from the first moment on; anything that its owner approves, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub policy: Option<FilePolicy>,
}

/// [`CreateFile`] as it was sent, field by field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateFields {
    file_name: FileName,
    sha256: Option<Digest>,
    file_size: Option<u64>,
    user_id: UserId,
    user_token: Secret,
    #[serde(default)]
    format: Format,
    policy: Option<FilePolicy>,
}

impl TryFrom<CreateFields> for CreateFile {
    type Error = String;

    /// Size and digest are declared both or neither, and in one message both.
    fn try_from(fields: CreateFields) -> Result<Self, String> {
        let CreateFields { file_name, sha256, file_size, user_id, user_token, format, policy } = fields;
        let missing = |field| Err(format!("missing field `{field}`"));
        match (sha256, file_size) {
            (None, None) if format.is_single() => missing("sha256"),
            (None, Some(_)) => missing("sha256"),
            (Some(_), None) => missing("file_size"),
            _ => Ok(CreateFile { file_name, sha256, file_size, user_id, user_token, format, policy }),
        }
    }
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
    /// Whether the answer describes the files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub details: bool,
}

/// Asks how far an upload is, and where parts go.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = UploadRequest)]
#[serde(deny_unknown_fields)]
pub struct ContinueUpload {
    /// Which file.
    pub file_id: FileId,
    /// The parts that URLs are wanted for: at most 64, counted from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<u32>,
    /// Whether the answer is to list the parts that arrived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub received: bool,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks to make a file of the parts that arrived.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CompleteUploadRequest)]
#[serde(deny_unknown_fields)]
pub struct CompleteUpload {
    /// Which file.
    pub file_id: FileId,
    /// SHA-256 of the plaintext, when it was not declared before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Size of the plaintext, in bytes, when it was not declared before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks to remove a file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeleteFileRequest)]
#[serde(deny_unknown_fields)]
pub struct DeleteFile {
    /// Which file.
    pub file_id: FileId,
    /// Whether the answer is to have a signed statement of the erasure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erasure: bool,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks how much the caller keeps and may keep.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = UsageRequest)]
#[serde(deny_unknown_fields)]
pub struct GetUsage {
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Says what tasks may do with a file, for runs that have not begun. Its owner alone may.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SetPolicyRequest)]
#[serde(deny_unknown_fields)]
pub struct SetPolicy {
    /// Which file.
    pub file_id: FileId,
    /// What they may do; anything that its owner approves, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<FilePolicy>,
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
    Delete(DeletedFile),
    /// How far the upload is.
    Upload(UploadState),
    /// The file is whole.
    CompleteUpload(UploadCompleted),
    /// The key.
    GetKey(FoundUserKey),
    /// The key as it is now.
    SetKey(FoundUserKey),
    /// How much the caller keeps and may keep.
    Usage(UsageInfo),
    /// The policy is in force.
    SetPolicy(PolicySet),
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
    /// Where the whole ciphertext can be sent with one `PUT`, for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_url: Option<String>,
    /// What the file `.volume` beside `access_path` holds: whoever finds it there shares the server's disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
}

/// A file's record and key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetFileResponse)]
pub struct FoundFile {
    /// The record.
    pub file_info: FileInfo,
}

/// A file that is gone.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeleteFileResponse)]
pub struct DeletedFile {
    /// Its record.
    pub file_info: FileInfo,
    /// What the service states about it, once its key is gone: type `application/vnd.teehouse.erasure+json`. Absent while
    /// the key waits for the kms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<SignedStatement>,
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
    /// How the plaintext is sealed.
    #[serde(default)]
    pub format: Format,
    /// When it was declared, in milliseconds since 1970.
    #[serde(default = "since_1970")]
    #[schema(value_type = u64)]
    pub created_ms: UnixMillis,
    /// Whether its upload is not complete yet: its size and digest are then those of nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Where the whole ciphertext can be had with one `GET`, for a while, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_url: Option<String>,
    /// Where its pieces can be had, when they are several: in order, without gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub download_parts: Vec<DownloadPart>,
    /// What the file `.volume` beside `access_path` holds: whoever finds it there shares the server's disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// What tasks may do with it, if its owner excluded anything; the owner alone is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<FilePolicy>,
    /// How many runs used it up to now, counted while its policy limits them; the owner alone is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
}

fn since_1970() -> UnixMillis {
    UnixMillis(0)
}

/// A piece of a ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DownloadPart {
    /// Where it can be had with one `GET`, for a while.
    pub url: String,
    /// How long it is, in bytes.
    pub size: u64,
}

/// How far an upload is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = UploadResponse)]
pub struct UploadState {
    /// How large parts are, in bytes; the last one is shorter.
    pub part_bytes: u64,
    /// Whether the URLs are this server's own, on this port and under its attested TLS; else an object store's.
    pub attested: bool,
    /// Where the parts that were asked for go.
    pub urls: Vec<UploadPart>,
    /// The parts that arrived, when they were asked for.
    pub received: Vec<ReceivedPart>,
}

/// Where a part goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadPart {
    /// Which part, counted from 0.
    pub part: u32,
    /// Where it goes with one `PUT`, for a while.
    pub url: String,
}

/// A part that arrived and is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceivedPart {
    /// Which part, counted from 0.
    pub part: u32,
    /// How long it is, in bytes.
    pub size: u64,
}

/// The answer to [`CompleteUpload`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CompleteUploadResponse)]
pub struct UploadCompleted {
    /// Always true: to complete an upload twice changes nothing.
    pub success: bool,
}

/// A file in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileEntry {
    /// The file.
    pub file_id: FileId,
    /// The display name; an output's is its task's id.
    pub file_name: FileName,
    /// SHA-256 of the plaintext.
    pub sha256: Digest,
    /// Size of the plaintext, in bytes.
    pub file_size: u64,
    /// How the plaintext is sealed.
    pub format: Format,
    /// When it was declared, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub created_ms: UnixMillis,
    /// Whether its upload is not complete yet.
    pub incomplete: bool,
    /// The task that wrote it.
    pub task_id: Option<TaskId>,
}

/// One page of the caller's files.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListFileResponse)]
pub struct FileList {
    /// Newest first.
    pub list: Vec<FileId>,
    /// The same files described, when that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
    /// Present when there are more: the next page's `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// How much a user keeps and may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UsageResponse)]
pub struct UsageInfo {
    /// Files, with those that tasks made for the user and with uploads that have not ended.
    pub files: u64,
    /// The sum of their sizes before encryption, in bytes.
    pub bytes: u64,
    /// How many files there may be; absent when there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_limit: Option<u64>,
    /// How many bytes there may be; absent when there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_limit: Option<u64>,
}

/// Asks for the key by which the caller signs approvals.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetUserKeyRequest)]
#[serde(deny_unknown_fields)]
pub struct GetUserKey {
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Registers, changes or removes the key by which the caller signs approvals. Both the key that goes and the key that
/// comes sign the change (`docs/consent.md`), so that whoever has only the token can't put another in its place.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SetUserKeyRequest)]
#[serde(deny_unknown_fields)]
pub struct SetUserKey {
    /// The Ed25519 public key: 32 bytes. It is removed when this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Base64>,
    /// Whether a token alone approves nothing in the caller's name from now on.
    #[serde(default)]
    pub required: bool,
    /// One more than the number of the change before; the first is 1.
    pub version: u64,
    /// The signature by the new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Base64>,
    /// The signature by the key that was registered until now, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_signature: Option<Base64>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// The key by which the caller signs approvals.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = UserKeyResponse)]
pub struct FoundUserKey {
    /// The key, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ApprovalKey>,
    /// How often it was changed.
    pub version: u64,
}

/// The answer to [`SetPolicy`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SetPolicyResponse)]
pub struct PolicySet {
    /// Always true.
    pub success: bool,
}
