//! The table of functions behind a handle, laid out for C, and the shims that fill it.

use core::alloc::Layout;
use core::ffi::c_void;
use core::ops::ControlFlow;
use core::ptr::NonNull;

use crate::arith::checked_layout;
use crate::error::AllocError;
use crate::field::{Field, Form, Peek};
use crate::sized::SizedBlocks;
use crate::stats::Stats;
use crate::strategy::Strategy;
use crate::walk::{Block, BlockState, Step, Visit, Walked, Zone};

/// The version of [`VTable`]'s layout, its first field.
pub const VTABLE_ABI: u32 = 2;

/// A [`Step`] in C's terms.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawStep {
    /// 0 for a zone, else a [`BlockState`] as its number.
    pub state: u32,
    /// First address.
    pub address: usize,
    /// Bytes.
    pub size: usize,
}

/// A C visitor of a walk: gets its own context and a step, returns 0 to go on.
pub type Visitor = unsafe extern "C" fn(context: *mut c_void, step: *const RawStep) -> u32;

/// A [`Field`] in C's terms.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawField {
    /// The first byte of the name, which lives as long as the program and is not ended by a zero byte.
    pub name: *const u8,
    /// Bytes of the name.
    pub length: usize,
    /// What it holds.
    pub value: u64,
    /// A [`Form`] as its number.
    pub form: u32,
}

/// What a look at a header works with: both functions get the context.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawLook {
    /// Handed to both functions.
    pub context: *mut c_void,
    /// See [`Peek`]: fills `length` bytes at `into` from `address`, and returns 1, or 0.
    pub peek: unsafe extern "C" fn(context: *mut c_void, address: usize, into: *mut u8, length: usize) -> u32,
    /// Takes one field.
    pub show: unsafe extern "C" fn(context: *mut c_void, field: *const RawField),
}

/// The functions of one strategy type. `data` is always the handle's data word, sizes and alignments are bytes, and a
/// null result is a failed request. `include/strata/handle.h` declares the same for C.
///
/// Each function asks of its caller what the method of [`Strategy`] or [`SizedBlocks`] named like it asks, with one
/// exception: `allocate` and `allocate_zeroed` answer null for an alignment that is not a power of two and for sizes
/// beyond [`MAX_SIZE`](crate::arith::MAX_SIZE).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VTable {
    /// [`VTABLE_ABI`].
    pub abi: u32,
    /// Zero.
    pub reserved: u32,
    /// The strategy's name: returns its first byte and stores its length. Not ended by a zero byte.
    pub name: unsafe extern "C" fn(data: *const (), length: *mut usize) -> *const u8,
    /// See [`Strategy::allocate`].
    pub allocate: unsafe extern "C" fn(data: *const (), align: usize, size: usize) -> *mut u8,
    /// See [`Strategy::allocate_zeroed`].
    pub allocate_zeroed: unsafe extern "C" fn(data: *const (), align: usize, size: usize) -> *mut u8,
    /// See [`Strategy::deallocate`].
    pub deallocate: unsafe extern "C" fn(data: *const (), block: *mut u8, align: usize, size: usize),
    /// See [`Strategy::grow`].
    pub grow: Resize,
    /// See [`Strategy::grow_zeroed`].
    pub grow_zeroed: Resize,
    /// See [`Strategy::shrink`].
    pub shrink: Resize,
    /// See [`SizedBlocks::free`]; null where the strategy does not know its blocks' sizes, as are the next two.
    pub free: Option<unsafe extern "C" fn(data: *const (), block: *mut u8)>,
    /// See [`SizedBlocks::usable_size`].
    pub usable_size: Option<unsafe extern "C" fn(data: *const (), block: *const u8) -> usize>,
    /// See [`SizedBlocks::reallocate`].
    pub reallocate: Option<unsafe extern "C" fn(data: *const (), block: *mut u8, size: usize) -> *mut u8>,
    /// See [`Inspect::stats`](crate::Inspect::stats).
    pub stats: unsafe extern "C" fn(data: *const (), stats: *mut Stats),
    /// See [`Inspect::walk`](crate::Inspect::walk); returns [`Walked`] as its number.
    pub walk: unsafe extern "C" fn(data: *const (), visit: Visitor, context: *mut c_void) -> u32,
    /// See [`Inspect::owns`](crate::Inspect::owns); returns [`Ownership`](crate::Ownership) as its number.
    pub owns: unsafe extern "C" fn(data: *const (), address: *const u8) -> u32,
    /// See [`Inspect::trim`](crate::Inspect::trim).
    pub trim: unsafe extern "C" fn(data: *const (), keep: usize) -> usize,
    /// See [`Inspect::header`](crate::Inspect::header), of a block as a walk's step showed it.
    pub header: unsafe extern "C" fn(data: *const (), block: *const RawStep, look: *const RawLook),
}

/// Grows or shrinks `block` from `old_size` to `new_size` bytes, both with `align`.
pub type Resize = unsafe extern "C" fn(
    data: *const (),
    block: *mut u8,
    align: usize,
    old_size: usize,
    new_size: usize,
) -> *mut u8;

impl VTable {
    /// The table of a strategy type.
    #[must_use]
    pub const fn of<S: Strategy>() -> &'static Self {
        &Shims::<S>::PLAIN
    }

    /// The table of a strategy type that knows its blocks' sizes.
    #[must_use]
    pub const fn of_sized<S: SizedBlocks>() -> &'static Self {
        &Shims::<S>::SIZED
    }

    /// The name that the table's strategy gives.
    pub(super) fn name(&self, data: *const ()) -> &'static str {
        let mut length = 0;
        // SAFETY: the callers, methods of a handle, pass the data word that belongs to this table.
        let first = unsafe { (self.name)(data, &raw mut length) };
        // SAFETY: the entry promises `length` bytes at `first` that live as long as the program.
        let bytes = unsafe { core::slice::from_raw_parts(first, length) };
        core::str::from_utf8(bytes).unwrap_or("?")
    }

    /// Walks through the table, giving each step back its Rust form.
    pub(super) fn walk(&self, data: *const (), visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        unsafe extern "C" fn shim(context: *mut c_void, step: *const RawStep) -> u32 {
            // SAFETY: `context` is the pointer to `visit` given below, borrowed for as long as the walk lasts.
            let visit = unsafe { &mut *context.cast::<&mut dyn FnMut(Step) -> Visit>() };
            // SAFETY: the walk passes a step that is valid during the call.
            let step = unsafe { *step };
            match step.into_step() {
                Some(step) => u32::from(visit(step).is_break()),
                None => 0,
            }
        }
        let mut visit = visit;
        // SAFETY: `data` belongs to this table, and `shim` takes exactly the context that is passed along.
        match unsafe { (self.walk)(data, shim, (&raw mut visit).cast()) } {
            0 => Walked::Complete,
            1 => Walked::Stopped,
            _ => Walked::Unsupported,
        }
    }
}

/// What [`VTable::header`] hands through the table.
struct Looking<'a> {
    peek: Peek<'a>,
    show: &'a mut dyn FnMut(Field),
}

impl VTable {
    /// Looks at a header through the table, giving each field back its Rust form.
    pub(super) fn header(&self, data: *const (), block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        unsafe extern "C" fn peeked(
            context: *mut c_void,
            address: usize,
            into: *mut u8,
            length: usize,
        ) -> u32 {
            // SAFETY: `context` is the pointer to `looking` given below, borrowed for as long as the call lasts.
            let looking = unsafe { &*context.cast::<Looking<'_>>() };
            // SAFETY: the strategy passes room for so many bytes, its own.
            let into = unsafe { core::slice::from_raw_parts_mut(into, length) };
            u32::from((looking.peek)(address, into))
        }
        unsafe extern "C" fn shown(context: *mut c_void, field: *const RawField) {
            // SAFETY: as above; the two functions are called one after the other.
            let looking = unsafe { &mut *context.cast::<Looking<'_>>() };
            // SAFETY: the strategy passes a field that is valid during the call.
            let RawField { name, length, value, form } = unsafe { *field };
            // SAFETY: the entry promises `length` bytes that live as long as the program.
            let name = unsafe { core::slice::from_raw_parts(name, length) };
            let form = match form {
                0 => Form::Number,
                2 => Form::Flag,
                _ => Form::Word,
            };
            (looking.show)(Field { name: core::str::from_utf8(name).unwrap_or("?"), value, form });
        }
        let mut looking = Looking { peek, show };
        let look = RawLook { context: (&raw mut looking).cast(), peek: peeked, show: shown };
        let block = RawStep::from_step(Step::Block(block));
        // SAFETY: `data` belongs to this table; block and look are valid during the call, and the two functions take the
        // context that is with them.
        unsafe { (self.header)(data, &raw const block, &raw const look) };
    }
}

impl RawStep {
    const fn from_step(step: Step) -> Self {
        match step {
            Step::Zone(Zone { address, size }) => Self { state: 0, address, size },
            Step::Block(Block { address, size, state }) => Self { state: state as u32, address, size },
        }
    }

    /// `None` for a state that this version does not know.
    const fn into_step(self) -> Option<Step> {
        let (address, size) = (self.address, self.size);
        let state = match self.state {
            0 => return Some(Step::Zone(Zone { address, size })),
            1 => BlockState::Used,
            2 => BlockState::Free,
            3 => BlockState::Cached,
            4 => BlockState::Mapped,
            5 => BlockState::Corrupted,
            6 => BlockState::Metadata,
            _ => return None,
        };
        Some(Step::Block(Block { address, size, state }))
    }
}

/// The functions of a table, one instance for each strategy type. All take the data word of a handle to an `S`, that is,
/// a pointer to a live `S` that other threads may be using too.
struct Shims<S>(S);

impl<S: Strategy> Shims<S> {
    const PLAIN: VTable = VTable {
        abi: VTABLE_ABI,
        reserved: 0,
        name: Self::name,
        allocate: Self::allocate,
        allocate_zeroed: Self::allocate_zeroed,
        deallocate: Self::deallocate,
        grow: Self::grow,
        grow_zeroed: Self::grow_zeroed,
        shrink: Self::shrink,
        free: None,
        usable_size: None,
        reallocate: None,
        stats: Self::stats,
        walk: Self::walk,
        owns: Self::owns,
        trim: Self::trim,
        header: Self::header,
    };

    /// # Safety
    /// `data` points to an `S` that lives for `'s`.
    #[inline]
    unsafe fn strategy<'s>(data: *const ()) -> &'s S {
        // SAFETY: promised by the caller.
        unsafe { &*data.cast::<S>() }
    }

    unsafe extern "C" fn name(data: *const (), length: *mut usize) -> *const u8 {
        // SAFETY: the data word of a handle to an `S`.
        let name = unsafe { Self::strategy(data) }.name();
        // SAFETY: the caller passes a place for the length.
        unsafe { length.write(name.len()) };
        name.as_ptr()
    }

    unsafe extern "C" fn allocate(data: *const (), align: usize, size: usize) -> *mut u8 {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        match checked_layout(size, align) {
            Some(layout) => raw(strategy.allocate(layout)),
            None => core::ptr::null_mut(),
        }
    }

    unsafe extern "C" fn allocate_zeroed(data: *const (), align: usize, size: usize) -> *mut u8 {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        match checked_layout(size, align) {
            Some(layout) => raw(strategy.allocate_zeroed(layout)),
            None => core::ptr::null_mut(),
        }
    }

    unsafe extern "C" fn deallocate(data: *const (), block: *mut u8, align: usize, size: usize) {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        // SAFETY: size and alignment fit a live block, so they are a layout's, and the block is not null.
        let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
        // SAFETY: as above.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: the caller's promises are the callee's.
        unsafe { strategy.deallocate(block, layout) };
    }

    unsafe extern "C" fn grow(
        data: *const (),
        block: *mut u8,
        align: usize,
        old_size: usize,
        new_size: usize,
    ) -> *mut u8 {
        // SAFETY: the data word of a handle to an `S`, and the caller's promises for a resize.
        let Some(resize) = (unsafe { Resizing::<S>::new(data, block, align, old_size, new_size) }) else {
            return core::ptr::null_mut();
        };
        // SAFETY: the caller's promises are the callee's.
        raw(unsafe { resize.strategy.grow(resize.block, resize.old, resize.new) })
    }

    unsafe extern "C" fn grow_zeroed(
        data: *const (),
        block: *mut u8,
        align: usize,
        old_size: usize,
        new_size: usize,
    ) -> *mut u8 {
        // SAFETY: the data word of a handle to an `S`, and the caller's promises for a resize.
        let Some(resize) = (unsafe { Resizing::<S>::new(data, block, align, old_size, new_size) }) else {
            return core::ptr::null_mut();
        };
        // SAFETY: the caller's promises are the callee's.
        raw(unsafe { resize.strategy.grow_zeroed(resize.block, resize.old, resize.new) })
    }

    unsafe extern "C" fn shrink(
        data: *const (),
        block: *mut u8,
        align: usize,
        old_size: usize,
        new_size: usize,
    ) -> *mut u8 {
        // SAFETY: the data word of a handle to an `S`, and the caller's promises for a resize.
        let Some(resize) = (unsafe { Resizing::<S>::new(data, block, align, old_size, new_size) }) else {
            return core::ptr::null_mut();
        };
        // SAFETY: the caller's promises are the callee's.
        raw(unsafe { resize.strategy.shrink(resize.block, resize.old, resize.new) })
    }

    unsafe extern "C" fn stats(data: *const (), stats: *mut Stats) {
        // SAFETY: the data word of a handle to an `S`.
        let figures = unsafe { Self::strategy(data) }.stats();
        // SAFETY: the caller passes a place for the figures.
        unsafe { stats.write(figures) };
    }

    unsafe extern "C" fn walk(data: *const (), visit: Visitor, context: *mut c_void) -> u32 {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        let walked = strategy.walk(&mut |step| {
            let step = RawStep::from_step(step);
            // SAFETY: the caller gave the visitor and its context together; the step is valid during the call.
            match unsafe { visit(context, &raw const step) } {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        });
        walked as u32
    }

    unsafe extern "C" fn owns(data: *const (), address: *const u8) -> u32 {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        match NonNull::new(address.cast_mut()) {
            Some(address) => strategy.owns(address) as u32,
            None => 0,
        }
    }

    unsafe extern "C" fn trim(data: *const (), keep: usize) -> usize {
        // SAFETY: the data word of a handle to an `S`.
        unsafe { Self::strategy(data) }.trim(keep)
    }

    unsafe extern "C" fn header(data: *const (), block: *const RawStep, look: *const RawLook) {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        // SAFETY: the caller passes a step that is valid during the call.
        let step = unsafe { *block }.into_step();
        // SAFETY: the caller passes a look that is valid during the call.
        let look = unsafe { *look };
        let Some(Step::Block(block)) = step else { return };
        let peek = |address: usize, into: &mut [u8]| {
            // SAFETY: the caller gave the function and its context together; the room is a slice's.
            unsafe { (look.peek)(look.context, address, into.as_mut_ptr(), into.len()) == 1 }
        };
        strategy.header(block, &peek, &mut |Field { name, value, form }| {
            let field = RawField { name: name.as_ptr(), length: name.len(), value, form: form as u32 };
            // SAFETY: as above; the field is valid during the call.
            unsafe { (look.show)(look.context, &raw const field) };
        });
    }
}

impl<S: SizedBlocks> Shims<S> {
    const SIZED: VTable = VTable {
        free: Some(Self::free),
        usable_size: Some(Self::usable_size),
        reallocate: Some(Self::reallocate),
        ..Self::PLAIN
    };

    unsafe extern "C" fn free(data: *const (), block: *mut u8) {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        // SAFETY: a live block is not null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: the caller's promises are the callee's.
        unsafe { strategy.free(block) };
    }

    unsafe extern "C" fn usable_size(data: *const (), block: *const u8) -> usize {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        // SAFETY: a live block is not null.
        let block = unsafe { NonNull::new_unchecked(block.cast_mut()) };
        // SAFETY: the caller's promises are the callee's.
        unsafe { strategy.usable_size(block) }
    }

    unsafe extern "C" fn reallocate(data: *const (), block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the data word of a handle to an `S`.
        let strategy = unsafe { Self::strategy(data) };
        // SAFETY: a live block is not null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: the caller's promises are the callee's.
        raw(unsafe { strategy.reallocate(block, size) })
    }
}

/// The arguments of a resize, in Rust's terms.
struct Resizing<'s, S> {
    strategy: &'s S,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
}

impl<S: Strategy> Resizing<'_, S> {
    /// `None` when the new size is no layout's.
    ///
    /// # Safety
    /// `data` is the data word of a handle to an `S`, and `block` a live block that `old_size` and `align` fit.
    #[inline]
    unsafe fn new(
        data: *const (),
        block: *mut u8,
        align: usize,
        old_size: usize,
        new_size: usize,
    ) -> Option<Self> {
        Some(Self {
            // SAFETY: promised by the caller.
            strategy: unsafe { Shims::<S>::strategy(data) },
            // SAFETY: a live block is not null.
            block: unsafe { NonNull::new_unchecked(block) },
            // SAFETY: size and alignment fit a live block, so they are a layout's.
            old: unsafe { Layout::from_size_align_unchecked(old_size, align) },
            new: checked_layout(new_size, align)?,
        })
    }
}

#[inline]
fn raw(result: Result<NonNull<u8>, AllocError>) -> *mut u8 {
    match result {
        Ok(block) => block.as_ptr(),
        Err(AllocError) => core::ptr::null_mut(),
    }
}
