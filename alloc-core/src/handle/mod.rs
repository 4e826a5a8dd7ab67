//! The erased form of a strategy: two words that can be copied, sent, shared, and called from C.
//!
//! A handle is a data pointer and a pointer to a table of functions ([`VTable`]), the shape of Firedancer's `fd_valloc`.
//! It is itself a [`Strategy`], so that decorators stack over it at run time. One call through it costs an indirect call
//! and the loss of inlining; where the strategy is known at compile time, a type parameter is faster.

mod null;
mod owned;
mod sized;
mod vtable;

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

pub use null::Null;
pub use owned::OwnedHandle;
pub use sized::SizedHandle;
pub use vtable::{RawField, RawLook, RawStep, Resize, VTABLE_ABI, VTable, Visitor};

use crate::error::AllocError;
use crate::field::{Field, Peek};
use crate::inspect::{Inspect, Ownership};
use crate::sized::SizedBlocks;
use crate::stats::Stats;
use crate::strategy::Strategy;
use crate::walk::{Block, Step, Visit, Walked};

/// A borrowed, erased strategy. Two words; copies stand for the same owner.
///
/// ```
/// # #[cfg(feature = "libc")] {
/// use alloc_core::{Handle, Strategy};
/// use std::alloc::Layout;
///
/// let heap = Handle::libc();
/// let layout = Layout::from_size_align(100, 64).unwrap();
/// let block = heap.allocate(layout).unwrap();
/// assert_eq!(block.addr().get() % 64, 0);
/// // SAFETY: the block came from `heap`, with this layout.
/// unsafe { heap.deallocate(block, layout) };
/// # }
/// ```
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Handle<'a> {
    data: *const (),
    vtable: &'static VTable,
    strategy: PhantomData<&'a ()>,
}

// SAFETY: every constructor requires a strategy that is `Sync` (or, for `from_raw`, functions that may be called from any
// thread), and a handle gives no more than shared access to it.
unsafe impl Send for Handle<'_> {}
// SAFETY: as above.
unsafe impl Sync for Handle<'_> {}

const _: () = assert!(size_of::<Handle<'_>>() == 2 * size_of::<usize>());

impl<'a> Handle<'a> {
    /// A handle to `strategy`.
    #[must_use]
    pub const fn new<S: Strategy + Sync>(strategy: &'a S) -> Self {
        Self { data: (&raw const *strategy).cast(), vtable: VTable::of::<S>(), strategy: PhantomData }
    }

    /// A handle to a strategy that knows its blocks' sizes, from which [`Handle::sized`] gets those methods back.
    #[must_use]
    pub const fn new_sized<S: SizedBlocks + Sync>(strategy: &'a S) -> Self {
        Self { data: (&raw const *strategy).cast(), vtable: VTable::of_sized::<S>(), strategy: PhantomData }
    }

    /// A handle from its two words, for strategies written in other languages.
    ///
    /// # Safety
    /// * The functions of `vtable`, called with `data` from any thread, keep the promises of [`Strategy`], and of
    ///   [`SizedBlocks`] where those entries are present.
    /// * `data` stays valid for `'a`.
    #[must_use]
    pub const unsafe fn from_raw(data: *const (), vtable: &'static VTable) -> Self {
        Self { data, vtable, strategy: PhantomData }
    }

    /// The data word.
    #[must_use]
    pub const fn data(self) -> *const () {
        self.data
    }

    /// The table word.
    #[must_use]
    pub const fn vtable(self) -> &'static VTable {
        self.vtable
    }

    /// Whether this is the [null handle](Handle::null).
    #[must_use]
    pub fn is_null(self) -> bool {
        core::ptr::eq(self.vtable, null::vtable())
    }

    /// The same handle with the methods of [`SizedBlocks`], where its strategy has them.
    #[must_use]
    pub const fn sized(self) -> Option<SizedHandle<'a>> {
        SizedHandle::of(self)
    }
}

impl Handle<'static> {
    /// The handle without a strategy: every request fails.
    #[must_use]
    pub fn null() -> Self {
        Self { vtable: null::vtable(), ..Self::new(&Null) }
    }

    /// The handle of the C library's allocator.
    #[cfg(feature = "libc")]
    #[must_use]
    pub const fn libc() -> Self {
        Self::new_sized(&crate::libc_strategy::Libc)
    }
}

impl fmt::Debug for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("name", &self.name()).field("data", &self.data).finish()
    }
}

// SAFETY: every method calls the table's function for it, which keeps the promises of the strategy behind the handle:
// by the shims of `VTable::of`, or by the caller of `from_raw`. Copies and moves change neither word.
unsafe impl Strategy for Handle<'_> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: `data` belongs to this table, by construction.
        let block = unsafe { (self.vtable.allocate)(self.data, layout.align(), layout.size()) };
        NonNull::new(block).ok_or(AllocError)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: `data` belongs to this table, by construction.
        let block = unsafe { (self.vtable.allocate_zeroed)(self.data, layout.align(), layout.size()) };
        NonNull::new(block).ok_or(AllocError)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: `data` belongs to this table; the caller promises a live block that the layout fits.
        unsafe { (self.vtable.deallocate)(self.data, block.as_ptr(), layout.align(), layout.size()) };
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        let (align, old, new) = (new.align(), old.size(), new.size());
        // SAFETY: `data` belongs to this table; the caller's promises are the callee's.
        let grown = unsafe { (self.vtable.grow)(self.data, block.as_ptr(), align, old, new) };
        NonNull::new(grown).ok_or(AllocError)
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let (align, old, new) = (new.align(), old.size(), new.size());
        // SAFETY: `data` belongs to this table; the caller's promises are the callee's.
        let grown = unsafe { (self.vtable.grow_zeroed)(self.data, block.as_ptr(), align, old, new) };
        NonNull::new(grown).ok_or(AllocError)
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        let (align, old, new) = (new.align(), old.size(), new.size());
        // SAFETY: `data` belongs to this table; the caller's promises are the callee's.
        let shrunk = unsafe { (self.vtable.shrink)(self.data, block.as_ptr(), align, old, new) };
        NonNull::new(shrunk).ok_or(AllocError)
    }
}

impl Inspect for Handle<'_> {
    fn name(&self) -> &'static str {
        self.vtable.name(self.data)
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::UNKNOWN;
        // SAFETY: `data` belongs to this table, and `stats` is writable.
        unsafe { (self.vtable.stats)(self.data, &raw mut stats) };
        stats
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        self.vtable.walk(self.data, visit)
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        // SAFETY: `data` belongs to this table; any address may be asked for.
        match unsafe { (self.vtable.owns)(self.data, address.as_ptr()) } {
            0 => Ownership::NotMine,
            1 => Ownership::Mine,
            _ => Ownership::Unknown,
        }
    }

    fn trim(&self, keep: usize) -> usize {
        // SAFETY: `data` belongs to this table.
        unsafe { (self.vtable.trim)(self.data, keep) }
    }

    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        self.vtable.header(self.data, block, peek, show);
    }
}
