//! The strategies and peers that a run can choose from, each listed the same way.
//!
//! Adding one is one [`Entry`]: a name, where its memory comes from, and how to ask it whether a block is its own.

mod own;
mod peers;

use std::ptr::NonNull;

use alloc_core::Handle;

/// The strategy that ratios are taken against unless the user names another.
pub const BASELINE: &str = "system";

/// One strategy or peer of this build.
#[derive(Debug)]
pub struct Entry {
    /// The name users type.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Its version, for the report.
    pub version: fn() -> String,
    /// Makes it ready and hands out its handle. Called once, before the program's first allocation, hence neither
    /// allocates from the Rust heap nor relies on anything that `main` prepares.
    pub open: fn() -> Handle<'static>,
    /// Whether freed memory is used again. A strategy that does not needs as much memory as a workload requests in all.
    pub reuses: bool,
    /// Where its blocks come from, and how that is shown.
    pub proof: Proof,
}

/// How a strategy shows that a block is its own.
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    /// It is the C library's allocator: that library's counters move with every block.
    CLibrary,
    /// It has memory of its own: the C library's counters stay, and the strategy says whether a block is its own.
    Own {
        /// The function that is asked, by the name its documentation has it under.
        asked: &'static str,
        /// Whether the block of that many bytes is the strategy's.
        owns: fn(NonNull<u8>, usize) -> bool,
    },
}

/// The handle of `system`, which serves every process that was not started for another strategy.
#[must_use]
pub const fn system() -> Handle<'static> {
    own::system()
}

/// All entries of this build, in the order shown.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    own::ENTRIES.iter().chain(peers::ENTRIES)
}

/// The entry of that name. Does not allocate.
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Entry> {
    all().find(|entry| entry.name.as_bytes() == name)
}

/// The names of this build's entries, in the order shown.
#[must_use]
pub fn names() -> Vec<&'static str> {
    all().map(|entry| entry.name).collect()
}

/// Names and features of all peers, compiled in or not.
pub const PEERS: [&str; 4] = ["mimalloc", "jemalloc", "snmalloc", "rpmalloc"];

/// Whether the Cargo feature of that name is in this build; `None` for one that does not exist. `peers` is all of them.
#[must_use]
pub fn has_feature(name: &str) -> Option<bool> {
    match name {
        "peers" => Some(cfg!(feature = "peers")),
        "mimalloc" => Some(cfg!(feature = "mimalloc")),
        "jemalloc" => Some(cfg!(feature = "jemalloc")),
        "snmalloc" => Some(cfg!(feature = "snmalloc")),
        "rpmalloc" => Some(cfg!(feature = "rpmalloc")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names = names();
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name), "{name} is listed twice");
            assert_eq!(find(name.as_bytes()).unwrap().name, *name);
        }
        assert!(find(BASELINE.as_bytes()).is_some());
        assert!(find(b"no such strategy").is_none());
    }

    #[test]
    fn every_peer_has_its_feature() {
        for peer in PEERS {
            let compiled = has_feature(peer).expect("a peer's feature has the peer's name");
            assert_eq!(find(peer.as_bytes()).is_some(), compiled, "{peer}");
        }
        assert_eq!(has_feature("tcmalloc"), None);
    }

    #[test]
    fn every_handle_serves_a_block() {
        use alloc_core::Strategy;
        let layout = std::alloc::Layout::from_size_align(5000, 64).unwrap();
        for entry in all() {
            let heap = (entry.open)();
            let block = heap.allocate(layout).unwrap_or_else(|_| panic!("{} refused", entry.name));
            assert_eq!(block.addr().get() % 64, 0, "{}", entry.name);
            // SAFETY: a live block of 5000 bytes.
            unsafe { block.write_bytes(0xA5, 5000) };
            if let Proof::Own { owns, .. } = entry.proof {
                assert!(owns(block, 5000), "{} does not know its block", entry.name);
            }
            // SAFETY: the block came from this strategy with this layout.
            unsafe { heap.deallocate(block, layout) };
            assert!(!(entry.version)().is_empty());
        }
    }
}
