//! An input for readers that keep a record in memory: it gives no more than there is room for.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::InputStream;

/// Gives bytes until there is no [`Room`] left; then reading fails with [`io::ErrorKind::FileTooLarge`].
#[derive(Debug)]
pub struct BoundedStream {
    stream: InputStream,
    room: Room,
}

/// How many bytes more a [`BoundedStream`] gives. Clones share one number.
#[derive(Clone, Debug)]
pub struct Room {
    left: Rc<Cell<usize>>,
    bytes: usize,
}

impl Room {
    /// Makes room again, for another record.
    pub fn refill(&self) {
        self.left.set(self.bytes);
    }
}

impl BoundedStream {
    /// A stream that gives `bytes` each time after its room was refilled.
    pub fn new(stream: InputStream, bytes: usize) -> (Self, Room) {
        let room = Room { left: Rc::new(Cell::new(bytes)), bytes };
        (Self { stream, room: room.clone() }, room)
    }
}

impl Read for BoundedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        let left = self.room.left.get().checked_sub(read).ok_or(io::ErrorKind::FileTooLarge)?;
        self.room.left.set(left);
        Ok(read)
    }
}
