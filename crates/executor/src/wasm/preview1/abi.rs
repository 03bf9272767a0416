//! Numbers, records and addresses as preview 1 has them (WASI `snapshot/preview1/docs.md`).

use super::super::bindings::wasi::filesystem::types::ErrorCode;
use super::super::fault::{FileFault, StreamFault};
use super::super::tree::Node;
use crate::Failure;

/// How a function refuses.
pub(super) enum Refusal {
    /// With a number that 0.2 has no code for.
    Errno(u16),
    /// As an operation on a file fails.
    Fault(FileFault),
}

impl<F: Into<FileFault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<StreamFault> for Refusal {
    fn from(fault: StreamFault) -> Self {
        Self::Fault(match fault {
            StreamFault::Closed => ErrorCode::Pipe.into(),
            StreamFault::Code(code) => code.into(),
            StreamFault::End(error) => FileFault::End(error),
        })
    }
}

/// Too many descriptors.
pub(super) const MFILE: Refusal = Refusal::Errno(33);

/// The number of a code.
pub(super) fn number(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::Access => 2,
        ErrorCode::WouldBlock => 6,
        ErrorCode::Already => 7,
        ErrorCode::BadDescriptor => 8,
        ErrorCode::Busy => 10,
        ErrorCode::Deadlock => 16,
        ErrorCode::Quota => 19,
        ErrorCode::Exist => 20,
        ErrorCode::FileTooLarge => 22,
        ErrorCode::IllegalByteSequence => 25,
        ErrorCode::InProgress => 26,
        ErrorCode::Interrupted => 27,
        ErrorCode::Invalid => 28,
        ErrorCode::Io => 29,
        ErrorCode::IsDirectory => 31,
        ErrorCode::Loop => 32,
        ErrorCode::TooManyLinks => 34,
        ErrorCode::MessageSize => 35,
        ErrorCode::NameTooLong => 37,
        ErrorCode::NoDevice => 43,
        ErrorCode::NoEntry => 44,
        ErrorCode::NoLock => 46,
        ErrorCode::InsufficientMemory => 48,
        ErrorCode::InsufficientSpace => 51,
        ErrorCode::NotDirectory => 54,
        ErrorCode::NotEmpty => 55,
        ErrorCode::NotRecoverable => 56,
        ErrorCode::Unsupported => 58,
        ErrorCode::NoTty => 59,
        ErrorCode::NoSuchDevice => 60,
        ErrorCode::Overflow => 61,
        ErrorCode::NotPermitted => 63,
        ErrorCode::Pipe => 64,
        ErrorCode::ReadOnly => 69,
        ErrorCode::InvalidSeek => 70,
        ErrorCode::TextFileBusy => 74,
        ErrorCode::CrossDevice => 75,
    }
}

/// The kind of a file, as records have it.
pub(super) fn filetype(node: Node) -> u8 {
    if node.is_directory() { 3 } else { 4 }
}

/// The guest's memory; an address outside of it ends the run, as in the guest's own code.
pub(super) struct Guest<'a>(pub(super) &'a mut [u8]);

impl Guest<'_> {
    pub(super) fn bytes(&self, at: u32, length: u32) -> Result<&[u8], Refusal> {
        let start = at as usize;
        self.0.get(start..start.saturating_add(length as usize)).ok_or_else(outside)
    }

    pub(super) fn bytes_mut(&mut self, at: u32, length: u32) -> Result<&mut [u8], Refusal> {
        let start = at as usize;
        self.0.get_mut(start..start.saturating_add(length as usize)).ok_or_else(outside)
    }

    pub(super) fn text(&self, at: u32, length: u32) -> Result<&str, Refusal> {
        std::str::from_utf8(self.bytes(at, length)?).map_err(|_| ErrorCode::IllegalByteSequence.into())
    }

    pub(super) fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), Refusal> {
        let length = u32::try_from(bytes.len()).map_err(|_| outside())?;
        self.bytes_mut(at, length)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn put_u32(&mut self, at: u32, value: u32) -> Result<(), Refusal> {
        self.put(at, &value.to_le_bytes())
    }

    pub(super) fn put_u64(&mut self, at: u32, value: u64) -> Result<(), Refusal> {
        self.put(at, &value.to_le_bytes())
    }

    /// Address and length of one of the pieces that a list at `list` names.
    pub(super) fn piece(&self, list: u32, index: u32) -> Result<(u32, u32), Refusal> {
        let record = self.array(list, index, 8)?;
        Ok((u32_of(record, 0), u32_of(record, 4)))
    }

    /// One record of an array.
    pub(super) fn array(&self, list: u32, index: u32, size: u32) -> Result<&[u8], Refusal> {
        let at = index.checked_mul(size).and_then(|offset| list.checked_add(offset)).ok_or_else(outside)?;
        self.bytes(at, size)
    }
}

/// Numbers within a record, whose length the caller has made sure of.
pub(super) fn u32_of(record: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|byte| record[at + byte]))
}

/// See [`u32_of`].
pub(super) fn u64_of(record: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|byte| record[at + byte]))
}

fn outside() -> Refusal {
    Failure::function("the function trapped: it passed an address outside its memory").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_outside_end_the_run() {
        let mut memory = [7; 16];
        let mut guest = Guest(&mut memory);
        assert!(guest.bytes(16, 0).is_ok() && guest.put_u64(8, 1).is_ok());
        let ends = |refusal| matches!(refusal, Refusal::Fault(FileFault::End(_)));
        for (at, length) in [(16, 1), (17, 0), (0, 17), (u32::MAX, u32::MAX)] {
            assert!(guest.bytes(at, length).is_err_and(ends), "{at} {length}");
        }
        assert!(guest.array(8, u32::MAX, 48).is_err_and(ends));
        assert!(guest.piece(u32::MAX, 1).is_err_and(ends));
        assert!(guest.text(0, 0).is_ok_and(str::is_empty));
    }
}
