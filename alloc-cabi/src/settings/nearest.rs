//! The known name that is most like a mistyped one.

/// Names are compared up to this many bytes; all known ones are shorter.
const LONGEST: usize = 32;

/// The name in `names` that the fewest insertions, deletions and replacements of bytes make of `typed`; the first of
/// several. Letters match whatever their case.
pub(super) fn nearest(typed: &[u8], names: impl Iterator<Item = &'static str>) -> &'static str {
    names.min_by_key(|name| distance(typed, name.as_bytes())).unwrap_or("")
}

/// Whether a name looks like a mistyped one of `names`, rather than somebody else's.
pub(super) fn is_near(typed: &[u8], mut names: impl Iterator<Item = &'static str>) -> bool {
    const MISTAKES: usize = 2;
    names.any(|name| distance(typed, name.as_bytes()) <= MISTAKES)
}

/// The edit distance of Vladimir Levenshtein, by the row method of Wagner and Fischer.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut row = [0; LONGEST + 1];
    for (at, slot) in row.iter_mut().enumerate() {
        *slot = at;
    }
    let columns = to.len().min(LONGEST);
    for (line, byte) in from.iter().take(LONGEST).enumerate() {
        // `left` is the new row's entry before the present one, `corner` the old row's.
        let mut corner = line;
        let mut left = line + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (slot, other) in row.iter_mut().skip(1).zip(to) {
            let replaced = corner + usize::from(!byte.eq_ignore_ascii_case(other));
            corner = *slot;
            left = replaced.min(corner + 1).min(left + 1);
            *slot = left;
        }
    }
    row.get(columns).copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn known_distances() {
        for (from, to, expected) in
            [("", "", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3), ("Arena", "arena", 0)]
        {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), expected, "{from} {to}");
        }
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(
            a in proptest::collection::vec(b'a'..b'e', 0..12),
            b in proptest::collection::vec(b'a'..b'e', 0..12),
            c in proptest::collection::vec(b'a'..b'e', 0..12),
        ) {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
            prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c));
        }

        #[test]
        fn one_change_away_from_a_name_finds_it(
            index in 0..super::super::keys::CONF_KEYS.len(), at in 0_usize..32, byte in any::<u8>(),
        ) {
            let name = super::super::keys::CONF_KEYS[index];
            let mut typed: Vec<u8> = name.bytes().collect();
            typed.insert(at.min(typed.len()), byte);
            prop_assert_eq!(nearest(&typed, super::super::keys::CONF_KEYS.into_iter()), name);
        }
    }
}
