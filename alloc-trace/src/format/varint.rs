//! Numbers in as few bytes as they need: seven bits in each, the lowest first, the top bit set in all but the last.

#![forbid(unsafe_code)]

/// The most bytes that a number takes.
pub const LONGEST: usize = 10;

/// Hands the number's bytes to `put`, one by one.
#[inline(always)]
pub fn put(mut value: u64, mut put: impl FnMut(u8)) {
    // Most are short: those of up to three bytes without a loop.
    for _ in 0..2 {
        if value < 0x80 {
            return put(value as u8);
        }
        put(value as u8 | 0x80);
        value >>= 7;
    }
    while value >= 0x80 {
        put(value as u8 | 0x80);
        value >>= 7;
    }
    put(value as u8);
}

/// Takes a number from the front of `bytes`. `None` where they end before it does, or it does not fit 64 bits.
pub fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(LONGEST) {
        let bits = u64::from(byte & 0x7f);
        if index == LONGEST - 1 && bits > 1 {
            return None;
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            *bytes = bytes.get(index + 1..)?;
            return Some(value);
        }
    }
    None
}

/// A difference as a number that is small where the difference is, whatever its sign.
#[inline]
#[must_use]
pub const fn zigzag(difference: i64) -> u64 {
    (difference << 1 ^ difference >> 63) as u64
}

/// What [`zigzag`] made a number of.
#[inline]
#[must_use]
pub const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn numbers_come_back(values: Vec<u64>, differences: Vec<i64>) {
            let mut bytes = Vec::new();
            for value in values.iter().copied().chain(differences.iter().map(|&d| zigzag(d))) {
                put(value, |byte| bytes.push(byte));
            }
            let mut rest = bytes.as_slice();
            for value in values {
                prop_assert_eq!(take(&mut rest), Some(value));
            }
            for difference in differences {
                prop_assert_eq!(take(&mut rest).map(unzigzag), Some(difference));
            }
            prop_assert!(rest.is_empty() && take(&mut rest).is_none());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut rest = bytes.as_slice();
            while take(&mut rest).is_some() {}
        }
    }
}
