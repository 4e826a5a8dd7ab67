//! What a program says on standard error: it is read to its end, and the first and the last of it are kept.

#![forbid(unsafe_code)]

use std::io::Read;

/// More of either end than this is not looked at.
const KEPT: usize = 4096;

/// The two ends of what was said.
#[derive(Debug, Default)]
pub(super) struct Errors {
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Errors {
    pub(super) fn of(mut stream: impl Read) -> Self {
        let mut errors = Self::default();
        let mut part = [0; KEPT];
        // What was read before an error is still worth showing.
        while let Ok(got @ 1..) = stream.read(&mut part) {
            let room = KEPT - errors.first.len();
            errors.first.extend_from_slice(&part[..got.min(room)]);
            errors.last.extend_from_slice(&part[..got]);
            let surplus = errors.last.len().saturating_sub(KEPT);
            errors.last.drain(..surplus);
        }
        errors
    }

    pub(super) fn first_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.first);
        text.lines().next().map(str::to_owned)
    }

    /// The last line that says something.
    pub(super) fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.last);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_kept() {
        let long = format!("begin\n{}\nend\n\n", "x".repeat(3 * KEPT));
        let errors = Errors::of(long.as_bytes());
        assert_eq!(errors.first_line().as_deref(), Some("begin"));
        assert_eq!(errors.last_line().as_deref(), Some("end"));
        let silent = Errors::of(&b""[..]);
        assert_eq!((silent.first_line(), silent.last_line()), (None, None));
    }
}
