//! Events as bytes: differences from what came before in the block.
//!
//! An event's first byte has its kind in the upper three bits, and in the lower five the time since the last event, in
//! units of 32 ticks; 31 there says that the time, less 31, follows as a varint. Then, by kind:
//!
//! | kind | event | fields |
//! |---|---|---|
//! | 0 | allocation, aligned to 16 or less | size, stack, address |
//! | 1 | allocation | alignment (one byte, as a power of two), size, stack, address |
//! | 2 | free | address |
//! | 3 | free, first half of a resize | address |
//! | 4 | allocation, second half of a resize, behind kind 3 | as kind 1 |
//! | 5 | refusal | alignment, size |
//!
//! Sizes are varints. Stacks are zigzag differences from the last stack. Addresses are differences from the last address:
//! the zigzag of a sixteenth, shifted left by one, where they are multiples of 16, else the zigzag, shifted, plus 1.

#![forbid(unsafe_code)]

use super::varint::{put, take, unzigzag, zigzag};

/// The most bytes that a resize, the longest of events, takes.
pub const LONGEST: usize = 80;

const ALLOC: u8 = 0;
const ALLOC_ALIGNED: u8 = 1;
const FREE: u8 = 2;
const RESIZE_FROM: u8 = 3;
const RESIZE_TO: u8 = 4;
const REFUSED: u8 = 5;

/// An event, as a trace knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A block was handed out.
    Alloc {
        /// First address.
        address: u64,
        /// Bytes.
        size: u64,
        /// The alignment as a power of two; at most 4 where it was not told.
        log2_align: u8,
        /// The stack's number.
        stack: u32,
    },
    /// A block was given back.
    Free {
        /// First address.
        address: u64,
    },
    /// A block was resized.
    Resize {
        /// Where it was.
        old: u64,
        /// The time before the resize began: from then on, the old address may have been another's.
        before: u64,
        /// Where it is.
        address: u64,
        /// Bytes.
        size: u64,
        /// The alignment as a power of two.
        log2_align: u8,
        /// The stack's number.
        stack: u32,
    },
    /// A request failed.
    Refused {
        /// Bytes.
        size: u64,
        /// The alignment as a power of two.
        log2_align: u8,
    },
}

/// What differences are counted from. All zero at a block's start, but for the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// The last event's time, in units of 32 ticks.
    pub time: u64,
    /// The last address.
    pub address: u64,
    /// The last stack.
    pub stack: u32,
}

impl Last {
    /// Hands an event's bytes to `out`. Times that run backwards (another processor's clock) count as no time.
    #[inline(always)]
    pub fn encode(&mut self, time: u64, record: &Record, mut out: impl FnMut(u8)) {
        match *record {
            Record::Alloc { address, size, log2_align, stack } => {
                if log2_align <= 4 {
                    self.head(ALLOC, time, &mut out);
                } else {
                    self.head(ALLOC_ALIGNED, time, &mut out);
                    out(log2_align);
                }
                put(size, &mut out);
                self.stack(stack, &mut out);
                self.address(address, &mut out);
            }
            Record::Free { address } => {
                self.head(FREE, time, &mut out);
                self.address(address, &mut out);
            }
            Record::Resize { old, before, address, size, log2_align, stack } => {
                self.head(RESIZE_FROM, before, &mut out);
                self.address(old, &mut out);
                self.head(RESIZE_TO, time, &mut out);
                out(log2_align);
                put(size, &mut out);
                self.stack(stack, &mut out);
                self.address(address, &mut out);
            }
            Record::Refused { size, log2_align } => {
                self.head(REFUSED, time, &mut out);
                out(log2_align);
                put(size, &mut out);
            }
        }
    }

    #[inline(always)]
    fn head(&mut self, kind: u8, time: u64, out: &mut impl FnMut(u8)) {
        let since = time.saturating_sub(self.time);
        self.time = self.time.max(time);
        if since < 31 {
            out(kind << 5 | since as u8);
        } else {
            out(kind << 5 | 31);
            put(since - 31, out);
        }
    }

    #[inline(always)]
    fn address(&mut self, address: u64, out: &mut impl FnMut(u8)) {
        let difference = address.wrapping_sub(self.address) as i64;
        self.address = address;
        put(
            if difference % 16 == 0 { zigzag(difference / 16) << 1 } else { zigzag(difference) << 1 | 1 },
            out,
        );
    }

    #[inline(always)]
    fn stack(&mut self, stack: u32, out: &mut impl FnMut(u8)) {
        put(zigzag(i64::from(stack) - i64::from(self.stack)), out);
        self.stack = stack;
    }

    /// Takes an event and its time from the front of `bytes`. `None` where they are no events, or end within one.
    pub fn decode(&mut self, bytes: &mut &[u8]) -> Option<(u64, Record)> {
        let kind = self.take_head(bytes)?;
        let record = match kind {
            ALLOC => self.take_alloc(4, bytes)?,
            ALLOC_ALIGNED => {
                let log2_align = take_byte(bytes)?;
                self.take_alloc(log2_align, bytes)?
            }
            FREE => Record::Free { address: self.take_address(bytes)? },
            RESIZE_FROM => {
                let (before, old) = (self.time, self.take_address(bytes)?);
                if self.take_head(bytes)? != RESIZE_TO {
                    return None;
                }
                let log2_align = take_byte(bytes)?;
                match self.take_alloc(log2_align, bytes)? {
                    Record::Alloc { address, size, log2_align, stack } => {
                        Record::Resize { old, before, address, size, log2_align, stack }
                    }
                    other => other,
                }
            }
            REFUSED => {
                let log2_align = take_byte(bytes)?;
                Record::Refused { size: take(bytes)?, log2_align }
            }
            _ => return None,
        };
        Some((self.time, record))
    }

    fn take_head(&mut self, bytes: &mut &[u8]) -> Option<u8> {
        let head = take_byte(bytes)?;
        let since = match head & 31 {
            31 => take(bytes)?.checked_add(31)?,
            since => since.into(),
        };
        self.time = self.time.checked_add(since)?;
        Some(head >> 5)
    }

    fn take_alloc(&mut self, log2_align: u8, bytes: &mut &[u8]) -> Option<Record> {
        let size = take(bytes)?;
        let stack = i64::from(self.stack).checked_add(unzigzag(take(bytes)?))?;
        self.stack = u32::try_from(stack).ok()?;
        Some(Record::Alloc { address: self.take_address(bytes)?, size, log2_align, stack: self.stack })
    }

    fn take_address(&mut self, bytes: &mut &[u8]) -> Option<u64> {
        let code = take(bytes)?;
        let difference =
            if code & 1 == 0 { unzigzag(code >> 1).wrapping_mul(16) } else { unzigzag(code >> 1) };
        self.address = self.address.wrapping_add(difference as u64);
        Some(self.address)
    }
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn record() -> impl Strategy<Value = Record> {
        let address = || 0..1_u64 << 56;
        prop_oneof![
            (address(), any::<u64>(), 4..64_u8, any::<u32>()).prop_map(
                |(address, size, log2_align, stack)| Record::Alloc { address, size, log2_align, stack }
            ),
            address().prop_map(|address| Record::Free { address }),
            (address(), address(), any::<u64>(), 0..64_u8, any::<u32>()).prop_map(
                |(old, address, size, log2_align, stack)| Record::Resize {
                    old,
                    before: 0,
                    address,
                    size,
                    log2_align,
                    stack
                }
            ),
            (any::<u64>(), 0..64_u8).prop_map(|(size, log2_align)| Record::Refused { size, log2_align }),
        ]
    }

    proptest! {
        #[test]
        fn events_come_back(events in prop::collection::vec((record(), 0..1000_u64), 0..50), start in 0..1_u64 << 50) {
            let mut encoder = Last { time: start, ..Last::default() };
            let mut decoder = encoder;
            let mut bytes = Vec::new();
            let mut time = start;
            let mut expected = Vec::new();
            for (mut record, since) in events {
                if let Record::Resize { before, .. } = &mut record {
                    *before = time + since / 2;
                }
                time += since;
                let length = bytes.len();
                encoder.encode(time, &record, |byte| bytes.push(byte));
                prop_assert!(bytes.len() - length <= LONGEST);
                expected.push((time, record));
            }
            let mut rest = bytes.as_slice();
            for event in expected {
                prop_assert_eq!(decoder.decode(&mut rest), Some(event));
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let (mut last, mut rest) = (Last::default(), bytes.as_slice());
            while last.decode(&mut rest).is_some() {}
        }
    }

    #[test]
    fn a_program_that_allocates_in_turn_takes_few_bytes() {
        let mut last = Last::default();
        let mut count = 0;
        for turn in 0..100_u64 {
            let address = 0x7f00_0000_0000 + turn * 64;
            let alloc = Record::Alloc { address, size: 48, log2_align: 4, stack: 900 + turn as u32 % 3 };
            last.encode(turn * 20, &alloc, |_| count += 1);
            last.encode(turn * 20 + 9, &Record::Free { address }, |_| count += 1);
        }
        assert!(count <= 200 * 4, "{count} bytes for 200 events");
    }
}
