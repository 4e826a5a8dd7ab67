//! The two logs: the state, and every block.

use core::fmt;

use alloc_core::Inspect;
use alloc_core::os::{Break, Pages};
use alloc_core::sync::static_atomic::Ordering;

use alloc_core::backend::Span;

use super::{BlockInfo, MemIo};
use crate::heap::NodeRef;
use crate::lock::Held;

/// A figure, or a dash.
struct Figure(alloc_core::Gauge);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address, or a dash.
struct Address(Option<usize>);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, "{address:#x}"),
            None => f.write_str("-"),
        }
    }
}

impl<K: Break + Pages, P: Pages, const MMAP: usize, const ABORT: bool> MemIo<K, P, MMAP, ABORT> {
    /// Writes the allocator's state: heap bounds, counts of calls and blocks, allocated and free bytes, the largest free
    /// block, and errors. The lock is not held while `text` is written to, so that it may allocate from this heap.
    ///
    /// # Errors
    /// What `text` answers.
    pub fn log_state(&self, text: &mut dyn fmt::Write) -> fmt::Result {
        let stats = self.stats();
        let (bounds, errors) = {
            let _held = Held::acquire(&self.list.lock);
            let nodes = || self.list.heap.nodes().map(NodeRef::span);
            let low = nodes().map(|span| span.start.addr().get()).min();
            let high = nodes().map(Span::end).max();
            ((low, high, nodes().count()), self.list.heap.errors())
        };
        let read = |count: &alloc_core::sync::static_atomic::AtomicUsize| count.load(Ordering::Relaxed);
        writeln!(text, "mem_io: state")?;
        writeln!(text, "  heap: {} to {}, in {} parts", Address(bounds.0), Address(bounds.1), bounds.2)?;
        writeln!(
            text,
            "  bytes: {} allocated, {} free, {} in headers and tables, {} in total",
            Figure(stats.live),
            Figure(stats.free),
            Figure(stats.metadata),
            Figure(stats.committed)
        )?;
        writeln!(
            text,
            "  blocks: {} used, {} free, {} of the used ones mapped",
            Figure(stats.live_blocks),
            Figure(stats.free_blocks),
            Figure(stats.mapped_blocks)
        )?;
        writeln!(text, "  largest free block: {} bytes", Figure(stats.free_largest))?;
        writeln!(
            text,
            "  calls: {} allocations, {} frees, {} resizes, {} refused",
            read(&self.calls.allocations),
            read(&self.calls.frees),
            read(&self.calls.resizes),
            read(&self.calls.refused)
        )?;
        writeln!(text, "  errors: {errors}")
    }

    /// Writes one line for each block, by address: its flags, size, magic number and neighbours. A block whose header is
    /// smashed is shown as corrupted, by what the heap's maps know of it, and the log goes on behind it. The lock is held
    /// block by block: what others do meanwhile may or may not show.
    ///
    /// # Errors
    /// What `text` answers.
    pub fn log_blocks(&self, text: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(text, "mem_io: blocks")?;
        let mut from = 0;
        while let Some(block) = self.block_from(from) {
            let BlockInfo { address, size, flags, magic, previous, next } = block;
            write!(text, "  {address:#x}: {size} bytes, {flags}")?;
            if let Some(magic) = magic {
                write!(text, ", magic {magic:#x}, previous {}, next {}", Address(previous), Address(next))?;
            }
            writeln!(text)?;
            from = address + 1;
        }
        Ok(())
    }

    /// As [`log_state`](Self::log_state), to a file descriptor, without allocating.
    ///
    /// # Errors
    /// When the descriptor does not take the text.
    #[cfg(feature = "libc")]
    pub fn log_state_to_fd(&self, fd: core::ffi::c_int) -> fmt::Result {
        let mut text = super::text::FdText::new(fd);
        self.log_state(&mut text)?;
        text.flush()
    }

    /// As [`log_blocks`](Self::log_blocks), to a file descriptor, without allocating.
    ///
    /// # Errors
    /// When the descriptor does not take the text.
    #[cfg(feature = "libc")]
    pub fn log_blocks_to_fd(&self, fd: core::ffi::c_int) -> fmt::Result {
        let mut text = super::text::FdText::new(fd);
        self.log_blocks(&mut text)?;
        text.flush()
    }
}
