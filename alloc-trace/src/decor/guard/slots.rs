//! Pages of their own for some blocks, with an inaccessible page before and behind.
//!
//! After GWP-ASan (Serebryany et al., 2023): a few slots in one reserved range; a block lies at the end of its slot, so
//! that a read or write past it ends the program where it happens. Freed slots stay inaccessible until all others were
//! used once more.
//!
//! A signal handler that interrupts its own thread here gets no block, since it might be given the very slot that is about to be
//! handed out; what it frees and asks for is a slot that is another's, and may be treated as if it held the lock.

use core::alloc::Layout;
use core::ops::ControlFlow;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alloc_core::arith::{align_down, align_up};
use alloc_core::os::Pages;
use alloc_core::os::unix::Os;
use alloc_core::{Block, BlockState, Misuse, Step, Visit, Zone};

use crate::owned::{Inside, Owned};

/// Slots.
pub(crate) const SLOTS: usize = 64;
/// Pages of a slot's block.
const DATA_PAGES: usize = 4;

/// Written with the lock held; atomic for the sake of handlers.
#[derive(Debug)]
struct Slot {
    user: AtomicUsize,
    size: AtomicUsize,
    live: AtomicBool,
}

impl Slot {
    fn user(&self) -> usize {
        self.user.load(Ordering::Relaxed)
    }

    fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }
}

/// The slots of a guard. They take no address space until the first is used.
#[derive(Debug)]
pub(crate) struct Slots {
    /// The range's first address, exposed; 0 before there is one.
    base: AtomicUsize,
    slots: [Slot; SLOTS],
    /// The slot that is looked at first, behind the lock of all of them.
    next: Owned<usize>,
}

/// The figures of the slots.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) reserved: u64,
    pub(crate) committed: u64,
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
}

fn stride() -> usize {
    (DATA_PAGES + 1) * Os.page_size()
}

/// The range: slots of a guard page and their pages, and a last guard page.
fn range() -> usize {
    SLOTS * stride() + Os.page_size()
}

impl Slots {
    pub(crate) const fn new() -> Self {
        let slots = [const {
            Slot { user: AtomicUsize::new(0), size: AtomicUsize::new(0), live: AtomicBool::new(false) }
        }; SLOTS];
        Self { base: AtomicUsize::new(0), slots, next: Owned::new(0) }
    }

    /// The lock, or nothing in a handler that interrupted the lock's holder.
    fn lock(&self) -> Option<Inside<'_, usize>> {
        self.next.enter()
    }

    /// Takes the lock for a fork.
    pub(crate) fn before_fork(&self) {
        self.next.before_fork();
    }

    /// # Safety
    /// The lock is held by way of `before_fork`.
    pub(crate) unsafe fn after_fork(&self) {
        // SAFETY: promised by the caller.
        unsafe { self.next.after_fork() };
    }

    /// Whether `address` lies in the range.
    pub(crate) fn contains(&self, address: usize) -> bool {
        let base = self.base.load(Ordering::Relaxed);
        base != 0 && address.wrapping_sub(base) < range()
    }

    /// A block in a slot, zeroed, where one is free and the block fits.
    pub(crate) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        let page = Os.page_size();
        if layout.size() > DATA_PAGES * page || layout.align() > page {
            return None;
        }
        let mut next = self.lock()?;
        let base = match self.base.load(Ordering::Relaxed) {
            0 => {
                let start = Os.reserve(align_up(range(), page)?, page).ok()?;
                let base = start.expose_provenance().get();
                self.base.store(base, Ordering::Relaxed);
                base
            }
            base => base,
        };
        let first = *next;
        let index = (0..SLOTS)
            .map(|step| (first + step) % SLOTS)
            .find(|&index| self.slots.get(index).is_some_and(|slot| !slot.is_live()))?;
        let end = base + (index + 1) * stride();
        let user = align_down(end - layout.size(), layout.align()).min(end - 1);
        let user = align_down(user, layout.align());
        let start = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(align_down(user, page)))?;
        // SAFETY: whole pages of the reserved range, of a slot that nobody uses.
        unsafe { Os.commit(start, end - start.addr().get()) }.ok()?;
        let slot = self.slots.get(index)?;
        slot.user.store(user, Ordering::Relaxed);
        slot.size.store(layout.size(), Ordering::Relaxed);
        slot.live.store(true, Ordering::Relaxed);
        *next = (index + 1) % SLOTS;
        NonNull::new(core::ptr::with_exposed_provenance_mut(user))
    }

    fn index(&self, address: usize) -> usize {
        address.wrapping_sub(self.base.load(Ordering::Relaxed)) / stride()
    }

    /// The size of the live block at `user`.
    pub(crate) fn size(&self, user: NonNull<u8>) -> Result<usize, Misuse> {
        let _lock = self.lock();
        match self.slots.get(self.index(user.addr().get())) {
            Some(slot) if slot.user() == user.addr().get() && slot.is_live() => Ok(slot.size()),
            Some(slot) if slot.user() == user.addr().get() => Err(Misuse::DoubleFree),
            Some(slot) if slot.is_live() => Err(Misuse::InteriorPointer),
            _ => Err(Misuse::ForeignPointer),
        }
    }

    /// Gives the block at `user` back: from then on, any access to it ends the program.
    pub(crate) fn free(&self, user: NonNull<u8>) -> Result<(), Misuse> {
        self.size(user)?;
        let page = Os.page_size();
        let index = self.index(user.addr().get());
        let _lock = self.lock();
        // An exchange: the handler of one free may be another.
        let Some(slot) = self.slots.get(index).filter(|slot| slot.live.swap(false, Ordering::Relaxed)) else {
            return Err(Misuse::DoubleFree);
        };
        let end = self.base.load(Ordering::Relaxed) + (index + 1) * stride();
        let first = align_down(slot.user(), page);
        if let Some(start) = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(first)) {
            // Should the system refuse, the pages stay accessible, and only a use after free is missed.
            // SAFETY: whole pages of the slot, whose block was just given up.
            let _ = unsafe { Os.decommit(start, end - first) };
        }
        Ok(())
    }

    pub(crate) fn figures(&self) -> Figures {
        if self.base.load(Ordering::Relaxed) == 0 {
            return Figures::default();
        }
        let page = Os.page_size();
        let _lock = self.lock();
        let mut figures = Figures { reserved: range() as u64, ..Figures::default() };
        for slot in self.slots.iter().filter(|slot| slot.is_live()) {
            let (user, size) = (slot.user(), slot.size());
            figures.bytes += size as u64;
            figures.blocks += 1;
            figures.committed += ((user + size).next_multiple_of(page).max(align_down(user, page) + page)
                - align_down(user, page)) as u64;
        }
        figures
    }

    /// Shows the range as a zone, with its live blocks.
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Visit {
        let base = self.base.load(Ordering::Relaxed);
        if base == 0 {
            return ControlFlow::Continue(());
        }
        visit(Step::Zone(Zone { address: base, size: range() }))?;
        // One at a time, so that the visitor does not run under the lock.
        for slot in &self.slots {
            let (user, size, live) = {
                let _lock = self.lock();
                (slot.user(), slot.size(), slot.is_live())
            };
            if live {
                visit(Step::Block(Block { address: user, size, state: BlockState::Used }))?;
            }
        }
        ControlFlow::Continue(())
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let base = *self.base.get_mut();
        if let Some(start) = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(base)) {
            // SAFETY: the range was reserved whole, and its blocks end with their owner.
            let _ = unsafe { Os.release(start, align_up(range(), Os.page_size()).unwrap_or(range())) };
        }
    }
}
