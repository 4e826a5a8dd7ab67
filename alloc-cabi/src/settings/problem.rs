//! What can be wrong with a setting, as one line.

use alloc_core::line::Line;
use alloc_trace::Misread;
use alloc_trace::settings::{KEYS, MODES, mode_word};

use super::Choice;
use super::keys::{CONF_KEYS, VARIABLES};
use super::nearest::nearest;

/// A mistake in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem<'e> {
    /// A variable with our prefix that nobody reads.
    UnknownVariable(&'e [u8]),
    /// A key of `STRATA_CONF` that nobody reads.
    UnknownKey(&'e [u8]),
    /// A part of `STRATA_CONF` without a colon.
    NoValue(&'e [u8]),
    /// A strategy that does not exist.
    UnknownStrategy(&'e [u8]),
    /// A value that `alloc_trace` cannot read.
    Misread(&'e [u8], &'e [u8], Misread),
    /// A value that cannot be read; the last part says what is wanted.
    BadValue(&'e [u8], &'e [u8], &'static str),
}

impl Problem<'_> {
    /// What is wrong, where, and what would be right.
    pub(crate) fn line(self) -> Line {
        let line = Line::new().text("strata: ");
        match self {
            Self::UnknownVariable(name) => bytes(line, name)
                .text(": no such variable; did you mean ")
                .text(nearest(name, VARIABLES.into_iter()))
                .text("?"),
            Self::UnknownKey(key) => bytes(line.text("STRATA_CONF: no key '"), key)
                .text("'; did you mean '")
                .text(nearest(key, CONF_KEYS.into_iter()))
                .text("'?"),
            Self::NoValue(part) => {
                bytes(line.text("STRATA_CONF: '"), part).text("' has no value; write key:value,key:value")
            }
            Self::UnknownStrategy(name) => bytes(line.text("no strategy '"), name)
                .text("'; did you mean '")
                .text(nearest(name, Choice::ALL.into_iter().map(Choice::name)))
                .text("'? The program goes on with its own allocator"),
            Self::Misread(name, value, misread) => {
                let line = bytes(bytes(line, name).text(": '"), value).text("' ");
                match misread {
                    Misread::UnknownMode => {
                        let word = mode_word(value).map_or(value, |(word, _)| word);
                        suggest(
                            line.text("names no mode"),
                            nearest(word, MODES.into_iter().map(|(name, _)| name)),
                        )
                    }
                    Misread::UnknownKey => suggest(line.text("has an unknown key"), nearest_key(value)),
                    other => line.text(other.as_str()),
                }
            }
            Self::BadValue(name, value, wanted) => {
                bytes(bytes(line, name).text(": '"), value).text("' is not ").text(wanted)
            }
        }
    }
}

fn suggest(line: Line, name: &str) -> Line {
    line.text("; did you mean '").text(name).text("'?")
}

/// The known key that is most like the first unknown one behind a place.
fn nearest_key(value: &[u8]) -> &'static str {
    let key = |part: &'_ [u8]| part.iter().position(|&byte| byte == b'=').unwrap_or(part.len());
    let is_known = |part: &[u8]| KEYS.iter().any(|known| part.get(..key(part)) == Some(known.as_bytes()));
    let unknown = value.split(|&byte| byte == b',').skip(1).find(|part| !is_known(part)).unwrap_or(value);
    nearest(unknown.get(..key(unknown)).unwrap_or(unknown), KEYS.into_iter())
}

/// Text of the user's, cut to what a line has room for.
fn bytes(line: Line, text: &[u8]) -> Line {
    const ROOM: usize = 64;
    let (shown, cut) = match text.get(..ROOM) {
        Some(start) => (start, true),
        None => (text, false),
    };
    let mut line = line;
    for chunk in shown.utf8_chunks() {
        line = line.text(chunk.valid());
        if !chunk.invalid().is_empty() {
            line = line.text("?");
        }
    }
    if cut { line.text("...") } else { line }
}
