//! A heap in memory that several processes map, at whatever addresses.
//!
//! ```text
//!   | SharedHead | ZoneHeader | bins | quick lists | tables | blocks ... |
//! ```
//!
//! Nothing in it is a pointer: positions count from the zone's base, and processes name blocks to each other by their
//! offset from the memory's start.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use alloc_core::backend::Span;
#[cfg(not(all(feature = "libc", unix)))]
use alloc_core::sync::Spin;
use alloc_core::sync::atomic::{AtomicU64, Ordering};
use alloc_core::sync::{Park, RawLock};
use alloc_core::{
    AllocError, Block, Field, Inspect, Ownership, Peek, Stats, Step, Strategy, Visit, Walked, Zone as Range,
    move_block,
};

use crate::check::Fault;
use crate::config::{Config, Policy};
use crate::fit::Fit;
use crate::header::Header;
use crate::inspect::{Figures, header};
use crate::lock::Held;
use crate::size::{ALIGN, MAX_ZONE};
use crate::zone::Zone;
use crate::zone::carve::block_size;
use crate::zone::grow::Growth;

/// How processes wait for each other: by looking again, and giving up their turn where the system lets them. A futex of
/// the process's own would not wake another one's.
#[cfg(all(feature = "libc", unix))]
pub type SharedPark = alloc_core::sync::Yield;

/// How processes wait for each other: by looking again.
#[cfg(not(all(feature = "libc", unix)))]
pub type SharedPark = Spin;

/// The first bytes of the memory.
#[repr(C)]
struct SharedHead<P: Park> {
    /// [`SharedFreeList::SIGNATURE`] once all else is in place.
    signature: AtomicU64,
    /// Bytes of the memory.
    size: u64,
    lock: RawLock<P>,
}

/// A heap in shared memory. Every process makes a value of its own, one by [`create`](Self::create) and the others by
/// [`attach`](Self::attach), and may use the blocks of all.
///
/// A process that dies within a call leaves the lock taken for ever: share memory with who is trusted as much as oneself.
/// Headers are [`None`](crate::header::None), [`Packed`](crate::header::Packed) or [`Sized`](crate::header::Sized): there is
/// nobody to report misuse to.
pub struct SharedFreeList<'m, C: Config = Policy> {
    head: NonNull<SharedHead<SharedPark>>,
    span: Span,
    zone: Zone<C>,
    memory: PhantomData<&'m [u8]>,
}

// SAFETY: the memory is reached with its lock held, and bound to no thread.
unsafe impl<C: Config> Send for SharedFreeList<'_, C> {}
// SAFETY: as above.
unsafe impl<C: Config> Sync for SharedFreeList<'_, C> {}

impl<C: Config> SharedFreeList<'_, C> {
    /// Bytes in front of the zone.
    const LEAD: usize = size_of::<SharedHead<SharedPark>>().next_multiple_of(ALIGN);

    /// Tells a heap of these policies from anything else: every policy that shapes the memory is in it.
    const SIGNATURE: u64 = {
        let () = C::VALID;
        assert!(!C::Header::TRUSTED, "shared heaps have headers `None`, `Packed` or `Sized`");
        let kind = (C::Header::BYTES as u64) << 8
            | (C::Header::PAIR as u64) << 2
            | (C::Fit::BINS as u64) << 1
            | C::Fit::READS_EDGES as u64;
        let quick = <C::Coalesce as crate::coalesce::Coalesce>::QUICK_BYTES as u64;
        // Its third lowest byte is the layout's number: 3 since zones have a boundary of tight blocks.
        0x5354_5241_5403_0000_u64.rotate_left(16) ^ kind ^ quick << 24
    };

    /// The pieces of a memory: its head, and its span.
    fn pieces(memory: NonNull<[u8]>) -> Result<(NonNull<SharedHead<SharedPark>>, Span), AllocError> {
        let start = memory.cast::<u8>();
        if start.addr().get() % ALIGN != 0 || memory.len() < Self::LEAD {
            return Err(AllocError);
        }
        Ok((start.cast(), Span { start, size: memory.len() }))
    }

    /// The address where the zone's memory starts.
    fn zone_start(span: Span) -> NonNull<u8> {
        // SAFETY: `pieces` found the lead to fit.
        unsafe { span.start.add(Self::LEAD) }
    }

    /// Makes a heap of `memory`.
    ///
    /// # Errors
    /// [`AllocError`] when the memory is too small for tables and one block, or does not start on a multiple of 16.
    ///
    /// # Safety
    /// The bytes are readable and writable, and used by nobody but this heap, in this process and in others, for `'m`.
    /// Nobody attaches to them before this returns.
    pub unsafe fn create(memory: NonNull<[u8]>) -> Result<Self, AllocError> {
        let (head, span) = Self::pieces(memory)?;
        let start = Self::zone_start(span);
        // SAFETY: the bytes behind the lead are ours, as the caller promises.
        let zone =
            unsafe { Zone::open(start, span.size - Self::LEAD, Growth::Fixed, false) }.ok_or(AllocError)?;
        let lock = RawLock::with_park(SharedPark::default());
        let entry = SharedHead { signature: AtomicU64::new(0), size: span.size as u64, lock };
        // SAFETY: the lead is ours, aligned to a granule, and large enough.
        unsafe { head.write(entry) };
        // SAFETY: written just now.
        let signature = unsafe { &head.as_ref().signature };
        // Release: who sees the signature sees the heap.
        signature.store(Self::SIGNATURE, Ordering::Release);
        Ok(Self { head, span, zone, memory: PhantomData })
    }

    /// The heap that another value, here or in another process, created in the same memory.
    ///
    /// # Errors
    /// [`AllocError`] when no heap of these policies and of this size is there.
    ///
    /// # Safety
    /// The bytes are those of the memory that [`create`](Self::create) was given, or have never been written to by anybody,
    /// and all of its promises hold for them.
    pub unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, AllocError> {
        let (head, span) = Self::pieces(memory)?;
        // SAFETY: a head is there, or zeros, which are one too.
        let found = unsafe { head.as_ref() };
        // Acquire: see `create`.
        let known = found.signature.load(Ordering::Acquire) == Self::SIGNATURE;
        if !known || found.size != span.size as u64 {
            return Err(AllocError);
        }
        let start = Self::zone_start(span);
        // SAFETY: the phase is less than a granule, and the zone is larger.
        let base = unsafe { start.add(Zone::<C>::PHASE) };
        // SAFETY: `create` opened a zone there, whose base comes first in the memory that is congruent to the phase.
        let zone = unsafe { Zone::at_base(base) };
        Ok(Self { head, span, zone, memory: PhantomData })
    }

    /// Where a block lies in the memory, for another process to find it by [`at`](Self::at).
    #[must_use]
    pub fn offset_of(&self, block: NonNull<u8>) -> usize {
        block.addr().get().wrapping_sub(self.span.start.addr().get())
    }

    /// The byte at an offset, or `None` beyond the memory.
    #[must_use]
    pub fn at(&self, offset: usize) -> Option<NonNull<u8>> {
        // SAFETY: the offset lies in the memory.
        (offset < self.span.size).then(|| unsafe { self.span.start.add(offset) })
    }

    fn lock(&self) -> Held<'_, RawLock<SharedPark>> {
        // SAFETY: `create` wrote a head there, which is shared from then on.
        Held::acquire(unsafe { &self.head.as_ref().lock })
    }

    /// As [`FreeList::check`](crate::FreeList::check).
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Fault> {
        let _held = self.lock();
        self.zone.check()
    }

    fn try_take(&self, size: u32, layout: Layout) -> Option<u32> {
        if layout.align() > C::Header::GRANULE {
            return self.zone.take_aligned(size, layout.align(), layout.size());
        }
        self.zone.take(size, layout.size())
    }

    fn size_of(&self, at: u32, layout: Layout) -> u32 {
        if C::Header::SIZED {
            C::Header::used_size(self.zone, at)
        } else {
            self.zone.size_at(at, layout.size()) as u32
        }
    }
}

// SAFETY: as for `FreeList`: blocks never overlap, by whichever process they were taken, since all work on the one zone with
// its lock held. Moving the value moves no memory.
unsafe impl<C: Config> Strategy for SharedFreeList<'_, C> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let size = block_size::<C>(layout.size());
        let size = u32::try_from(size).ok().filter(|&size| size < MAX_ZONE).ok_or(AllocError)?;
        let _held = self.lock();
        let quick = if layout.align() <= C::Header::GRANULE {
            self.zone.take_quick(size, layout.size())
        } else {
            None
        };
        if let Some(at) = quick {
            return Ok(self.zone.payload(at));
        }
        let taken = match self.try_take(size, layout) {
            None if self.zone.flush() => self.try_take(size, layout),
            taken => taken,
        };
        let at = taken.ok_or(AllocError)?;
        self.zone.header().count(1);
        Ok(self.zone.payload(at))
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        let _held = self.lock();
        let at = self.zone.position(block);
        self.zone.give(at, self.size_of(at, layout));
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        let in_place = {
            let _held = self.lock();
            let at = self.zone.position(block);
            let size = self.size_of(at, old);
            let wanted =
                u32::try_from(self.zone.size_at(at, new.size())).ok().filter(|&size| size < MAX_ZONE);
            wanted.is_some_and(|wanted| wanted <= size || self.zone.extend(at, size, wanted, new.size()))
        };
        if in_place {
            return Ok(block);
        }
        // SAFETY: the caller promises a live block that `old` fits.
        unsafe { move_block(self, block, old, new) }
    }

    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        let in_place = {
            let _held = self.lock();
            let at = self.zone.position(block);
            self.zone.cut_back(
                at,
                self.size_of(at, old),
                self.zone.size_at(at, new.size()) as u32,
                new.size(),
            )
        };
        if in_place {
            return Ok(block);
        }
        // SAFETY: the caller promises a live block that `old` fits.
        unsafe { move_block(self, block, old, new) }
    }
}

impl<C: Config> Inspect for SharedFreeList<'_, C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn stats(&self) -> Stats {
        let _held = self.lock();
        let mut figures = Figures::default();
        figures.add(self.zone);
        figures.stats(self.span.size, self.span.size)
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        let _held = self.lock();
        let range = Range { address: self.span.start.addr().get(), size: self.span.size };
        if self.zone.walk(range, visit).is_break() { Walked::Stopped } else { Walked::Complete }
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        if self.span.contains(address.addr().get()) { Ownership::Mine } else { Ownership::NotMine }
    }

    /// The memory is not ours to give back.
    fn trim(&self, _keep: usize) -> usize {
        0
    }

    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        header::<C>(block, peek, show);
    }
}

impl<C: Config> fmt::Debug for SharedFreeList<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedFreeList").field("size", &self.span.size).finish_non_exhaustive()
    }
}

alloc_core::impl_allocator_api2!(['m, C: Config] SharedFreeList<'m, C>);
