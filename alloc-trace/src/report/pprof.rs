//! pprof's `profile.proto`, compressed, with the four values that heap profiles have by convention.

use std::collections::HashMap;
use std::string::String;
use std::vec::Vec;

use super::snapshot::{Module, Snapshot};
use super::symbols::{Name, Symbols};
use crate::format::varint;

/// A message of protocol buffers, as bytes.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u64, wire: u64) {
        varint::put(field << 3 | wire, |byte| self.0.push(byte));
    }

    /// An integer; 0 is the default, and is left out.
    fn integer(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.key(field, 0);
            varint::put(value, |byte| self.0.push(byte));
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        varint::put(bytes.len() as u64, |byte| self.0.push(byte));
        self.0.extend_from_slice(bytes);
    }

    fn packed(&mut self, field: u64, values: &[u64]) {
        let mut packed = Self::default();
        for &value in values {
            varint::put(value, |byte| packed.0.push(byte));
        }
        self.bytes(field, &packed.0);
    }

    fn message(&mut self, field: u64, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }
}

/// Texts by number; the empty one is 0.
struct Strings {
    numbers: HashMap<String, u64>,
    list: Vec<String>,
}

impl Strings {
    fn number(&mut self, text: &str) -> u64 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.list.len() as u64;
        self.list.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }
}

#[derive(Default)]
struct Tables {
    locations: HashMap<(u64, Vec<Name>), u64>,
    functions: HashMap<(String, String), u64>,
}

/// The snapshot as a compressed pprof profile: allocated and live objects and bytes by stack, live bytes shown first.
#[must_use]
pub fn pprof(snapshot: &Snapshot, symbols: &mut Symbols) -> Vec<u8> {
    let mut strings = Strings { numbers: HashMap::new(), list: Vec::new() };
    strings.number("");
    let mut tables = Tables::default();
    let mut profile = Message::default();
    let types = [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ];
    for (kind, unit) in types {
        let (kind, unit) = (strings.number(kind), strings.number(unit));
        profile.message(1, |value| {
            value.integer(1, kind);
            value.integer(2, unit);
        });
    }
    let mut definitions = Message::default();
    for (&stack, row) in &snapshot.rows {
        let frames = symbols.stack(snapshot, stack);
        let locations: Vec<u64> = frames
            .chunk_by(|(one, _), (other, _)| one == other)
            .filter_map(|group| {
                let address = group.first()?.0;
                let names: Vec<Name> = group.iter().map(|(_, name)| name.clone()).collect();
                Some(location(snapshot, address, names, &mut tables, &mut strings, &mut definitions))
            })
            .collect();
        profile.message(2, |sample| {
            sample.packed(1, &locations);
            sample.packed(2, &[row.allocs, row.alloc_bytes, row.live, row.live_bytes]);
        });
    }
    // The first mapping is the one that readers name the profile after.
    let program = snapshot.program();
    let first = |module: &Module| program.is_some_and(|program| core::ptr::eq(program, module));
    let mut modules: Vec<(usize, &Module)> = snapshot.modules.iter().enumerate().collect();
    modules.sort_by_key(|&(_, module)| !first(module));
    for (index, module) in modules {
        let hex = module.build_id.iter().fold(String::new(), |mut text, byte| {
            let _ = core::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
            text
        });
        let (path, id) = (strings.number(&module.path), strings.number(&hex));
        profile.message(3, |mapping| {
            mapping.integer(1, index as u64 + 1);
            mapping.integer(2, module.low);
            mapping.integer(3, module.high);
            mapping.integer(5, path);
            mapping.integer(6, id);
            for field in 7..=10 {
                mapping.integer(field, 1);
            }
        });
    }
    profile.0.append(&mut definitions.0);
    let (space, bytes, shown) =
        (strings.number("space"), strings.number("bytes"), strings.number("inuse_space"));
    for text in &strings.list {
        profile.bytes(6, text.as_bytes());
    }
    profile.integer(9, snapshot.epoch_nanos);
    profile.integer(10, snapshot.totals.nanos);
    profile.message(11, |period| {
        period.integer(1, space);
        period.integer(2, bytes);
    });
    profile.integer(12, snapshot.rate.max(1));
    profile.integer(14, shown);
    gzip(&profile.0)
}

fn location(
    snapshot: &Snapshot,
    address: u64,
    names: Vec<Name>,
    tables: &mut Tables,
    strings: &mut Strings,
    definitions: &mut Message,
) -> u64 {
    let key = (address, names);
    if let Some(&number) = tables.locations.get(&key) {
        return number;
    }
    let number = tables.locations.len() as u64 + 1;
    let inside = address.saturating_sub(1);
    let mapping = snapshot.modules.iter().rposition(|module| module.low <= inside && inside < module.high);
    let mut lines = Vec::new();
    for name in &key.1 {
        let next = tables.functions.len() as u64 + 1;
        let known = tables.functions.entry((name.function.clone(), name.file.clone())).or_insert(next);
        if *known == next {
            let (function, file) = (strings.number(&name.function), strings.number(&name.file));
            definitions.message(5, |entry| {
                entry.integer(1, next);
                entry.integer(2, function);
                entry.integer(3, function);
                entry.integer(4, file);
            });
        }
        lines.push((*known, u64::from(name.line)));
    }
    definitions.message(4, |entry| {
        entry.integer(1, number);
        entry.integer(2, mapping.map_or(0, |index| index as u64 + 1));
        entry.integer(3, address);
        for (function, line) in lines {
            entry.message(4, |entry| {
                entry.integer(1, function);
                entry.integer(2, line);
            });
        }
    });
    tables.locations.insert(key, number);
    number
}

/// The bytes in a gzip member.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = std::vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(miniz_oxide::deflate::compress_to_vec(bytes, 6));
    out.extend(crc32(bytes).to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

/// The checksum of gzip.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_gzips() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
