//! Text to a file descriptor, from a buffer on the stack.

use core::ffi::c_int;
use core::fmt;

/// Writes to a file descriptor, buffered, without allocating. What the descriptor does not take is an error.
#[derive(Debug)]
pub(super) struct FdText {
    fd: c_int,
    bytes: [u8; 512],
    length: usize,
}

impl FdText {
    pub(super) const fn new(fd: c_int) -> Self {
        Self { fd, bytes: [0; 512], length: 0 }
    }

    pub(super) fn flush(&mut self) -> fmt::Result {
        let mut rest = &self.bytes[..core::mem::take(&mut self.length)];
        while !rest.is_empty() {
            // SAFETY: the pointer and length are those of one slice.
            let written = unsafe { libc::write(self.fd, rest.as_ptr().cast(), rest.len()) };
            let Ok(written @ 1..) = usize::try_from(written) else { return Err(fmt::Error) };
            rest = &rest[written..];
        }
        Ok(())
    }
}

impl fmt::Write for FdText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.length == self.bytes.len() {
                self.flush()?;
            }
            self.bytes[self.length] = byte;
            self.length += 1;
        }
        Ok(())
    }
}
