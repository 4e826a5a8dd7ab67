//! The text of `/proc/self/maps`, one range at a time.

#![forbid(unsafe_code)]

/// A range of addresses, `low <= address < high`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) low: usize,
    pub(crate) high: usize,
}

impl Range {
    pub(crate) const fn contains(self, address: usize) -> bool {
        self.low <= address && address < self.high
    }
}

/// Reads the text in pieces of any length, and knows the range of the line that it is in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scanner {
    range: Range,
    part: Part,
}

#[derive(Clone, Copy, Debug, Default)]
enum Part {
    #[default]
    Low,
    High,
    Rest,
}

impl Scanner {
    /// Takes the next byte; answers with a range when that ended its two numbers.
    pub(crate) fn feed(&mut self, byte: u8) -> Option<Range> {
        let digit = match byte {
            b'0'..=b'9' => usize::from(byte - b'0'),
            b'a'..=b'f' => usize::from(byte - b'a') + 10,
            _ => usize::MAX,
        };
        match self.part {
            Part::Low if digit < 16 => self.range.low = self.range.low << 4 | digit,
            Part::Low => self.part = Part::High,
            Part::High if digit < 16 => self.range.high = self.range.high << 4 | digit,
            Part::High => {
                self.part = if byte == b'\n' { Part::Low } else { Part::Rest };
                return Some(core::mem::take(&mut self.range));
            }
            Part::Rest if byte == b'\n' => self.part = Part::Low,
            Part::Rest => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn finds_every_range() {
        let text = b"55d0-55e0 r--p 00000000 fd:01 1 /bin/a b\n7f00aa-7f00ff rw-p 0 0:0 0\n7ffe0-7fff0 rw-p 0 0:0 0 [stack]\n";
        let mut scanner = Scanner::default();
        let found: Vec<Range> = text.iter().filter_map(|&byte| scanner.feed(byte)).collect();
        assert_eq!(
            found,
            [
                Range { low: 0x55d0, high: 0x55e0 },
                Range { low: 0x7f00aa, high: 0x7f00ff },
                Range { low: 0x7ffe0, high: 0x7fff0 }
            ]
        );
        assert!(found[1].contains(0x7f00aa) && !found[1].contains(0x7f00ff));
    }
}
