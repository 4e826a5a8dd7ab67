//! Which blocks are live: a table from addresses to sizes and stacks, in 64 parts with a lock each.

use super::sync::Mutex;
use super::sync::atomic::{AtomicU64, Ordering};
use crate::key::mix;
use crate::own::Mapped;
use crate::stack::StackId;

/// Models have one, and few places in it.
const PARTS: usize = if cfg!(alloc_loom) { 1 } else { 64 };
const FIRST: usize = if cfg!(alloc_loom) { 4 } else { 512 };

/// Address (0 for an empty place), size, stack.
type Entry = [AtomicU64; 3];

/// One part: open addressing, at most three quarters full.
#[derive(Debug)]
struct Part {
    table: Option<Mapped<Entry>>,
    count: usize,
}

/// The table. Takes memory with the first blocks, and grows.
#[derive(Debug)]
pub(crate) struct Live {
    parts: [Mutex<Part>; PARTS],
}

impl Live {
    #[cfg(alloc_loom)]
    pub(crate) fn new() -> Self {
        Self { parts: core::array::from_fn(|_| Mutex::new(Part { table: None, count: 0 })) }
    }

    #[cfg(not(alloc_loom))]
    pub(crate) const fn new() -> Self {
        Self { parts: [const { Mutex::new(Part { table: None, count: 0 }) }; PARTS] }
    }

    fn part(&self, address: usize) -> Option<&Mutex<Part>> {
        self.parts.get((mix(address as u64) >> 58) as usize % PARTS)
    }

    /// Remembers a block; what was known at its address is handed back. `None` also where there is no memory.
    pub(crate) fn insert(&self, address: usize, size: usize, stack: StackId) -> Option<(usize, StackId)> {
        self.part(address)?.lock().insert(address, size, stack)
    }

    /// Forgets a block, and tells what was known of it.
    pub(crate) fn remove(&self, address: usize) -> Option<(usize, StackId)> {
        self.part(address)?.lock().remove(address)
    }

    /// Forgets all blocks.
    pub(crate) fn clear(&self) {
        for part in &self.parts {
            *part.lock() = Part { table: None, count: 0 };
        }
    }

    /// In the child after `fork`.
    #[cfg(not(alloc_loom))]
    pub(crate) fn after_fork(&self) {
        for part in &self.parts {
            // SAFETY: the caller is the child's only thread, which goes on to forget all blocks.
            unsafe { part.reset_after_fork() };
            // Not dropped: an interrupted holder may have left it half changed.
            core::mem::forget(core::mem::replace(&mut *part.lock(), Part { table: None, count: 0 }));
        }
    }
}

fn start(address: u64, length: usize) -> usize {
    mix(address) as usize & (length - 1)
}

fn read(entry: &Entry) -> (u64, u64, u64) {
    let [address, size, stack] = entry;
    (address.load(Ordering::Relaxed), size.load(Ordering::Relaxed), stack.load(Ordering::Relaxed))
}

fn write(entry: &Entry, (address, size, stack): (u64, u64, u64)) {
    for (place, word) in entry.iter().zip([address, size, stack]) {
        place.store(word, Ordering::Relaxed);
    }
}

impl Part {
    fn insert(&mut self, address: usize, size: usize, stack: StackId) -> Option<(usize, StackId)> {
        let length = self.table.as_ref().map_or(0, |table| table.len());
        if self.count * 4 >= length * 3 {
            self.grow((length * 2).max(FIRST));
        }
        let before = put(self.table.as_ref()?, (address as u64, size as u64, stack.0.into()));
        match before {
            Put::Fresh => self.count += 1,
            Put::Replaced(size, stack) => return Some((size as usize, StackId(stack as u32))),
            Put::Full => {}
        }
        None
    }

    fn grow(&mut self, length: usize) {
        // Without memory the table stays as it is, and new blocks are not remembered once it is full.
        let Some(larger) = Mapped::<Entry>::new(length) else { return };
        for entry in self.table.iter().flat_map(|table| table.iter()).map(read).filter(|entry| entry.0 != 0) {
            put(&larger, entry);
        }
        self.table = Some(larger);
    }

    fn remove(&mut self, address: usize) -> Option<(usize, StackId)> {
        let table = self.table.as_ref()?;
        let mask = table.len() - 1;
        let mut hole = start(address as u64, table.len());
        let (_, size, stack) = loop {
            match read(table.get(hole)?) {
                (0, ..) => return None,
                found if found.0 == address as u64 => break found,
                _ => hole = (hole + 1) & mask,
            }
        };
        // Those behind move up, as far as their own start allows, so that no search ends at the hole.
        let mut next = hole;
        loop {
            next = (next + 1) & mask;
            let entry = read(table.get(next)?);
            if entry.0 == 0 {
                break;
            }
            let home = start(entry.0, table.len());
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(hole) & mask {
                write(table.get(hole)?, entry);
                hole = next;
            }
        }
        write(table.get(hole)?, (0, 0, 0));
        self.count -= 1;
        Some((size as usize, StackId(stack as u32)))
    }
}

enum Put {
    Fresh,
    Replaced(u64, u64),
    Full,
}

fn put(table: &[Entry], entry: (u64, u64, u64)) -> Put {
    let first = start(entry.0, table.len());
    // One place stays empty, at which searches end.
    for step in 0..table.len() - 1 {
        let Some(place) = table.get((first + step) & (table.len() - 1)) else { break };
        let found = read(place);
        if found.0 == 0 || found.0 == entry.0 {
            write(place, entry);
            return if found.0 == 0 { Put::Fresh } else { Put::Replaced(found.1, found.2) };
        }
    }
    Put::Full
}

#[cfg(all(test, not(alloc_loom)))]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((any::<bool>(), 1..400_usize, any::<u32>()), 0..3000)) {
            let live = Live::new();
            let mut model = HashMap::new();
            for (insert, address, number) in steps {
                let address = address * 16;
                let value = (number as usize, StackId(number));
                if insert {
                    prop_assert_eq!(live.insert(address, value.0, value.1), model.insert(address, value));
                } else {
                    prop_assert_eq!(live.remove(address), model.remove(&address));
                }
            }
            for (address, value) in model {
                prop_assert_eq!(live.remove(address), Some(value));
            }
        }
    }

    #[test]
    fn grows_far() {
        let live = Live::new();
        for address in 1..300_000 {
            assert_eq!(live.insert(address, address * 2, StackId(7)), None);
        }
        for address in 1..300_000 {
            assert_eq!(live.remove(address), Some((address * 2, StackId(7))));
        }
        assert_eq!(live.remove(1), None);
    }
}
