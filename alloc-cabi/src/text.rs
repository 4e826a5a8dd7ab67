//! Text of any length, from a buffer on the stack to whoever takes it. No allocation, no `core::fmt`.

use core::ffi::c_int;

/// Text on its way. What is left in the buffer goes out when it is dropped.
pub(crate) struct Text<'s> {
    sink: &'s mut dyn FnMut(&[u8]),
    bytes: [u8; 512],
    length: usize,
}

impl<'s> Text<'s> {
    pub(crate) const fn new(sink: &'s mut dyn FnMut(&[u8])) -> Self {
        Self { sink, bytes: [0; 512], length: 0 }
    }

    pub(crate) fn flush(&mut self) {
        let length = core::mem::take(&mut self.length);
        if let Some(bytes @ [_, ..]) = self.bytes.get(..length) {
            (self.sink)(bytes);
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        for &byte in bytes {
            if self.length == self.bytes.len() {
                self.flush();
            }
            if let Some(slot) = self.bytes.get_mut(self.length) {
                *slot = byte;
                self.length += 1;
            }
        }
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn decimal(&mut self, value: u64) -> &mut Self {
        self.digits::<10>(value, 1)
    }

    /// A number in at least `width` places, with spaces before it.
    pub(crate) fn padded(&mut self, value: u64, width: usize) -> &mut Self {
        let digits = value.checked_ilog10().unwrap_or(0) as usize + 1;
        for _ in digits..width {
            self.text(" ");
        }
        self.decimal(value)
    }

    /// An address, as `0x7F00`.
    pub(crate) fn address(&mut self, address: usize) -> &mut Self {
        self.text("0x").digits::<16>(address as u64, 1)
    }

    /// A byte in two places.
    pub(crate) fn hex_byte(&mut self, byte: u8) -> &mut Self {
        self.digits::<16>(u64::from(byte), 2)
    }

    fn digits<const BASE: u64>(&mut self, mut value: u64, least: usize) -> &mut Self {
        let mut digits = [b'0'; 20];
        let mut count = 0;
        for slot in digits.iter_mut().rev() {
            if value == 0 && count >= least {
                break;
            }
            #[expect(clippy::cast_possible_truncation, reason = "a digit")]
            let digit = (value % BASE) as u8;
            *slot = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
            value /= BASE;
            count += 1;
        }
        match digits.last_chunk::<20>().and_then(|all| all.get(20 - count..)) {
            Some(written) => self.bytes(written),
            None => self,
        }
    }
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Writes all of it to a file descriptor, or as much as that takes.
pub(crate) fn write_all(descriptor: c_int, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of one slice.
        let written = unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
        let Ok(written @ 1..) = usize::try_from(written) else { return };
        bytes = bytes.get(written..).unwrap_or(&[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn written(with: impl FnOnce(&mut Text<'_>)) -> Vec<u8> {
        let mut all = Vec::new();
        with(&mut Text::new(&mut |bytes| all.extend_from_slice(bytes)));
        all
    }

    #[test]
    fn numbers() {
        let text = written(|text| {
            text.decimal(0).text(" ").decimal(u64::MAX).text(" ").address(0xA0020).text(" ");
            text.hex_byte(0).hex_byte(10).hex_byte(255).padded(7, 4).padded(12345, 4);
        });
        assert_eq!(text, b"0 18446744073709551615 0xA0020 000AFF   712345");
    }

    #[test]
    fn any_length() {
        let text = written(|text| {
            for _ in 0..1000 {
                text.text("abc");
            }
        });
        assert_eq!(text, b"abc".repeat(1000));
    }
}
