//! Sequences of operations as bytes, for fuzzing and for corpora.
//!
//! Every byte string decodes to some sequence, so that a fuzzer wastes nothing, and every sequence survives encoding
//! and decoding. The first byte of an operation selects its kind (low four bits) and holds one flag (the top bit);
//! numbers follow as LEB128, seven bits a byte, low bits first. A random byte string therefore holds mostly small
//! numbers. What is missing at the end of the string reads as zero.

use alloc_core::arith::MAX_SIZE;

use super::{MAX_ALIGN_SHIFT, Op};

const FLAG: u8 = 0x80;

/// Above this, an alignment byte holds its exponent in the low five bits; else in the low three. Random bytes thus
/// name alignments above 128 once in eight.
const LARGE_ALIGN: u8 = 0xe0;

/// The operations that `bytes` stands for. Never fails, and yields at most one operation a byte.
#[must_use]
pub fn from_bytes(bytes: &[u8]) -> Vec<Op> {
    let mut reader = Reader(bytes);
    let mut ops = Vec::new();
    while let Some(head) = reader.byte() {
        ops.push(reader.op(head));
    }
    ops
}

/// The bytes that stand for `ops`: the inverse of [`from_bytes`] for sizes up to `isize::MAX` and exponents up to
/// [`MAX_ALIGN_SHIFT`]; larger ones are cut down to these.
#[must_use]
pub fn to_bytes(ops: &[Op]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ops.len() * 4);
    for &op in ops {
        write(op, &mut bytes);
    }
    bytes
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some(byte) = self.byte() else { break };
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }

    fn size(&mut self) -> usize {
        usize::try_from(self.number()).unwrap_or(MAX_SIZE).min(MAX_SIZE)
    }

    fn slot(&mut self) -> u32 {
        u32::try_from(self.number() & u64::from(u32::MAX)).unwrap_or(0)
    }

    fn align_shift(&mut self) -> u8 {
        match self.byte().unwrap_or(0) {
            large @ LARGE_ALIGN.. => (large & 0x1f).min(MAX_ALIGN_SHIFT),
            small => small & 0x07,
        }
    }

    fn op(&mut self, head: u8) -> Op {
        let zeroed = head & FLAG != 0;
        // Kinds 11 to 15 would be free: they make allocating, freeing and resizing likelier in random strings.
        match head & 0x0f {
            0 | 11 | 12 => Op::Allocate { align_shift: self.align_shift(), size: self.size(), zeroed },
            1 | 13 => Op::Deallocate { slot: self.slot() },
            2 | 14 => Op::Grow { slot: self.slot(), by: self.size(), zeroed },
            3 | 15 => Op::Shrink { slot: self.slot(), by: self.size() },
            4 => Op::Free { slot: self.slot() },
            5 => Op::Reallocate { slot: self.slot(), size: self.size() },
            6 => Op::Touch { slot: self.slot() },
            7 => Op::Owns { slot: self.slot() },
            8 => Op::Trim { keep: self.size() },
            9 => Op::Walk,
            _ => Op::Stats,
        }
    }
}

fn write(op: Op, bytes: &mut Vec<u8>) {
    let flag = |zeroed: bool| if zeroed { FLAG } else { 0 };
    match op {
        Op::Allocate { size, align_shift, zeroed } => {
            let shift = align_shift.min(MAX_ALIGN_SHIFT);
            bytes.extend([flag(zeroed), if shift < 8 { shift } else { LARGE_ALIGN | shift }]);
            write_size(size, bytes);
        }
        Op::Deallocate { slot } => write_slot(1, slot, bytes),
        Op::Grow { slot, by, zeroed } => {
            write_slot(2 | flag(zeroed), slot, bytes);
            write_size(by, bytes);
        }
        Op::Shrink { slot, by } => {
            write_slot(3, slot, bytes);
            write_size(by, bytes);
        }
        Op::Free { slot } => write_slot(4, slot, bytes),
        Op::Reallocate { slot, size } => {
            write_slot(5, slot, bytes);
            write_size(size, bytes);
        }
        Op::Touch { slot } => write_slot(6, slot, bytes),
        Op::Owns { slot } => write_slot(7, slot, bytes),
        Op::Trim { keep } => {
            bytes.push(8);
            write_size(keep, bytes);
        }
        Op::Walk => bytes.push(9),
        Op::Stats => bytes.push(10),
    }
}

fn write_slot(head: u8, slot: u32, bytes: &mut Vec<u8>) {
    bytes.push(head);
    write_number(u64::from(slot), bytes);
}

fn write_size(size: usize, bytes: &mut Vec<u8>) {
    write_number(size.min(MAX_SIZE) as u64, bytes);
}

fn write_number(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::generate;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn operations_survive_the_bytes(ops in generate::ops(0..100)) {
            prop_assert_eq!(from_bytes(&to_bytes(&ops)), ops);
        }

        #[test]
        fn any_bytes_decode_and_settle_after_one_round(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let ops = from_bytes(&bytes);
            prop_assert!(ops.len() <= bytes.len());
            prop_assert_eq!(from_bytes(&to_bytes(&ops)), ops);
        }

        #[test]
        fn numbers_survive(value: u64) {
            let mut bytes = Vec::new();
            write_number(value, &mut bytes);
            prop_assert_eq!(Reader(&bytes).number(), value);
        }
    }

    #[test]
    fn a_cut_string_reads_zeros() {
        assert_eq!(from_bytes(&[0x82]), [Op::Grow { slot: 0, by: 0, zeroed: true }]);
        assert_eq!(from_bytes(&[0, 0xff]), [Op::Allocate { size: 0, align_shift: 30, zeroed: false }]);
        assert_eq!(from_bytes(&[8, 0xff]), [Op::Trim { keep: 0x7f }]);
    }

    #[test]
    fn sizes_beyond_the_largest_are_cut_down() {
        let mut bytes = vec![8];
        write_number(u64::MAX, &mut bytes);
        assert_eq!(from_bytes(&bytes), [Op::Trim { keep: MAX_SIZE }]);
    }
}
