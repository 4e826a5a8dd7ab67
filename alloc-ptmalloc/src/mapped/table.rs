//! The live blocks with mappings of their own, by address: a hash table with open addressing.
//!
//! Its memory is a span of its own, twice as large whenever it fills up. A probe looks at one slot after the other from the
//! block's own, and a removal moves later blocks back into the gap (Knuth, 6.4 R), so that no slot is ever a tombstone.

use core::ptr::NonNull;

use alloc_core::backend::{Backend, Span};

/// A live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) block: NonNull<u8>,
    /// The mapping, whole.
    pub(super) span: Span,
    /// Bytes that were last asked for.
    pub(super) request: usize,
    /// The alignment that was asked for, at least 16.
    pub(super) align: usize,
}

/// Slots of the first table: a page of them.
const FIRST: usize = 64;

type Slot = Option<Entry>;

/// The blocks.
#[derive(Debug)]
pub(super) struct Table {
    /// Where the slots lie; `None` before the first block.
    span: Option<Span>,
    /// Slots: a power of two, or 0.
    capacity: usize,
    len: usize,
    /// Blocks that are about to be entered. There is a slot for each.
    reserved: usize,
}

impl Table {
    pub(super) const fn new() -> Self {
        Self { span: None, capacity: 0, len: 0, reserved: 0 }
    }

    /// Blocks about to be entered.
    pub(super) fn reserved(&self) -> usize {
        self.reserved
    }

    /// What the table takes.
    pub(super) fn span(&self) -> Option<Span> {
        self.span
    }

    /// Makes sure that one more block can be entered. Whether it can.
    pub(super) fn reserve<B: Backend>(&mut self, backend: &B) -> bool {
        let wanted = self.len + self.reserved + 1;
        // Three quarters: 2.5 looks for a block that is there on average, 8.5 for one that is not (Knuth, 6.4 L), which only
        // misused pointers are. Where the table cannot grow, all slots but one will do: that one ends every probe.
        if wanted * 4 <= self.capacity * 3 || self.grow(backend) || wanted < self.capacity {
            self.reserved += 1;
            return true;
        }
        false
    }

    /// Takes a reservation back.
    pub(super) fn unreserve(&mut self) {
        self.reserved -= 1;
    }

    /// Enters a block, for which a slot was reserved.
    pub(super) fn insert(&mut self, entry: Entry) {
        debug_assert!(self.reserved > 0 && self.len < self.capacity);
        self.reserved -= 1;
        self.place(entry);
    }

    /// The block's entry.
    pub(super) fn get(&self, block: NonNull<u8>) -> Option<Entry> {
        self.read(self.find(block)?)
    }

    /// Takes a block out.
    pub(super) fn remove(&mut self, block: NonNull<u8>) -> Option<Entry> {
        let mut gap = self.find(block)?;
        let removed = self.read(gap);
        let mask = self.capacity - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let Some(entry) = self.read(at) else { break };
            // It may move into the gap unless its own slot lies behind the gap, on the way to where it is.
            let from_home = at.wrapping_sub(self.home(entry.block)) & mask;
            if from_home >= at.wrapping_sub(gap) & mask {
                self.write(gap, Some(entry));
                gap = at;
            }
        }
        self.write(gap, None);
        self.len -= 1;
        removed
    }

    /// Takes a block out for a moment, keeping a slot for its return.
    pub(super) fn lift(&mut self, block: NonNull<u8>) -> Option<Entry> {
        let entry = self.remove(block)?;
        self.reserved += 1;
        Some(entry)
    }

    /// All blocks, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        (0..self.capacity).filter_map(|at| self.read(at))
    }

    /// Gives the table's memory back, and forgets all blocks.
    pub(super) fn release<B: Backend>(&mut self, backend: &B) {
        if let Some(span) = self.span.take() {
            // SAFETY: the span is the backend's, and only the table used it.
            unsafe { backend.release_span(span) };
        }
        *self = Self::new();
    }

    /// Twice the slots. Whether there was memory for them.
    #[cold]
    fn grow<B: Backend>(&mut self, backend: &B) -> bool {
        let bytes = (self.capacity * 2).max(FIRST) * size_of::<Slot>();
        let Ok(span) = backend.allocate_span(bytes, align_of::<Slot>()) else { return false };
        let capacity = (span.size / size_of::<Slot>() + 1).next_power_of_two() / 2;
        let old =
            core::mem::replace(self, Self { span: Some(span), capacity, len: 0, reserved: self.reserved });
        for at in 0..capacity {
            // Written out even where the span reads as zero: what `None` looks like is the compiler's business.
            self.write(at, None);
        }
        for entry in old.iter() {
            self.place(entry);
        }
        if let Some(span) = old.span {
            // SAFETY: the span is the backend's, and only the old table used it.
            unsafe { backend.release_span(span) };
        }
        true
    }

    fn place(&mut self, entry: Entry) {
        let mask = self.capacity - 1;
        let mut at = self.home(entry.block);
        // One slot at least is empty.
        while self.read(at).is_some() {
            at = (at + 1) & mask;
        }
        self.write(at, Some(entry));
        self.len += 1;
    }

    fn find(&self, block: NonNull<u8>) -> Option<usize> {
        if self.capacity == 0 {
            return None;
        }
        let mut at = self.home(block);
        // One slot at least is empty.
        while let Some(entry) = self.read(at) {
            if entry.block == block {
                return Some(at);
            }
            at = (at + 1) & (self.capacity - 1);
        }
        None
    }

    /// The slot where the search for a block starts.
    fn home(&self, block: NonNull<u8>) -> usize {
        // Fibonacci hashing (Knuth, 6.4): the top bits of the product depend on all bits of the address.
        let product = (block.addr().get() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (product >> 32) as usize & (self.capacity - 1)
    }

    fn read(&self, at: usize) -> Slot {
        let slot = self.slot(at)?;
        // SAFETY: a slot of the table, all of which were written when it was made.
        unsafe { slot.read() }
    }

    fn write(&mut self, at: usize, entry: Slot) {
        if let Some(slot) = self.slot(at) {
            // SAFETY: a slot of the table, whose span is ours.
            unsafe { slot.write(entry) };
        }
    }

    fn slot(&self, at: usize) -> Option<NonNull<Slot>> {
        let span = self.span.filter(|_| at < self.capacity)?;
        // SAFETY: the span holds `capacity` slots.
        Some(unsafe { span.start.cast::<Slot>().add(at) })
    }
}
