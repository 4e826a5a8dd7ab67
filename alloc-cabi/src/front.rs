//! `ptmalloc`, in front of the dispatch: where it serves the process, C's functions take from its thread caches before they
//! ask anybody, and then ask it directly.

use core::alloc::Layout;
use core::ffi::c_int;
use core::ptr::NonNull;

use alloc_core::backend::PagesBackend;
use alloc_core::os::unix::Os;
use alloc_core::sync::static_atomic::{AtomicBool, Ordering};
use alloc_core::{
    AllocError, Block, Field, Inspect, Ownership, Peek, SizedBlocks, Stats, Step, Strategy, Visit, Walked,
};
use alloc_ptmalloc::{CheckLevel, Config, Era, HugePages, LibrarySlot, Ptmalloc};

use crate::place::Place;
use crate::registry::Served;
use crate::settings::{self, Choice, Settings};
use crate::spare::{self, BESIDE, C_ALIGN};

// Parameters of `mallopt`, as in `malloc.h`.
const M_TRIM_THRESHOLD: c_int = -1;
const M_TOP_PAD: c_int = -2;
const M_MMAP_THRESHOLD: c_int = -3;
const M_MMAP_MAX: c_int = -4;
const M_PERTURB: c_int = -6;
const M_ARENA_MAX: c_int = -8;

/// The process's own heap.
pub(crate) type Heap = Ptmalloc<PagesBackend<Os>, LibrarySlot>;

static HEAP: Place<Heap> = Place::new();
static SERVES: AtomicBool = AtomicBool::new(false);

/// Makes the heap as the settings want it. It takes memory at its first request.
///
/// # Safety
/// Called once, and before any other function here but [`serving`] and [`serve`].
pub(crate) unsafe fn prepare(settings: &Settings<'_>) {
    // SAFETY: there is one such value, in a static.
    let heap = unsafe { Heap::for_library(config(settings), spare::take_back) };
    // SAFETY: once, and first, as the caller promises.
    unsafe { HEAP.fill(heap) };
}

fn config(settings: &Settings<'_>) -> Config {
    let tuning = &settings.tuning;
    let era = match tuning.era.value {
        settings::Era::Classic => Era::Classic,
        settings::Era::Modern => Era::Modern,
        settings::Era::Ours => Era::Ours,
    };
    let usual = Config::new(era);
    let fixed = tuning.mmap_threshold.value.or(tuning.trim_threshold.value).is_some();
    Config {
        arena_max: tuning.arena_max.value.unwrap_or(usual.arena_max),
        mmap_threshold: tuning.mmap_threshold.value.unwrap_or(usual.mmap_threshold),
        // As in glibc, a threshold that was set by hand stays.
        dynamic_threshold: usual.dynamic_threshold && !fixed,
        n_mmaps_max: tuning.mmap_max.value.unwrap_or(usual.n_mmaps_max),
        trim_threshold: tuning.trim_threshold.value.unwrap_or(usual.trim_threshold),
        top_pad: tuning.top_pad.value.unwrap_or(usual.top_pad),
        tcache_max: tuning.tcache_max.value.unwrap_or(usual.tcache_max),
        tcache_bytes: tuning.tcache_bytes.value.unwrap_or(usual.tcache_bytes),
        purge_delay: tuning
            .purge_delay
            .value
            .map_or(usual.purge_delay, |delay| u32::try_from(delay).unwrap_or(u32::MAX)),
        huge_pages: match tuning.huge_pages.value {
            None => usual.huge_pages,
            Some(0) => HugePages::Never,
            Some(1) => HugePages::Large,
            Some(_) => HugePages::Always,
        },
        perturb: settings.perturb.value,
        check: match settings.check.value {
            0 | 1 => CheckLevel::Default,
            3 => CheckLevel::Full,
            // With red zones around blocks, a check of the whole heap at each step finds little more.
            _ => CheckLevel::Hardened,
        },
        on_misuse: settings.debug.on_fault.value,
        ..usual
    }
}

/// The heap.
///
/// # Safety
/// [`prepare`] was called.
pub(crate) unsafe fn heap() -> &'static Heap {
    // SAFETY: promised by the caller.
    unsafe { HEAP.get() }
}

/// What the heap refused, from the reserve: where a signal handler interrupted the heap at work and asks for it.
#[cold]
#[inline(never)]
pub(crate) fn instead(layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: whoever was refused by the heap had it.
    if unsafe { heap() }.is_interrupted() { BESIDE.allocate(layout) } else { Err(AllocError) }
}

/// As [`instead`], for a block of zeroes.
#[cold]
#[inline(never)]
fn zeroes_instead(layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: as there.
    if unsafe { heap() }.is_interrupted() { BESIDE.allocate_zeroed(layout) } else { Err(AllocError) }
}

/// The heap as a strategy whose handle can be made before the heap is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Front;

/// A method of a trait that is the heap's.
macro_rules! forward {
    (fn $method:ident(&self $(, $argument:ident: $type:ty)*) $(-> $answer:ty)?) => {
        #[inline]
        fn $method(&self $(, $argument: $type)*) $(-> $answer)? {
            // SAFETY: a strategy is named to others after `prepare` only.
            unsafe { heap() }.$method($($argument),*)
        }
    };
    (unsafe fn $method:ident(&self $(, $argument:ident: $type:ty)*) $(-> $answer:ty)?) => {
        #[inline]
        unsafe fn $method(&self $(, $argument: $type)*) $(-> $answer)? {
            // SAFETY: as above.
            let heap = unsafe { heap() };
            // SAFETY: the caller's promises are the callee's.
            unsafe { heap.$method($($argument),*) }
        }
    };
}

// SAFETY: every method is the heap's, and blocks of the reserve are known to it by `spare::take_back`.
unsafe impl Strategy for Front {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: as in `forward`.
        unsafe { heap() }.allocate(layout).or_else(|_| instead(layout))
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: as in `forward`.
        unsafe { heap() }.allocate_zeroed(layout).or_else(|_| zeroes_instead(layout))
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // By its size the heap would take it for one of its own.
        if BESIDE.owns(block) {
            // SAFETY: the caller promises a live block.
            return unsafe { BESIDE.free(block) };
        }
        // SAFETY: as in `forward`.
        let heap = unsafe { heap() };
        // SAFETY: the caller promises a live block, and it is not the reserve's.
        unsafe { heap.deallocate(block, layout) }
    }

    forward!(unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError>);
    forward!(unsafe fn grow_zeroed(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError>);
    forward!(unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError>);
}

// SAFETY: as above.
unsafe impl SizedBlocks for Front {
    forward!(unsafe fn free(&self, block: NonNull<u8>));

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        if BESIDE.owns(block) {
            // SAFETY: the caller promises a live block.
            return unsafe { BESIDE.size(block) };
        }
        // SAFETY: as in `forward`.
        let heap = unsafe { heap() };
        // SAFETY: the caller promises a live block, and it is not the reserve's.
        unsafe { heap.usable_size(block) }
    }

    #[inline]
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        if BESIDE.owns(block) {
            let new = Layout::from_size_align(new_size, C_ALIGN).map_err(|_| AllocError)?;
            // SAFETY: the caller promises a live block; the new one has so many bytes.
            return unsafe { BESIDE.replace(block, new_size, self.allocate(new)) };
        }
        // SAFETY: as in `forward`.
        let heap = unsafe { heap() };
        // SAFETY: the caller promises a live block, and it is not the reserve's.
        unsafe { heap.reallocate(block, new_size) }
    }
}

impl Inspect for Front {
    forward!(fn name(&self) -> &'static str);
    forward!(fn stats(&self) -> Stats);
    forward!(fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked);

    #[inline]
    fn owns(&self, address: NonNull<u8>) -> Ownership {
        if BESIDE.owns(address) {
            return Ownership::Mine;
        }
        // SAFETY: as in `forward`.
        unsafe { heap() }.owns(address)
    }

    forward!(fn trim(&self, keep: usize) -> usize);
    forward!(fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)));
}

/// Lets the heap serve requests here, before the dispatch.
///
/// # Safety
/// [`prepare`] was called, and the heap is the process's strategy.
pub(crate) unsafe fn serve() {
    LibrarySlot::serve_at_hand();
    // Release: whoever sees it finds the heap whole.
    SERVES.store(true, Ordering::Release);
}

/// The heap, if it is what `served` stands for.
pub(crate) fn heap_of(served: &Served) -> Option<&'static Heap> {
    // SAFETY: a strategy is named to others after `prepare` only.
    (served.choice == Choice::Ptmalloc).then(|| unsafe { heap() })
}

/// Sets one of the parameters of `malloc.h`. Whether that had an effect.
pub(crate) fn tune(heap: &Heap, parameter: c_int, value: c_int) -> bool {
    // As in glibc, a negative threshold is the largest there is.
    let size = usize::try_from(value).unwrap_or(usize::MAX);
    match parameter {
        M_TRIM_THRESHOLD => heap.set_trim_threshold(size),
        M_TOP_PAD => heap.set_top_pad(size),
        M_MMAP_THRESHOLD => heap.set_mmap_threshold(size),
        M_MMAP_MAX => heap.set_mmap_max(size),
        M_ARENA_MAX => heap.set_arena_max(size),
        // Its low byte, as in glibc.
        M_PERTURB => heap.set_perturb((value & 0xff).unsigned_abs() as u8),
        _ => return false,
    }
    .is_ok()
}

/// The heap, where it serves.
#[inline(always)]
pub(crate) fn serving() -> Option<&'static Heap> {
    // Acquire: as in `serve`. No dearer than Relaxed on x86-64.
    // SAFETY: it serves after `prepare` only.
    if SERVES.load(Ordering::Acquire) { Some(unsafe { heap() }) } else { None }
}
