//! Text in a fixed buffer. What does not fit is cut.

#![forbid(unsafe_code)]

use core::fmt;

/// Up to `N` bytes of text.
#[derive(Clone, Copy)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let room = self.bytes.get_mut(self.length..).unwrap_or(&mut []);
        let count = room.len().min(bytes.len());
        for (slot, &byte) in room.iter_mut().zip(bytes) {
            *slot = byte;
        }
        self.length += count;
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn decimal(&mut self, value: u64) -> &mut Self {
        self.digits(value, 10)
    }

    /// In the form `0x7f00`.
    pub(crate) fn address(&mut self, address: usize) -> &mut Self {
        self.text("0x").digits(address as u64, 16)
    }

    /// Two digits.
    pub(crate) fn hex_byte(&mut self, byte: u8) -> &mut Self {
        if byte < 16 {
            self.text("0");
        }
        self.digits(byte.into(), 16)
    }

    fn digits(&mut self, mut value: u64, base: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut first = digits.len();
        while let Some(slot) = first.checked_sub(1).and_then(|index| digits.get_mut(index)) {
            let digit = (value % base) as u8;
            *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            first -= 1;
            value /= base;
            if value == 0 {
                break;
            }
        }
        self.bytes(digits.get(first..).unwrap_or(&[]))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_and_cuts() {
        let mut text = Text::<32>::new();
        text.text("n=").decimal(0).text(" ").address(0x7f0a).hex_byte(9).decimal(u64::MAX);
        assert_eq!(text.as_bytes(), b"n=0 0x7f0a0918446744073709551615");
        assert_eq!(text.text("more").as_bytes().len(), 32);
    }
}
