//! One line of text in a fixed buffer: what an allocator may use to speak.
//!
//! No allocation, no `core::fmt`, no lock, `errno` kept. Text past the buffer's end is cut; the line end is not.

// `core`'s also in loom builds: it is no protocol, must be a `static`, and `sync` stands on this module.
use core::sync::atomic::{AtomicPtr, Ordering};

/// Bytes that a line can hold, its line end included.
pub const LINE_BYTES: usize = 256;

/// A line under construction.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; LINE_BYTES], length: 0 }
    }

    /// Appends text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        // One byte is kept for the line end.
        let room = LINE_BYTES - 1 - self.length;
        for (slot, byte) in self.bytes[self.length..].iter_mut().zip(text.bytes().take(room)) {
            *slot = byte;
            self.length += 1;
        }
        self
    }

    /// Appends a number in base 10.
    #[must_use]
    pub fn decimal(self, value: u64) -> Self {
        self.digits(value, 10)
    }

    /// Appends an address in the form `0x7f00`.
    #[must_use]
    pub fn address(self, address: usize) -> Self {
        self.text("0x").digits(address as u64, 16)
    }

    fn digits(self, mut value: u64, base: u64) -> Self {
        let mut digits = [0_u8; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b"0123456789abcdef"[(value % base) as usize];
            value /= base;
            if value == 0 {
                break;
            }
        }
        match core::str::from_utf8(&digits[first..]) {
            Ok(text) => self.text(text),
            Err(_) => self,
        }
    }

    /// The bytes so far, without a line end.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Ends the line and writes it where diagnostics go: standard error, or the place set by [`set_sink`].
    pub fn emit(mut self) {
        self.bytes[self.length] = b'\n';
        sink(&self.bytes[..=self.length]);
    }
}

/// Where lines go when not to standard error. A plain function pointer, since it may be called from any allocation.
pub type Sink = fn(&[u8]);

static SINK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Sends all later lines to `sink`, which must not allocate from a heap that may be speaking. On targets without the
/// `libc` feature nothing is written until this was called.
pub fn set_sink(sink: Sink) {
    SINK.store(sink as *mut (), Ordering::Release);
}

fn sink(line: &[u8]) {
    let chosen = SINK.load(Ordering::Acquire);
    if chosen.is_null() {
        standard_error(line);
    } else {
        // SAFETY: the only non-null value ever stored is a `Sink`, a function pointer of this exact type.
        let chosen = unsafe { core::mem::transmute::<*mut (), Sink>(chosen) };
        chosen(line);
    }
}

#[cfg(feature = "libc")]
fn standard_error(mut line: &[u8]) {
    let _errno = crate::errno::KeepErrno::new();
    while !line.is_empty() {
        // SAFETY: the pointer and length are those of one slice.
        let written = unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
        // A closed or full descriptor loses the text, never the program.
        let Ok(written @ 1..) = usize::try_from(written) else { break };
        line = &line[written..];
    }
}

#[cfg(not(feature = "libc"))]
fn standard_error(_line: &[u8]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_text_and_numbers() {
        let line = Line::new().text("n=").decimal(0).text(" m=").decimal(u64::MAX).text(" ").address(0x7f00);
        assert_eq!(line.as_bytes(), b"n=0 m=18446744073709551615 0x7f00");
    }

    #[test]
    fn cuts_at_the_end_and_keeps_room_for_the_line_end() {
        let mut line = Line::new();
        for _ in 0..100 {
            line = line.text("0123456789");
        }
        assert_eq!(line.as_bytes().len(), LINE_BYTES - 1);
        assert!(line.decimal(5).as_bytes().ends_with(b"234"));
    }
}
