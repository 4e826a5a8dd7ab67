//! What the environment asks for, from plain strings. Nothing here allocates or panics.
//!
//! | variable | value | meaning |
//! |---|---|---|
//! | `STRATA_TRACE` | `[MODE:]PLACE[,KEY=VALUE]...` | trace to a place |
//! | `STRATA_HISTORY` | a number | remember the last events in the process |
//! | `STRATA_MAP` | a place | draw the heap when the program ends |
//!
//! `MODE` is one of [`MODES`]; `exact` where none is named. A place is a path, in which `%p` is the process's number, or
//! `fd=N`, a descriptor that is open; a path with a colon in its first part starts with `./`. Keys: `rate` (mean bytes between
//! samples, with `K`, `M` or `G`; 512K, and every byte for `leaks`), `frames` (frames in a log's records, 0 to 128; 128). A
//! map's picture follows the path's end: `.svg`, `.html`, else text; `1` is text on standard error.

#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::fmt;

/// Bytes of a path at most, the zero byte at its end included.
pub const PATH_BYTES: usize = 1024;

/// How to trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every event, in binary.
    Exact,
    /// Counts by stack of every event.
    Aggregate,
    /// Counts by stack, estimated from samples.
    Sampled,
    /// Every event, as text.
    Log,
    /// What is live when the trace ends, by stack, as text.
    Leaks,
}

/// The modes, by name.
pub const MODES: [(&str, Mode); 5] = [
    ("aggregate", Mode::Aggregate),
    ("exact", Mode::Exact),
    ("leaks", Mode::Leaks),
    ("log", Mode::Log),
    ("sampled", Mode::Sampled),
];

/// The keys that may follow a place.
pub const KEYS: [&str; 2] = ["frames", "rate"];

/// Where something goes.
#[expect(
    clippy::large_enum_variant,
    reason = "settings lie on the stack once, where nothing can be allocated"
)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A descriptor of the program's.
    Fd(i32),
    /// A file.
    Path(PathText),
}

/// A path, with a zero byte at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PathText {
    bytes: [u8; PATH_BYTES],
    length: usize,
}

/// What `STRATA_TRACE` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// How.
    pub mode: Mode,
    /// Where to.
    pub target: Target,
    /// Mean bytes between samples.
    pub rate: u64,
    /// Frames in a log's records.
    pub frames: u32,
}

/// All that the variables ask for. The default asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The trace, if one is wanted.
    pub trace: Option<Trace>,
    /// Events to remember; 0 for none.
    pub history: usize,
    /// The map, if one is wanted.
    pub map: Option<Target>,
}

/// Why a value is not understood. Shows as one line, without the variable's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misread {
    /// No place is named.
    NoPlace,
    /// The path is too long.
    LongPath,
    /// What follows `fd=` is no descriptor.
    BadFd,
    /// A number is none, or too large.
    BadNumber,
    /// A key is not known.
    UnknownKey,
    /// A mode is not known.
    UnknownMode,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for Misread {}

impl Misread {
    /// What is wrong, and what would be right.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoPlace => "names no place: give a path, or fd=N",
            Self::LongPath => "names a path of more than 1023 bytes",
            Self::BadFd => "names no descriptor: fd= wants a number",
            Self::BadNumber => "has no number where one is wanted (K, M and G may follow it)",
            Self::UnknownKey => "has an unknown key: rate= and frames= are known",
            Self::UnknownMode => {
                "has an unknown mode: aggregate, exact, leaks, log and sampled are known (a path with a colon begins with ./)"
            }
        }
    }
}

impl PathText {
    /// The path for the C library.
    #[must_use]
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    /// The path's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    fn new(text: &[u8], process: u32) -> Result<Self, Misread> {
        let mut path = Self { bytes: [0; PATH_BYTES], length: 0 };
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if byte == b'%' && after.first() == Some(&b'p') {
                rest = after.get(1..).unwrap_or(&[]);
                let mut number = crate::text::Text::<10>::new();
                for &digit in number.decimal(process.into()).as_bytes() {
                    path.push(digit)?;
                }
            } else {
                path.push(byte)?;
            }
        }
        if path.length == 0 { Err(Misread::NoPlace) } else { Ok(path) }
    }

    fn push(&mut self, byte: u8) -> Result<(), Misread> {
        // The last byte stays zero.
        if self.length + 1 >= PATH_BYTES || byte == 0 {
            return Err(Misread::LongPath);
        }
        *self.bytes.get_mut(self.length).ok_or(Misread::LongPath)? = byte;
        self.length += 1;
        Ok(())
    }
}

impl fmt::Debug for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_c_str(), f)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fd(fd) => f.debug_tuple("Fd").field(fd).finish(),
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
        }
    }
}

impl Target {
    fn read(text: &[u8], process: u32) -> Result<Self, Misread> {
        match text.strip_prefix(b"fd=") {
            Some(number) => match number_of(number)? {
                fd @ 0..=0x7fff_ffff => Ok(Self::Fd(fd as i32)),
                _ => Err(Misread::BadFd),
            },
            None => Ok(Self::Path(PathText::new(text, process)?)),
        }
    }

    /// Whether it is a path that ends so.
    #[must_use]
    pub fn ends_with(&self, end: &str) -> bool {
        matches!(self, Self::Path(path) if path.as_bytes().ends_with(end.as_bytes()))
    }
}

impl Trace {
    /// Reads `STRATA_TRACE`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8], process: u32) -> Result<Self, Misread> {
        let mut parts = text.split(|&byte| byte == b',');
        let place = parts.next().unwrap_or(&[]);
        let (mode, place) = match mode_word(place) {
            None => (Mode::Exact, place),
            Some((word, place)) => {
                let known = MODES.iter().find(|(name, _)| name.as_bytes() == word);
                (known.ok_or(Misread::UnknownMode)?.1, place)
            }
        };
        let rate = if mode == Mode::Leaks { 0 } else { 512 << 10 };
        let mut trace = Self { mode, target: Target::read(place, process)?, rate, frames: 128 };
        for part in parts {
            if let Some(value) = part.strip_prefix(b"rate=") {
                trace.rate = number_of(value)?.max(1);
            } else if let Some(value) = part.strip_prefix(b"frames=") {
                trace.frames = number_of(value)?.min(128) as u32;
            } else {
                return Err(Misread::UnknownKey);
            }
        }
        Ok(trace)
    }
}

impl Settings {
    /// Takes a variable. Whether it is one of ours; empty values ask for nothing. `process` is the process's number.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn set(&mut self, name: &[u8], value: &[u8], process: u32) -> Result<bool, Misread> {
        let empty = value.is_empty();
        match name {
            b"STRATA_TRACE" => self.trace = if empty { None } else { Some(Trace::parse(value, process)?) },
            b"STRATA_HISTORY" => self.history = if empty { 0 } else { number_of(value)? as usize },
            b"STRATA_MAP" => {
                self.map = match value {
                    b"" | b"0" => None,
                    b"1" => Some(Target::Fd(2)),
                    place => Some(Target::read(place, process)?),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What stands before and after the colon that ends a mode's name.
#[must_use]
pub fn mode_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == b':')?;
    let (word, rest) = text.split_at_checked(at)?;
    word.iter().all(u8::is_ascii_lowercase).then_some((word, rest.get(1..)?))
}

/// A number with `K`, `M` or `G` behind it, or nothing.
fn number_of(text: &[u8]) -> Result<u64, Misread> {
    let (digits, shift) = match text.split_last() {
        Some((b'K' | b'k', digits)) => (digits, 10),
        Some((b'M' | b'm', digits)) => (digits, 20),
        Some((b'G' | b'g', digits)) => (digits, 30),
        _ => (text, 0),
    };
    if digits.is_empty() {
        return Err(Misread::BadNumber);
    }
    let number = digits.iter().try_fold(0_u64, |number, &digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add((digit - b'0').into()),
        _ => None,
    });
    number.and_then(|number| number.checked_mul(1 << shift)).ok_or(Misread::BadNumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(text: &str) -> Result<Trace, Misread> {
        Trace::parse(text.as_bytes(), 4711)
    }

    #[test]
    fn reads_what_is_documented() {
        let read = trace("out.strata").unwrap();
        assert_eq!((read.mode, read.rate, read.frames), (Mode::Exact, 512 << 10, 128));
        assert!(matches!(read.target, Target::Path(path) if path.as_bytes() == b"out.strata"));
        let read = trace("sampled:/tmp/%p-%p.strata,rate=64K").unwrap();
        assert_eq!((read.mode, read.rate), (Mode::Sampled, 64 << 10));
        assert!(matches!(read.target, Target::Path(path) if path.as_c_str() == c"/tmp/4711-4711.strata"));
        let read = trace("log:fd=2,frames=500").unwrap();
        assert_eq!((read.mode, read.target, read.frames), (Mode::Log, Target::Fd(2), 128));
        for path in ["./logs:x", "/a:b", "Logs:x"] {
            assert!(
                matches!(trace(path).unwrap().target, Target::Path(read) if read.as_bytes() == path.as_bytes())
            );
        }
        let read = trace("leaks:fd=2").unwrap();
        assert_eq!((read.mode, read.rate), (Mode::Leaks, 0));
        assert_eq!(trace("leaks:fd=2,rate=1K").unwrap().rate, 1024);
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(trace(""), Err(Misread::NoPlace));
        assert_eq!(trace("log:"), Err(Misread::NoPlace));
        assert_eq!(trace("logs:x"), Err(Misread::UnknownMode));
        assert_eq!(trace(":x"), Err(Misread::UnknownMode));
        assert_eq!(trace("fd=x"), Err(Misread::BadNumber));
        assert_eq!(trace("fd=5000000000"), Err(Misread::BadFd));
        assert_eq!(trace("x,rate="), Err(Misread::BadNumber));
        assert_eq!(trace("x,rate=99999999999999999999"), Err(Misread::BadNumber));
        assert_eq!(trace("x,depth=3"), Err(Misread::UnknownKey));
        assert_eq!(Trace::parse(&[b'x'; 1024], 1), Err(Misread::LongPath));
        assert!(Trace::parse(&[b'x'; 1023], 1).is_ok());
    }

    #[test]
    fn takes_its_own_variables_and_no_others() {
        let mut settings = Settings::default();
        assert_eq!(settings.set(b"STRATA_HISTORY", b"2K", 1), Ok(true));
        assert_eq!(settings.set(b"STRATA_MAP", b"1", 1), Ok(true));
        assert_eq!(settings.set(b"STRATA_STATS", b"1", 1), Ok(false));
        assert_eq!((settings.history, settings.map), (2048, Some(Target::Fd(2))));
        assert_eq!(settings.set(b"STRATA_MAP", b"", 1), Ok(true));
        assert_eq!(settings.set(b"STRATA_TRACE", b"", 1), Ok(true));
        assert_eq!((settings.map, settings.trace), (None, None));
    }
}
