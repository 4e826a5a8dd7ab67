//! Whether bytes are a JSON document that `serde_json` makes a tree of.

#![forbid(unsafe_code)]

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Reads all of `bytes` as one document, by the path that a tree would be made on, and keeps nothing. What passes here
/// can be parsed into a tree later: `IgnoredAny` would let through what that refuses (text that is not UTF-8, numbers
/// out of range, documents nested too deep).
pub(super) fn json(bytes: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<Visited>(bytes).map(|Visited| ())
}

/// Whether the first byte that is no blank begins an object or an array.
pub(super) fn is_structured(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A value that was read and dropped.
struct Visited;

impl<'de> Deserialize<'de> for Visited {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Visited, D::Error> {
        input.deserialize_any(Visited)
    }
}

impl<'de> Visitor<'de> for Visited {
    type Value = Visited;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Visited, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Visited, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Visited, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Visited, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Visited, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Visited, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Visited, A::Error> {
        while let Some(Visited) = items.next_element()? {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Visited, A::Error> {
        while let Some((Visited, Visited)) = members.next_entry()? {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_yes_to_what_makes_a_tree_and_no_to_the_rest() {
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
        let documents: [&[u8]; 16] = [
            b"{}",
            b" [1, -1, 1.5, 1e308, null, true, \"\\u00e9\\n\", {\"a\": {}}] ",
            b"7",
            b"\"text\"",
            b"",
            b"  ",
            b"{",
            b"[1,]",
            b"{\"a\"}",
            b"{1: 2}",
            b"[] []",
            b"[1e999]",
            b"[\"\xFF\"]",
            b"[\"\\ud800\"]",
            &deep(127),
            &deep(128),
        ];
        for document in documents {
            let tree = serde_json::from_slice::<serde_json::Value>(document);
            assert_eq!(json(document).is_ok(), tree.is_ok(), "{}", document.escape_ascii());
        }
    }
}
