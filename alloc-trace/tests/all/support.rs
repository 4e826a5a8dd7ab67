//! What several tests use.

use std::alloc::Layout;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use alloc_freelist::coalesce::Immediate;
use alloc_freelist::fit::Good;
use alloc_freelist::{LockedFreeList, Policy, header};

/// Policies with which a free list knows its blocks' sizes.
pub(crate) type Sized = Policy<Good, header::Sized, Immediate>;
/// A heap that threads share, and that knows its blocks' sizes.
pub(crate) type FreeHeap = LockedFreeList<Sized>;

/// A fresh heap.
pub(crate) fn heap() -> FreeHeap {
    LockedFreeList::with_policy()
}

/// A layout.
pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// A file that is removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A file of this name, in a folder of the test run's.
    pub(crate) fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        Self(folder.join(format!("{}-{name}", std::process::id())))
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// The file, created, open for appending.
    pub(crate) fn create(&self) -> OwnedFd {
        fs::OpenOptions::new().create(true).append(true).open(&self.0).unwrap().into()
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The number of a descriptor.
pub(crate) fn number(fd: &OwnedFd) -> i32 {
    fd.as_raw_fd()
}
