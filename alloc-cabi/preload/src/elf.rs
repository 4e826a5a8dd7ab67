//! As much of the ELF format as the examination needs: 64 bits, little-endian. (*System V Application Binary Interface*,
//! chapters 4 and 5.) Every offset is checked; a damaged file reads as having less in it.

#![forbid(unsafe_code)]

use crate::reason::Reason;

/// An executable, in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elf<'f> {
    bytes: &'f [u8],
}

const MACHINE: u64 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

const PT_INTERP: u64 = 3;
const ET_DYN: u64 = 3;
const SHT_SYMTAB: u64 = 2;
const SHT_DYNAMIC: u64 = 6;
const SHT_DYNSYM: u64 = 11;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;

/// A section header.
#[derive(Clone, Copy, Debug)]
struct Section {
    kind: u64,
    offset: u64,
    size: u64,
    link: u64,
    entry: u64,
}

impl<'f> Elf<'f> {
    pub(crate) fn parse(bytes: &'f [u8]) -> Result<Self, Reason> {
        let elf = Self { bytes };
        if bytes.get(..4) != Some(b"\x7fELF") {
            return Err(Reason::NotElf);
        }
        // 64 bits, little-endian.
        if bytes.get(4..6) != Some(&[2, 1]) || elf.number(18, 2) != Some(MACHINE) {
            return Err(Reason::OtherMachine);
        }
        Ok(elf)
    }

    /// The number of `width` bytes at an offset.
    fn number(&self, offset: u64, width: usize) -> Option<u64> {
        let start = usize::try_from(offset).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(width)?)?;
        Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn range(&self, offset: u64, size: u64) -> Option<&'f [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get(start..start.checked_add(usize::try_from(size).ok()?)?)
    }

    /// The path of the loader that the program asks for.
    fn loader(&self) -> Option<&'f [u8]> {
        let (table, size, count) = (self.number(32, 8)?, self.number(54, 2)?, self.number(56, 2)?);
        (0..count).find_map(|index| {
            let header = table.checked_add(index * size)?;
            if self.number(header, 4)? != PT_INTERP {
                return None;
            }
            let path = self.range(self.number(header + 8, 8)?, self.number(header + 32, 8)?)?;
            path.strip_suffix(b"\0")
        })
    }

    pub(crate) fn has_loader(&self) -> bool {
        self.loader().is_some()
    }

    /// The loader, where it is not glibc's.
    pub(crate) fn foreign_loader(&self) -> Option<String> {
        let path = String::from_utf8_lossy(self.loader()?);
        let name = path.rsplit('/').next().unwrap_or_default();
        (!name.starts_with("ld-linux") && !name.starts_with("ld64.so")).then(|| path.into_owned())
    }

    /// Whether it is a shared object, and not a program that may lie at any address, which has the same type.
    pub(crate) fn is_shared_object(&self) -> bool {
        let is_program = self.dynamic().any(|(tag, value)| tag == DT_FLAGS_1 && value & DF_1_PIE != 0);
        self.number(16, 2) == Some(ET_DYN) && !is_program
    }

    fn sections(&self) -> impl Iterator<Item = Section> {
        let table = self.number(40, 8).unwrap_or(0);
        let size = self.number(58, 2).unwrap_or(0);
        let count = if table == 0 { 0 } else { self.number(60, 2).unwrap_or(0) };
        (0..count).filter_map(move |index| {
            let header = table.checked_add(index * size)?;
            Some(Section {
                kind: self.number(header + 4, 4)?,
                offset: self.number(header + 24, 8)?,
                size: self.number(header + 32, 8)?,
                link: self.number(header + 40, 4)?,
                entry: self.number(header + 56, 8)?,
            })
        })
    }

    /// Names of the symbols that the file defines.
    pub(crate) fn defined(&self) -> impl Iterator<Item = &'f [u8]> {
        self.symbols_of(|kind| matches!(kind, SHT_SYMTAB | SHT_DYNSYM), true)
    }

    /// Names of the symbols that the file offers to others.
    pub(crate) fn exported(&self) -> impl Iterator<Item = &'f [u8]> {
        self.symbols_of(|kind| kind == SHT_DYNSYM, true)
    }

    /// Names of the symbols that the file takes from others.
    pub(crate) fn imported(&self) -> impl Iterator<Item = &'f [u8]> {
        self.symbols_of(|kind| kind == SHT_DYNSYM, false)
    }

    /// Names in the symbol tables of the kinds wanted, of those that are defined here or of the others.
    fn symbols_of(&self, wanted: impl Fn(u64) -> bool, defined: bool) -> impl Iterator<Item = &'f [u8]> {
        let elf = *self;
        let tables = self.sections().filter(|section| wanted(section.kind));
        let tables: Vec<_> = tables.filter(|table| table.entry >= 24).collect();
        tables.into_iter().flat_map(move |table| {
            let strings = elf.sections().nth(table.link as usize);
            let strings = strings.and_then(|strings| elf.range(strings.offset, strings.size)).unwrap_or(&[]);
            (0..table.size / table.entry).filter_map(move |index| {
                let symbol = table.offset.checked_add(index * table.entry)?;
                // Section 0 is that of symbols defined elsewhere.
                if (elf.number(symbol + 6, 2)? != 0) != defined {
                    return None;
                }
                let name = usize::try_from(elf.number(symbol, 4)?).ok()?;
                strings.get(name..)?.split(|&byte| byte == 0).next()
            })
        })
    }

    /// Tags and values of what the loader is told.
    fn dynamic(&self) -> impl Iterator<Item = (u64, u64)> {
        let elf = *self;
        self.dynamic_sections().into_iter().flat_map(move |table| elf.entries(table))
    }

    fn dynamic_sections(&self) -> Vec<Section> {
        self.sections().filter(|section| section.kind == SHT_DYNAMIC && section.entry >= 16).collect()
    }

    fn entries(self, table: Section) -> impl Iterator<Item = (u64, u64)> + use<'f> {
        (0..table.size / table.entry).filter_map(move |index| {
            let entry = table.offset.checked_add(index * table.entry)?;
            Some((self.number(entry, 8)?, self.number(entry + 8, 8)?))
        })
    }
}
