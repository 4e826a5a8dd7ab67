//! The last events, kept in the process.
//!
//! A ring of entries in a mapping of its own. Writers take places by counting and never wait; a reader skips an entry
//! that is being written over.

use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::Sink;
use crate::event::{Event, Moment, Place};
use crate::own::{Mapped, Zeroed};
use crate::stack::{self, StackId};
use crate::switch::{self, Word};
use crate::thread::Thread;

/// An event that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Events are numbered from 0 in the order in which they were told.
    pub number: u64,
    /// What happened.
    pub event: Event,
    /// The kernel's number of the thread on which it did.
    pub thread: u32,
    /// From where: see [`frames`](crate::frames).
    pub stack: StackId,
}

/// One place. The words of an entry are valid while `state` is the same before and after they were read.
struct Slot {
    /// 0 for empty, `2 n + 1` while entry `n` is written, `2 n + 2` when it is there.
    state: AtomicU64,
    words: [AtomicU64; 6],
}

// SAFETY: atomics, valid as zeros, without destructors.
unsafe impl Zeroed for Slot {}

struct Ring {
    slots: *const Slot,
    count: usize,
}

/// The sink of the history mode. Off until it is started.
#[derive(Debug)]
pub struct History {
    on: Word,
    slots: AtomicPtr<Slot>,
    count: AtomicU64,
    next: AtomicU64,
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// A history that is off.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            on: Word::new(),
            slots: AtomicPtr::new(core::ptr::null_mut()),
            count: AtomicU64::new(0),
            next: AtomicU64::new(0),
        }
    }

    /// Begins to remember the last `events` (1 to 2^24). A history that was started before goes on with its first size.
    /// Whether there is memory for it.
    pub fn start(&self, events: usize) -> bool {
        let _guard = crate::thread::enter();
        stack::tables();
        if self.ring().is_none() {
            let Some(mapped) = Mapped::<Slot>::new(events.clamp(1, 1 << 24)) else { return false };
            self.count.store(mapped.len() as u64, Ordering::Relaxed);
            // Release: the count is seen with the ring.
            self.slots.store(mapped.leak().as_ptr().cast_mut(), Ordering::Release);
        }
        self.on.set(1);
        true
    }

    /// Forgets nothing, and remembers no more.
    pub fn stop(&self) {
        self.on.set(0);
    }

    fn ring(&self) -> Option<Ring> {
        let slots = self.slots.load(Ordering::Acquire).cast_const();
        (!slots.is_null()).then(|| Ring { slots, count: self.count.load(Ordering::Relaxed) as usize })
    }

    /// Shows the entries that are remembered, from the oldest on.
    pub fn all(&self, show: &mut dyn FnMut(&Entry)) {
        let Some(ring) = self.ring() else { return };
        let end = self.next.load(Ordering::Acquire);
        for number in end.saturating_sub(ring.count as u64)..end {
            if let Some(entry) = ring.read(number) {
                show(&entry);
            }
        }
    }

    /// Shows the entries about a block that contained `address`, from the oldest on.
    pub fn of(&self, address: usize, show: &mut dyn FnMut(&Entry)) {
        let in_place = |place: Place| address.wrapping_sub(place.address) < place.size.max(1);
        // Where the block that contains it starts: who gives a block back by its address alone does not tell its size.
        let mut start = None;
        self.all(&mut |entry| {
            let (left, came) = match entry.event {
                Event::Alloc(place) => (None, Some(place)),
                Event::Free(place) => (Some(place), None),
                Event::Resize { old, new, .. } => (Some(old), Some(new)),
                Event::Refused { .. } => (None, None),
            };
            let left = left.is_some_and(|place| in_place(place) || start == Some(place.address));
            let came = came.filter(|&place| in_place(place));
            let concerns = left || came.is_some();
            if concerns {
                start = came.map(|place| place.address);
            }
            if concerns {
                show(entry);
            }
        });
    }
}

impl Ring {
    fn slot(&self, number: u64) -> &Slot {
        let index = (number % self.count as u64) as usize;
        // SAFETY: `count` slots lie in a mapping that is never given back, and the index is below it.
        let place = unsafe { self.slots.add(index) };
        // SAFETY: as above.
        unsafe { &*place }
    }

    fn write(&self, number: u64, words: [u64; 6]) {
        let slot = self.slot(number);
        slot.state.store(2 * number + 1, Ordering::Relaxed);
        // Release fence: the mark above is seen by whoever sees one of the words below.
        core::sync::atomic::fence(Ordering::Release);
        for (slot, word) in slot.words.iter().zip(words) {
            slot.store(word, Ordering::Relaxed);
        }
        // Release: the words are seen by whoever sees that they are there.
        slot.state.store(2 * number + 2, Ordering::Release);
    }

    fn read(&self, number: u64) -> Option<Entry> {
        let slot = self.slot(number);
        if slot.state.load(Ordering::Acquire) != 2 * number + 2 {
            return None;
        }
        let words = slot.words.each_ref().map(|word| word.load(Ordering::Relaxed));
        // Acquire fence: were a word a later entry's, the mark that came before it would be seen now.
        core::sync::atomic::fence(Ordering::Acquire);
        (slot.state.load(Ordering::Relaxed) == 2 * number + 2).then(|| decode(number, words))
    }
}

const ALLOC: u64 = 0;
const FREE: u64 = 1;
const RESIZE: u64 = 2;
const REFUSED: u64 = 3;

/// An alignment, a power of two or 0, in six bits.
fn log2(align: usize) -> u64 {
    if align == 0 { 63 } else { u64::from(align.trailing_zeros()) }
}

fn power(log2: u64) -> usize {
    if log2 & 63 == 63 { 0 } else { 1 << (log2 & 63) }
}

fn encode(event: Event, thread: u32, stack: StackId) -> [u64; 6] {
    let (kind, old, new) = match event {
        Event::Alloc(place) => (ALLOC, Place::bare(0), place),
        Event::Free(place) => (FREE, Place::bare(0), place),
        Event::Resize { old, new, .. } => (RESIZE, old, new),
        Event::Refused { size, align, .. } => (REFUSED, Place::bare(0), Place { address: 0, size, align }),
    };
    let head = kind | log2(new.align) << 2 | log2(old.align) << 8 | u64::from(thread) << 32;
    [head, new.address as u64, new.size as u64, old.address as u64, old.size as u64, stack.0.into()]
}

fn decode(number: u64, words: [u64; 6]) -> Entry {
    let [head, address, size, old_address, old_size, stack] = words;
    let new = Place { address: address as usize, size: size as usize, align: power(head >> 2) };
    let old = Place { address: old_address as usize, size: old_size as usize, align: power(head >> 8) };
    let event = match head & 3 {
        ALLOC => Event::Alloc(new),
        FREE => Event::Free(new),
        RESIZE => Event::Resize { old, new, before: Moment(0) },
        _ => Event::Refused { size: new.size, align: new.align, kept: None },
    };
    Entry { number, event, thread: (head >> 32) as u32, stack: StackId(stack as u32) }
}

// SAFETY: it writes to a mapping of its own, allocates nothing, takes no lock and does not unwind.
unsafe impl Sink for History {
    #[inline(always)]
    fn may_be_on(&self) -> bool {
        switch::is_any_on()
    }

    #[inline]
    fn is_on(&self) -> bool {
        self.on.get() != 0
    }

    fn record(&self, thread: &Thread, event: Event) {
        let Some(ring) = self.ring() else { return };
        let words = encode(event, thread.id(), stack::of(thread));
        // Relaxed: only the number's uniqueness matters; the entry itself says when it is there.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        ring.write(number, words);
    }
}
