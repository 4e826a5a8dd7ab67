//! How to get from one frame to its caller's, in one word.
//!
//! Compilers emit, for each range of instructions, where the caller's frame is found. On x86-64 nearly all of it is: the
//! *canonical frame address* (CFA, the stack pointer before the call) is the stack or frame pointer plus a constant, the
//! return address lies just below it, and the caller's frame pointer is either unchanged or in a slot at a constant
//! distance from it.

#![forbid(unsafe_code)]

/// What the CFA is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    StackPointer,
    FramePointer,
}

/// The rule at one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The outermost frame.
    End,
    /// Nothing is known, or nothing that fits here: take it that the code keeps frame pointers.
    Unknown,
    /// `cfa = base + offset`; the frame pointer of the caller is at `cfa + slot`, or unchanged where `slot` is 0.
    At { base: Base, offset: i32, slot: i16 },
}

/// What code with frame pointers does.
pub(crate) const FRAME_POINTER: Rule = Rule::At { base: Base::FramePointer, offset: 16, slot: -16 };

impl Rule {
    /// The rule as a word; never 0.
    pub(crate) const fn pack(self) -> u64 {
        match self {
            Self::End => 1,
            Self::Unknown => 2,
            Self::At { base, offset, slot } => {
                let kind = match base {
                    Base::StackPointer => 3,
                    Base::FramePointer => 4,
                };
                kind | (slot as u16 as u64) << 8 | (offset as u32 as u64) << 32
            }
        }
    }

    /// What [`pack`](Self::pack) made a word of.
    pub(crate) const fn unpack(word: u64) -> Self {
        let offset = (word >> 32) as u32 as i32;
        let slot = (word >> 8) as u16 as i16;
        match word & 0xff {
            1 => Self::End,
            3 => Self::At { base: Base::StackPointer, offset, slot },
            4 => Self::At { base: Base::FramePointer, offset, slot },
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_rules() {
        let rules = [
            Rule::End,
            Rule::Unknown,
            FRAME_POINTER,
            Rule::At { base: Base::StackPointer, offset: i32::MAX, slot: i16::MIN },
            Rule::At { base: Base::StackPointer, offset: -8, slot: 0 },
        ];
        for rule in rules {
            assert_ne!(rule.pack(), 0);
            assert_eq!(Rule::unpack(rule.pack()), rule);
        }
    }
}
