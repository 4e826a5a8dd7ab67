//! Numbers as users and as glibc write them.

/// Decimal digits, then `K`, `M` or `G` (of 1024) or nothing. `None` for anything else, and past `usize::MAX`.
pub(super) fn size(text: &[u8]) -> Option<usize> {
    let (digits, shift) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 10),
        (b'm' | b'M', digits) => (digits, 20),
        (b'g' | b'G', digits) => (digits, 30),
        _ => (text, 0),
    };
    in_base(digits, 10)?.checked_mul(1 << shift)
}

/// As glibc's `strtoul` with base 0: `0x` for hexadecimal, `0` for octal, else decimal. Nothing may follow.
pub(super) fn strtoul(text: &[u8]) -> Option<usize> {
    match text {
        [b'0', b'x' | b'X', digits @ ..] => in_base(digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => in_base(digits, 8),
        _ => in_base(text, 10),
    }
}

fn in_base(digits: &[u8], base: u32) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_usize, |value, &byte| {
        let digit = char::from(byte).to_digit(base)?;
        value.checked_mul(base as usize)?.checked_add(digit as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    #[test]
    fn suffixes_bases_and_bounds() {
        for (text, expected) in [
            ("0", Some(0)),
            ("128k", Some(128 << 10)),
            ("1M", Some(1 << 20)),
            ("2G", Some(2 << 30)),
            ("18446744073709551615", Some(usize::MAX)),
            ("18446744073709551616", None),
            ("18446744073709551615K", None),
            ("", None),
            ("K", None),
            ("-1", None),
            ("1 ", None),
            ("1.5M", None),
        ] {
            assert_eq!(size(text.as_bytes()), expected, "{text}");
        }
        for (text, expected) in
            [("0x10", Some(16)), ("010", Some(8)), ("0", Some(0)), ("09", None), ("0x", None), ("9", Some(9))]
        {
            assert_eq!(strtoul(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any::<usize>()) {
            prop_assert_eq!(size(format!("{value}").as_bytes()), Some(value));
            prop_assert_eq!(strtoul(format!("{value}").as_bytes()), Some(value));
            prop_assert_eq!(strtoul(format!("{value:#x}").as_bytes()), Some(value));
            prop_assert_eq!(strtoul(format!("0{value:o}").as_bytes()), Some(value));
        }

        #[test]
        fn any_text_is_taken_or_refused(text in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = size(&text);
            let _ = strtoul(&text);
        }
    }
}
