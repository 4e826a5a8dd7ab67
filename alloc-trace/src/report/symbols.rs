//! Names of addresses, from the files that the modules were loaded from.

use std::borrow::ToOwned;
use std::collections::HashMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::snapshot::Snapshot;

/// What an address is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name {
    /// The function, demangled; else the module and the offset in it; else the address.
    pub function: String,
    /// The source file; empty where it is not known.
    pub file: String,
    /// The line; 0 where it is not known.
    pub line: u32,
}

/// Looks names up, and remembers them.
#[derive(Default)]
pub struct Symbols {
    loaders: HashMap<String, Option<addr2line::Loader>>,
    names: HashMap<u64, Vec<Name>>,
}

impl core::fmt::Debug for Symbols {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Symbols").field("names", &self.names.len()).finish_non_exhaustive()
    }
}

/// Functions that stand between a program and the traced strategy: a stack begins behind the last of them.
const HIDDEN: [&str; 12] = [
    "alloc_trace::",
    "alloc_core::",
    "alloc_cabi::",
    "__rustc::__r",
    "__rust_",
    "__rdl_",
    "alloc::alloc::",
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
];

impl Symbols {
    /// Nothing looked up yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The functions at a return address, the innermost inlined one first. Never empty.
    pub fn names(&mut self, snapshot: &Snapshot, address: u64) -> &[Name] {
        if !self.names.contains_key(&address) {
            let names = self.look_up(snapshot, address);
            self.names.insert(address, names);
        }
        self.names.get(&address).map_or(&[], Vec::as_slice)
    }

    /// A stack's functions, inlined ones too, from the innermost outwards, without the allocator's own.
    pub fn stack(&mut self, snapshot: &Snapshot, stack: u32) -> Vec<(u64, Name)> {
        let mut names = Vec::new();
        let addresses = snapshot.addresses(stack);
        // All of the library's code is the allocator's, and without debugging information it has no names to know it by.
        let own = addresses.iter().take_while(|&&address| is_preloaded(snapshot, address)).count();
        for &address in addresses.get(own..).filter(|rest| !rest.is_empty()).unwrap_or(&addresses) {
            names.extend(self.names(snapshot, address).iter().map(|name| (address, name.clone())));
        }
        let hidden = |name: &Name| {
            let function = name.function.trim_start_matches(['<', '&']);
            HIDDEN.iter().any(|prefix| function.starts_with(prefix))
        };
        // The tracer's frames need not touch: a capture's inlined helpers lie between them.
        let own = names.iter().rposition(|(_, name)| name.function.contains("alloc_trace::"));
        let first = own.filter(|&own| own < 24).map_or(0, |own| own + 1);
        let more = names.iter().skip(first).take_while(|(_, name)| hidden(name)).count();
        if first + more < names.len() {
            names.drain(..first + more);
        }
        names
    }

    fn look_up(&mut self, snapshot: &Snapshot, address: u64) -> Vec<Name> {
        if address <= 1 {
            let function = if address == 1 { "[outer frames were cut]" } else { "[frame not in the file]" };
            return std::vec![Name { function: function.to_owned(), ..Name::default() }];
        }
        // Within the call, not behind it.
        let inside = address - 1;
        let Some(module) = snapshot.module_of(inside) else {
            return std::vec![Name { function: format!("{address:#x}"), ..Name::default() }];
        };
        let probe = inside.wrapping_sub(module.bias);
        let loader = self
            .loaders
            .entry(module.path.clone())
            .or_insert_with(|| addr2line::Loader::new(&module.path).ok());
        let mut names = Vec::new();
        if let Some(loader) = loader {
            if let Ok(mut frames) = loader.find_frames(probe) {
                while let Ok(Some(frame)) = frames.next() {
                    let Some(function) = &frame.function else { continue };
                    let function =
                        function.demangle().map_or_else(|_| "?".to_owned(), |name| name.to_string());
                    let location = frame.location.as_ref();
                    names.push(Name {
                        function: without_hash(&function),
                        file: location.and_then(|place| place.file).unwrap_or_default().to_owned(),
                        line: location.and_then(|place| place.line).unwrap_or(0),
                    });
                }
            }
            if names.is_empty()
                && let Some(symbol) = loader.find_symbol(probe)
            {
                let function = without_hash(&addr2line::demangle_auto(symbol.into(), None));
                names.push(Name { function, ..Name::default() });
            }
        }
        if names.is_empty() {
            let file = module.path.rsplit('/').next().unwrap_or("?");
            names.push(Name { function: format!("{file}+{probe:#x}"), ..Name::default() });
        }
        names
    }
}

/// Whether a return address lies in `libstrata.so`.
fn is_preloaded(snapshot: &Snapshot, address: u64) -> bool {
    let module = snapshot.module_of(address.saturating_sub(1));
    module.is_some_and(|module| {
        module.path.rsplit('/').next().is_some_and(|file| file.starts_with("libstrata.so"))
    })
}

/// A Rust name without the hash at its end.
fn without_hash(name: &str) -> String {
    match name.rsplit_once("::h") {
        Some((front, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            front.to_owned()
        }
        _ => name.to_owned(),
    }
}
