//! What a program printed, in a few words: its length and a 64-bit digest (FNV-1a, by Fowler, Noll and Vo).

#![forbid(unsafe_code)]

use std::io::{self, Read};

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// A digest of bytes that came one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    bytes: u64,
    value: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { bytes: 0, value: BASIS }
    }
}

impl Digest {
    /// Of all that a stream gives, read to its end.
    pub(super) fn of(mut stream: impl Read) -> io::Result<Self> {
        let mut digest = Self::default();
        let mut part = vec![0; 1 << 16];
        loop {
            match stream.read(&mut part) {
                Ok(0) => return Ok(digest),
                Ok(got) => digest.add(&part[..got]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.value =
            bytes.iter().fold(self.value, |value, &byte| (value ^ u64::from(byte)).wrapping_mul(PRIME));
    }

    /// The digest's value with one more text at the end.
    pub(super) fn with(mut self, text: &str) -> u64 {
        self.add(text.as_bytes());
        self.value
    }

    /// `1 byte`, `20 bytes`.
    pub(super) fn size(&self) -> String {
        format!("{} byte{}", self.bytes, if self.bytes == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        assert_eq!(Digest::default().with(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Digest::of(&b"a"[..]).unwrap().with(""), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Digest::of(&b"foo"[..]).unwrap().with("bar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn how_it_came_in_parts_makes_no_difference() {
        let long = vec![7; 200_000];
        let whole = Digest::of(&long[..]).unwrap();
        assert_eq!(Digest::of(long[..70_001].chain(&long[70_001..])).unwrap(), whole);
        assert_eq!(
            (whole.size().as_str(), Digest::of(&b"x"[..]).unwrap().size().as_str()),
            ("200000 bytes", "1 byte")
        );
    }
}
