//! Reading `.eh_frame`: the rule for one instruction, from the tables that the compiler left in the module.
//!
//! After the Linux Standard Base's description of `.eh_frame_hdr` and `.eh_frame`, and DWARF 5, section 6.4. Only what
//! x86-64 code needs to find return addresses is kept: the CFA, the frame pointer's slot, and whether there is a caller.
//! What is not understood answers [`Rule::Unknown`]. Every read is checked against the section's end.

#![forbid(unsafe_code)]

use super::rule::{Base, Rule};

const RBP: u64 = 6;
const RSP: u64 = 7;
const RETURN: u64 = 16;

/// Bytes of a module and the address of the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) address: usize,
}

/// A rule, and whether it is that of a signal handler's frame, whose caller was interrupted, not calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rule: Rule,
    pub(crate) signal: bool,
}

/// The rule at `pc`. The section begins with the `.eh_frame_hdr` and reaches over the `.eh_frame`.
pub(crate) fn find(section: Section<'_>, pc: usize) -> Option<Found> {
    let entry = search(section, pc)?;
    let mut fde = Reader::at(section, entry)?;
    let end = fde.record_end()?;
    let cie_field = fde.at;
    let cie_distance = fde.u32()? as usize;
    let cie = Cie::read(section, cie_field.checked_sub(cie_distance)?)?;
    let start = fde.pointer(cie.pointers)?;
    let length = fde.pointer(cie.pointers & 0x0f)?;
    if pc < start || pc - start >= length {
        return None;
    }
    if cie.augmented {
        let skip = fde.uleb()? as usize;
        fde.skip(skip)?;
    }
    let mut machine =
        Machine { state: State::START, initial: State::START, saved: [State::START; 8], depth: 0 };
    let unknown = Some(Found { rule: Rule::Unknown, signal: cie.signal });
    if !machine.run(Reader { section, at: cie.program.0, end: cie.program.1 }, &cie, start, usize::MAX) {
        return unknown;
    }
    machine.initial = machine.state;
    if !machine.run(Reader { section, at: fde.at, end }, &cie, start, pc) {
        return unknown;
    }
    Some(Found { rule: machine.state.rule(), signal: cie.signal })
}

/// The offset in the section of the entry for `pc`, by the header's sorted table.
fn search(section: Section<'_>, pc: usize) -> Option<usize> {
    let mut header = Reader { section, at: 0, end: section.bytes.len() };
    let (version, eh_frame, count, table) = (header.u8()?, header.u8()?, header.u8()?, header.u8()?);
    // The encodings that every current linker writes: a count of four bytes, pairs of signed offsets from the header.
    if version != 1 || count != 0x03 || table != 0x3b {
        return None;
    }
    header.pointer(eh_frame)?;
    let count = header.u32()? as usize;
    let pairs = header.at;
    let word = |index: usize| Reader { section, at: pairs + index * 4, end: section.bytes.len() }.u32();
    let address = |index: usize| Some(section.address.wrapping_add_signed(word(index)? as i32 as isize));
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if address(middle * 2)? <= pc {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    address((low.checked_sub(1)?) * 2 + 1)?.checked_sub(section.address)
}

/// What a common entry says for all of its own.
struct Cie {
    code_factor: u64,
    data_factor: i64,
    pointers: u8,
    augmented: bool,
    signal: bool,
    program: (usize, usize),
}

impl Cie {
    fn read(section: Section<'_>, at: usize) -> Option<Self> {
        let mut cie = Reader::at(section, at)?;
        let end = cie.record_end()?;
        if cie.u32()? != 0 {
            return None;
        }
        let version = cie.u8()?;
        let name = cie.at;
        while cie.u8()? != 0 {}
        let name = section.bytes.get(name..cie.at - 1)?;
        let code_factor = cie.uleb()?;
        let data_factor = cie.sleb()?;
        let return_register = if version == 1 { u64::from(cie.u8()?) } else { cie.uleb()? };
        if return_register != RETURN {
            return None;
        }
        let (mut pointers, mut signal) = (0, false);
        let augmented = name.first() == Some(&b'z');
        if augmented {
            let length = cie.uleb()? as usize;
            let after = cie.at.checked_add(length)?;
            for letter in name.get(1..)? {
                match letter {
                    b'R' => pointers = cie.u8()?,
                    b'L' => drop(cie.u8()?),
                    b'P' => {
                        let encoding = cie.u8()?;
                        cie.pointer(encoding & 0x7f)?;
                    }
                    b'S' => signal = true,
                    b'B' => {}
                    _ => return None,
                }
            }
            cie.at = after;
        } else if !name.is_empty() {
            return None;
        }
        Some(Self { code_factor, data_factor, pointers, augmented, signal, program: (cie.at, end) })
    }
}

#[derive(Clone, Copy)]
struct State {
    base: u64,
    offset: i64,
    /// The CFA is the value of an expression.
    computed: bool,
    /// Where the frame pointer is, from the CFA; 0 for unchanged.
    slot: i64,
    /// Where the frame pointer is cannot be said in these words.
    lost: bool,
    /// The frame has no caller.
    end: bool,
}

impl State {
    const START: Self = Self { base: RSP, offset: 8, computed: false, slot: 0, lost: false, end: false };

    fn rule(self) -> Rule {
        let base = match self.base {
            _ if self.end => return Rule::End,
            _ if self.computed || self.lost => return Rule::Unknown,
            RSP => Base::StackPointer,
            RBP => Base::FramePointer,
            _ => return Rule::Unknown,
        };
        match (i32::try_from(self.offset), i16::try_from(self.slot)) {
            (Ok(offset), Ok(slot)) => Rule::At { base, offset, slot },
            _ => Rule::Unknown,
        }
    }
}

struct Machine {
    state: State,
    initial: State,
    saved: [State; 8],
    depth: usize,
}

impl Machine {
    /// Executes instructions up to the row of `pc`. Whether all were understood.
    fn run(&mut self, mut code: Reader<'_>, cie: &Cie, start: usize, pc: usize) -> bool {
        let mut at = start;
        while code.at < code.end {
            match self.step(&mut code, cie, &mut at) {
                Some(()) if at > pc => return true,
                Some(()) => {}
                None => return false,
            }
        }
        true
    }

    fn step(&mut self, code: &mut Reader<'_>, cie: &Cie, at: &mut usize) -> Option<()> {
        let byte = code.u8()?;
        let low = u64::from(byte & 0x3f);
        let mut advance =
            |delta: u64| *at = at.saturating_add(delta.saturating_mul(cie.code_factor) as usize);
        match (byte >> 6, byte & 0x3f) {
            (1, _) => advance(low),
            (2, _) => {
                let offset = code.uleb()? as i64;
                self.saved_at(low, offset.checked_mul(cie.data_factor)?);
            }
            (3, _) | (0, 0x06) => {
                let register = if byte >> 6 == 3 { low } else { code.uleb()? };
                if register == RBP {
                    (self.state.slot, self.state.lost) = (self.initial.slot, self.initial.lost);
                }
            }
            (0, 0x00) => {}
            (0, 0x01) => *at = code.pointer(cie.pointers)?,
            (0, 0x02) => advance(code.u8()?.into()),
            (0, 0x03) => advance(code.u16()?.into()),
            (0, 0x04) => advance(code.u32()?.into()),
            (0, 0x05) => {
                let (register, offset) = (code.uleb()?, code.uleb()? as i64);
                self.saved_at(register, offset.checked_mul(cie.data_factor)?);
            }
            (0, 0x07) => match code.uleb()? {
                RETURN => self.state.end = true,
                RBP => self.state.slot = 0,
                _ => {}
            },
            (0, 0x08) => {
                if code.uleb()? == RBP {
                    (self.state.slot, self.state.lost) = (0, false);
                }
            }
            (0, 0x09) => {
                let register = code.uleb()?;
                code.uleb()?;
                self.lose(register);
            }
            (0, 0x0a) => {
                *self.saved.get_mut(self.depth)? = self.state;
                self.depth += 1;
            }
            (0, 0x0b) => {
                self.depth = self.depth.checked_sub(1)?;
                self.state = *self.saved.get(self.depth)?;
            }
            (0, 0x0c) => {
                (self.state.base, self.state.offset) = (code.uleb()?, code.uleb()? as i64);
                self.state.computed = false;
            }
            (0, 0x0d) => self.state.base = code.uleb()?,
            (0, 0x0e) => self.state.offset = code.uleb()? as i64,
            (0, 0x0f) => {
                code.block()?;
                self.state.computed = true;
            }
            (0, 0x10 | 0x16) => {
                let register = code.uleb()?;
                code.block()?;
                self.lose(register);
            }
            (0, 0x11) => {
                let (register, offset) = (code.uleb()?, code.sleb()?);
                self.saved_at(register, offset.checked_mul(cie.data_factor)?);
            }
            (0, 0x12) => {
                self.state.base = code.uleb()?;
                self.state.offset = code.sleb()?.checked_mul(cie.data_factor)?;
                self.state.computed = false;
            }
            (0, 0x13) => self.state.offset = code.sleb()?.checked_mul(cie.data_factor)?,
            (0, 0x14 | 0x15) => {
                let register = code.uleb()?;
                code.uleb()?;
                self.lose(register);
            }
            (0, 0x2e) => drop(code.uleb()?),
            _ => return None,
        }
        Some(())
    }

    fn saved_at(&mut self, register: u64, offset: i64) {
        match register {
            RBP => (self.state.slot, self.state.lost) = (offset, false),
            // Elsewhere than below the CFA: nothing that these rules can say.
            RETURN if offset != -8 => self.state.lost = true,
            _ => {}
        }
    }

    fn lose(&mut self, register: u64) {
        self.state.lost |= matches!(register, RBP | RETURN);
    }
}

/// Little-endian numbers from a section, from `at` up to `end`.
#[derive(Clone, Copy)]
struct Reader<'a> {
    section: Section<'a>,
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    fn at(section: Section<'a>, at: usize) -> Option<Self> {
        (at < section.bytes.len()).then_some(Self { section, at, end: section.bytes.len() })
    }

    /// Reads a record's length and sets the end to it.
    fn record_end(&mut self) -> Option<usize> {
        let length = self.u32()? as usize;
        // 0 ends the section; the 64-bit form does not occur in loaded modules.
        if length == 0 || length >= 0xffff_fff0 {
            return None;
        }
        let end = self.at.checked_add(length).filter(|&end| end <= self.end)?;
        self.end = end;
        Some(end)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let end = self.at.checked_add(N).filter(|&end| end <= self.end)?;
        let bytes = self.section.bytes.get(self.at..end)?.try_into().ok()?;
        self.at = end;
        Some(bytes)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|&at| at <= self.end)?;
        Some(())
    }

    fn block(&mut self) -> Option<()> {
        let length = self.uleb()? as usize;
        self.skip(length)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn uleb(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn sleb(&mut self) -> Option<i64> {
        let mut value = 0_i64;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let unused = 64 - (shift + 7).min(64);
                return Some(value << unused >> unused);
            }
        }
        None
    }

    /// A pointer in one of the encodings, absolute or relative to its own place.
    fn pointer(&mut self, encoding: u8) -> Option<usize> {
        let here = self.section.address.wrapping_add(self.at);
        let value = match encoding & 0x0f {
            0x00 | 0x04 | 0x0c => self.u64()? as usize,
            0x01 => self.uleb()? as usize,
            0x02 => usize::from(self.u16()?),
            0x03 => self.u32()? as usize,
            0x09 => self.sleb()? as usize,
            0x0a => self.u16()? as i16 as usize,
            0x0b => self.u32()? as i32 as usize,
            _ => return None,
        };
        match encoding & 0x70 {
            0x00 => Some(value),
            0x10 => Some(here.wrapping_add(value)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// A header, one CIE and one FDE for 0x100 bytes at 0x2000, in a section at 0x1000, with this program.
    fn section(program: &[u8]) -> Vec<u8> {
        let mut bytes = std::vec![1, 0x1b, 0x03, 0x3b];
        bytes.extend(16_u32.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(0x1000_i32.to_le_bytes());
        bytes.extend(44_i32.to_le_bytes());
        assert_eq!(bytes.len(), 20);
        // CIE: "zR", factors 1 and -8, return register 16, pcrel sdata4, def_cfa rsp+8, ra at cfa-8.
        bytes.extend(20_u32.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend([1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0]);
        assert_eq!(bytes.len(), 44);
        bytes.extend((13 + program.len() as u32).to_le_bytes());
        bytes.extend(28_u32.to_le_bytes());
        bytes.extend((0x1000_i32 - 52).to_le_bytes());
        bytes.extend(0x100_u32.to_le_bytes());
        bytes.push(0);
        bytes.extend(program);
        bytes
    }

    fn rule(program: &[u8], offset: usize) -> Option<Rule> {
        find(Section { bytes: &section(program), address: 0x1000 }, 0x2000 + offset).map(|found| found.rule)
    }

    #[test]
    fn follows_a_prologue_and_an_epilogue() {
        // push rbp (1): cfa+16, rbp at -16; mov rbp,rsp (4): cfa from rbp; remember; leave at 0x50: rsp+8; restore at 0x51.
        let program = [0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x0a, 0x02, 0x4c, 0x0c, 7, 8, 0x41, 0x0b];
        let at = |base, offset, slot| Some(Rule::At { base, offset, slot });
        assert_eq!(rule(&program, 0), at(Base::StackPointer, 8, 0));
        assert_eq!(rule(&program, 1), at(Base::StackPointer, 16, -16));
        assert_eq!(rule(&program, 4), at(Base::FramePointer, 16, -16));
        assert_eq!(rule(&program, 0x4f), at(Base::FramePointer, 16, -16));
        assert_eq!(rule(&program, 0x50), at(Base::StackPointer, 8, -16));
        assert_eq!(rule(&program, 0x51), at(Base::FramePointer, 16, -16));
        assert_eq!(rule(&program, 0x100), None);
    }

    #[test]
    fn knows_the_outermost_frame_and_what_it_does_not_know() {
        assert_eq!(rule(&[0x07, 16], 0), Some(Rule::End));
        assert_eq!(rule(&[0x0f, 2, 0x77, 8], 0), Some(Rule::Unknown));
        assert_eq!(rule(&[0x10, 6, 2, 0x77, 8], 0), Some(Rule::Unknown));
        assert_eq!(rule(&[0x3f], 0), Some(Rule::Unknown));
    }

    #[test]
    fn a_cut_section_is_refused_at_every_length() {
        let whole = section(&[0x41, 0x0e, 16, 0x86, 2]);
        for length in 0..whole.len() - 1 {
            let bytes = whole.get(..length).unwrap();
            assert_eq!(find(Section { bytes, address: 0x1000 }, 0x2001), None, "{length}");
        }
    }
}
