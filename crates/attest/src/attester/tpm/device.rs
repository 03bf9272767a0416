//! A TPM that takes one command at a time.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::attester::tpm::TpmError;
use crate::attester::tpm::command::{Answer, Command, HEAD_BYTES, code, handle};
use crate::refusal::Fault;
use crate::tpm::PcrSelection;
use crate::tpm::wire::{Reader, Writer, algorithm};

/// Linux's device, whose resource manager keeps users of one TPM apart.
pub const TPM_DEVICE: &str = "/dev/tpmrm0";

/// The longest answer, in bytes: Linux's buffer.
const MAX_ANSWER_BYTES: usize = 4096;

/// `TPM_RC_RETRY`, `TPM_RC_TESTING` and `TPM_RC_YIELDED`: nothing was done, ask again.
const ASK_AGAIN: [u32; 3] = [0x922, 0x90a, 0x908];
/// How often, and how long after the last time: together four seconds, twice what a self-test takes.
const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);

/// A way to a TPM: its device, or a socket to one in software. Both carry the same bytes.
pub trait Transport: Read + Write + Send {}

impl<T: Read + Write + Send> Transport for T {}

/// A TPM 2.0.
pub struct TpmDevice(Mutex<Box<dyn Transport>>);

/// A key that is loaded while it is used.
pub(super) struct Loaded<'a> {
    device: &'a mut Box<dyn Transport>,
    pub(super) handle: u32,
    /// `TPMT_PUBLIC`.
    pub(super) public: Vec<u8>,
}

impl TpmDevice {
    /// Opens a device: [`TPM_DEVICE`].
    ///
    /// # Errors
    /// When there is none, or this user may not use it.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).open(path).map(Self::over)
    }

    /// A TPM at the other end of this.
    pub fn over(transport: impl Transport + 'static) -> Self {
        TpmDevice(Mutex::new(Box::new(transport)))
    }

    /// Starts a TPM that no firmware has started: one in software. One that runs stays as it is.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn start(&self) -> Result<(), TpmError> {
        /// `TPM_RC_INITIALIZE`.
        const RUNS: u32 = 0x100;
        match self.run(&Command::new(code::STARTUP).parameters(vec![0, 0])) {
            Ok(_) | Err(TpmError::Refused { code: RUNS, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The values of the selected PCRs, lowest first.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn pcr_values(&self, pcrs: PcrSelection) -> Result<Vec<[u8; 32]>, TpmError> {
        pcrs.iter().map(|pcr| self.pcr_value(pcr)).collect()
    }

    /// Measures something: the PCR becomes the SHA-256 of its value and `digest`.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn extend(&self, pcr: u8, digest: &[u8; 32]) -> Result<(), TpmError> {
        let parameters = Writer::default().u32(1).u16(algorithm::SHA256).raw(digest).finish();
        self.run(&Command::new(code::PCR_EXTEND).owner(u32::from(pcr)).parameters(parameters)).map(|_| ())
    }

    fn pcr_value(&self, pcr: u8) -> Result<[u8; 32], TpmError> {
        let selection = PcrSelection::new([pcr]).map_err(|_| Fault::Expected("a lasting PCR"))?;
        let answer = self.run(&Command::new(code::PCR_READ).parameters(selection.encode()))?;
        let mut reader = Reader::new(&answer.parameters);
        reader.take(4 + selection.encode().len())?;
        if reader.u32()? != 1 {
            return Err(Fault::Expected("one PCR").into());
        }
        Ok(reader.sized()?.try_into().map_err(|_| Fault::Expected("a SHA-256"))?)
    }

    fn run(&self, command: &Command) -> Result<Answer, TpmError> {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), command)
    }

    /// Makes a hierarchy's primary key of this `TPMT_PUBLIC`, uses it and unloads it. No other command comes between.
    pub(super) fn with_primary<T>(
        &self,
        hierarchy: u32,
        template: &[u8],
        using: impl FnOnce(&mut Loaded<'_>) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let mut device = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        primary(&mut device, hierarchy, template)?.used(using)
    }
}

fn primary<'a>(device: &'a mut Box<dyn Transport>, hierarchy: u32, template: &[u8]) -> Result<Loaded<'a>, TpmError> {
    let parameters = creation(&[], template);
    let answer = run(device, &Command::new(code::CREATE_PRIMARY).owner(hierarchy).parameters(parameters))?;
    let public = Reader::new(&answer.parameters).sized()?.to_vec();
    Ok(Loaded { device, handle: answer.handle, public })
}

impl Loaded<'_> {
    pub(super) fn run(&mut self, command: &Command) -> Result<Answer, TpmError> {
        run(self.device, command)
    }

    /// Starts a policy session (`TPM_SE_POLICY`), or one that only computes a policy (`TPM_SE_TRIAL`).
    pub(super) fn session(&mut self, kind: u8) -> Result<u32, TpmError> {
        let nonce: [u8; 32] = crypto::random::bytes();
        let parameters =
            Writer::default().sized(&nonce).sized(&[]).u8(kind).u16(algorithm::NULL).u16(algorithm::SHA256).finish();
        let command = Command::new(code::START_AUTH_SESSION).about(handle::NULL).about(handle::NULL);
        Ok(self.run(&command.parameters(parameters))?.handle)
    }

    /// Makes another primary key beside this one, uses it and unloads it.
    pub(super) fn with_primary<T>(
        &mut self,
        hierarchy: u32,
        template: &[u8],
        using: impl FnOnce(&mut Loaded<'_>) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        primary(self.device, hierarchy, template)?.used(using)
    }

    /// Loads an object under this key, uses it and unloads it.
    pub(super) fn with_object<T>(
        &mut self,
        private: &[u8],
        public: &[u8],
        using: impl FnOnce(&mut Loaded<'_>) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let parameters = Writer::default().sized(private).sized(public).finish();
        let answer = self.run(&Command::new(code::LOAD).owner(self.handle).parameters(parameters))?;
        Loaded { device: self.device, handle: answer.handle, public: public.to_vec() }.used(using)
    }

    /// Ends a session or unloads a key.
    pub(super) fn flush(&mut self, handle: u32) -> Result<(), TpmError> {
        let parameters = handle.to_be_bytes().to_vec();
        self.run(&Command::new(code::FLUSH_CONTEXT).parameters(parameters)).map(|_| ())
    }

    fn used<T>(mut self, using: impl FnOnce(&mut Self) -> Result<T, TpmError>) -> Result<T, TpmError> {
        let used = using(&mut self);
        let flushed = self.flush(self.handle);
        used.and_then(|used| flushed.map(|()| used))
    }
}

impl fmt::Debug for TpmDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TpmDevice")
    }
}

/// What is created: what it hides, its `TPMT_PUBLIC`, no outside data, no PCRs of its creation.
pub(super) fn creation(sensitive: &[u8], public: &[u8]) -> Vec<u8> {
    let sensitive = Writer::default().sized(&[]).sized(sensitive).finish();
    Writer::default().sized(&sensitive).sized(public).sized(&[]).u32(0).finish()
}

fn run(device: &mut Box<dyn Transport>, command: &Command) -> Result<Answer, TpmError> {
    let bytes = command.encode();
    for _ in 0..ATTEMPTS {
        let answer = exchange(device, &bytes)?;
        match Reader::new(&answer[6..]).u32()? {
            0 => return Ok(command.read_answer(&answer)?),
            code if ASK_AGAIN.contains(&code) => thread::sleep(PAUSE),
            code => return Err(TpmError::Refused { command: command.name(), code }),
        }
    }
    Err(TpmError::Busy)
}

/// One write and, from a device, one read; a socket may need more. The answer has a whole head.
fn exchange(device: &mut Box<dyn Transport>, command: &[u8]) -> Result<Vec<u8>, TpmError> {
    device.write_all(command).and_then(|()| device.flush()).map_err(TpmError::Io)?;
    let mut answer = vec![0; MAX_ANSWER_BYTES];
    let mut length = 0;
    loop {
        match device.read(&mut answer[length..]) {
            Ok(0) => return Err(Fault::Truncated.into()),
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(TpmError::Io(error)),
        }
        if length >= HEAD_BYTES {
            let size = usize::try_from(Reader::new(&answer[2..]).u32()?).map_err(|_| Fault::Truncated)?;
            match length.cmp(&size) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => break,
                std::cmp::Ordering::Greater => return Err(Fault::TrailingBytes.into()),
            }
        }
    }
    answer.truncate(length);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Gives one answer after the other, a piece at a time.
    struct Scripted {
        answers: VecDeque<Vec<u8>>,
        commands: usize,
    }

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(answer) = self.answers.front_mut() else { return Ok(0) };
            let piece = answer.len().min(7).min(buffer.len());
            buffer[..piece].copy_from_slice(&answer[..piece]);
            answer.drain(..piece);
            if answer.is_empty() {
                self.answers.pop_front();
            }
            Ok(piece)
        }
    }

    impl Write for Scripted {
        fn write(&mut self, command: &[u8]) -> io::Result<usize> {
            self.commands += 1;
            Ok(command.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(code: u32) -> Vec<u8> {
        Writer::default().u16(0x8001).u32(10).u32(code).finish()
    }

    fn started(answers: &[Vec<u8>]) -> Result<(), TpmError> {
        TpmDevice::over(Scripted { answers: answers.iter().cloned().collect(), commands: 0 }).start()
    }

    #[test]
    fn a_busy_tpm_is_asked_again() {
        let busy: Vec<_> = ASK_AGAIN.iter().map(|code| answer(*code)).chain([answer(0)]).collect();
        assert!(started(&busy).is_ok());
        let refused = started(&[answer(0x922), answer(0x101)]);
        assert!(matches!(refused, Err(TpmError::Refused { command: "TPM2_Startup", code: 0x101 })), "{refused:?}");
    }

    #[test]
    fn answers_that_are_none_are_refused() {
        let long = [answer(0), vec![0]].concat();
        for bytes in [vec![], vec![0x80, 1], answer(0)[..9].to_vec(), long] {
            let found = started(std::slice::from_ref(&bytes));
            assert!(matches!(found, Err(TpmError::Malformed(_))), "{bytes:02x?}: {found:?}");
        }
    }
}
