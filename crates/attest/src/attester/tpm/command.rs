//! A command and its answer, as bytes (TPM 2.0 part 1, section 18; part 3).

use crate::refusal::Fault;
use crate::tpm::wire::{Reader, Writer};

/// `TPM_ST_NO_SESSIONS` and `TPM_ST_SESSIONS`.
const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;

/// Length of tag, size and code, in bytes.
pub(super) const HEAD_BYTES: usize = 10;

/// What a TPM is asked to do: its name, and its number (part 2, section 6.5.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    pub(super) name: &'static str,
    number: u32,
    /// Whether its answer begins with a handle.
    answers_handle: bool,
}

pub(super) mod code {
    use super::Code;

    const fn code(name: &'static str, number: u32, answers_handle: bool) -> Code {
        Code { name, number, answers_handle }
    }

    pub(in super::super) const CREATE_PRIMARY: Code = code("TPM2_CreatePrimary", 0x131, true);
    pub(in super::super) const STARTUP: Code = code("TPM2_Startup", 0x144, false);
    pub(in super::super) const ACTIVATE_CREDENTIAL: Code = code("TPM2_ActivateCredential", 0x147, false);
    pub(in super::super) const POLICY_SECRET: Code = code("TPM2_PolicySecret", 0x151, false);
    pub(in super::super) const CREATE: Code = code("TPM2_Create", 0x153, false);
    pub(in super::super) const LOAD: Code = code("TPM2_Load", 0x157, true);
    pub(in super::super) const QUOTE: Code = code("TPM2_Quote", 0x158, false);
    pub(in super::super) const UNSEAL: Code = code("TPM2_Unseal", 0x15e, false);
    pub(in super::super) const FLUSH_CONTEXT: Code = code("TPM2_FlushContext", 0x165, false);
    pub(in super::super) const START_AUTH_SESSION: Code = code("TPM2_StartAuthSession", 0x176, true);
    pub(in super::super) const PCR_READ: Code = code("TPM2_PCR_Read", 0x17e, false);
    pub(in super::super) const POLICY_PCR: Code = code("TPM2_PolicyPCR", 0x17f, false);
    pub(in super::super) const PCR_EXTEND: Code = code("TPM2_PCR_Extend", 0x182, false);
    pub(in super::super) const POLICY_GET_DIGEST: Code = code("TPM2_PolicyGetDigest", 0x189, false);
}

/// Handles that always exist (part 2, section 7.4).
pub(super) mod handle {
    pub(in super::super) const OWNER: u32 = 0x4000_0001;
    pub(in super::super) const NULL: u32 = 0x4000_0007;
    pub(in super::super) const ENDORSEMENT: u32 = 0x4000_000b;
    /// The session of an authorisation by password, which is empty here.
    pub(super) const PASSWORD: u32 = 0x4000_0009;
}

/// A command on its way.
pub(super) struct Command {
    code: Code,
    handles: Vec<u32>,
    sessions: Vec<u32>,
    parameters: Vec<u8>,
}

impl Command {
    pub(super) fn new(code: Code) -> Self {
        Command { code, handles: Vec::new(), sessions: Vec::new(), parameters: Vec::new() }
    }

    /// What it is about.
    pub(super) fn about(mut self, handle: u32) -> Self {
        self.handles.push(handle);
        self
    }

    /// What it is about, authorised by the empty password.
    pub(super) fn owner(self, owned: u32) -> Self {
        self.by(owned, handle::PASSWORD)
    }

    /// What it is about, authorised by a session that ends with the command.
    pub(super) fn by(mut self, owned: u32, session: u32) -> Self {
        self.handles.push(owned);
        self.sessions.push(session);
        self
    }

    pub(super) fn parameters(mut self, parameters: Vec<u8>) -> Self {
        self.parameters = parameters;
        self
    }

    pub(super) fn name(&self) -> &'static str {
        self.code.name
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body: Vec<u8> = self.handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
        if !self.sessions.is_empty() {
            let sessions: Vec<u8> = self.sessions.iter().flat_map(|session| authorisation(*session)).collect();
            body.extend_from_slice(&size(sessions.len()).to_be_bytes());
            body.extend_from_slice(&sessions);
        }
        body.extend_from_slice(&self.parameters);
        let tag = if self.sessions.is_empty() { NO_SESSIONS } else { SESSIONS };
        Writer::default().u16(tag).u32(size(HEAD_BYTES + body.len())).u32(self.code.number).raw(&body).finish()
    }

    /// Reads what a TPM answered, whose code was success.
    pub(super) fn read_answer(&self, answer: &[u8]) -> Result<Answer, Fault> {
        let mut reader = Reader::new(answer);
        let tag = reader.u16()?;
        reader.take(HEAD_BYTES - 2)?;
        let handle = if self.code.answers_handle { reader.u32()? } else { handle::NULL };
        if tag == NO_SESSIONS {
            return Ok(Answer { handle, parameters: reader.rest().to_vec() });
        }
        let length = usize::try_from(reader.u32()?).map_err(|_| Fault::Truncated)?;
        Ok(Answer { handle, parameters: reader.take(length)?.to_vec() })
    }
}

/// `TPMS_AUTH_COMMAND`: no nonce, no attributes, no HMAC.
fn authorisation(session: u32) -> Vec<u8> {
    Writer::default().u32(session).sized(&[]).u8(0).sized(&[]).finish()
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("commands are short")
}

/// What a TPM answered.
pub(super) struct Answer {
    pub(super) handle: u32,
    pub(super) parameters: Vec<u8>,
}
