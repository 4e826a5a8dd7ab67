//! Pages of the running kernel, by the mmap family and sbrk.
//!
//! Every method leaves `errno` as it found it.

#![expect(clippy::disallowed_methods, reason = "this is the floor that the others are sent to")]

use core::ffi::c_int;
use core::ptr::{self, NonNull};

use super::{Advice, Break, Pages};
use crate::arith::{MAX_SIZE, align_down, align_up, is_aligned};
use crate::errno::KeepErrno;
use crate::error::AllocError;
use crate::sync::static_atomic::{AtomicUsize, Ordering};

/// The operating system.
///
/// Mappings are private, anonymous and not counted against swap in advance (`MAP_NORESERVE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Os;

/// Calls that the kernel may ask to repeat are repeated so often at most.
const ATTEMPTS: u32 = 8;

/// Multiples of an alignment that are tried below the place where a mapping without alignment came to lie, when there is no
/// address space for anything else: 4 GiB of other heaps at 64 MiB.
const FURTHEST: usize = 64;

/// 0 until it is known. Relaxed throughout: whoever finds 0 asks the kernel and stores the same number.
static PAGE_SIZE: AtomicUsize = AtomicUsize::new(0);

#[cold]
fn ask_page_size() -> usize {
    let _errno = KeepErrno::new();
    // SAFETY: a query without effect.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // It cannot fail on Linux; 64 KiB is the largest page there and a multiple of all others.
    let size = usize::try_from(answer).ok().filter(|size| size.is_power_of_two()).unwrap_or(1 << 16);
    PAGE_SIZE.store(size, Ordering::Relaxed);
    size
}

/// A new mapping of `size` bytes where the kernel likes it. The caller keeps `errno`.
fn map_anywhere(size: usize, protection: c_int) -> Result<NonNull<u8>, AllocError> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new private mapping at an address of the kernel's choice touches no existing memory.
    let start = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED { Err(AllocError) } else { NonNull::new(start.cast()).ok_or(AllocError) }
}

/// A new mapping of `size` bytes at `address`, if nothing is mapped there. The caller keeps `errno`.
fn map_at(address: usize, size: usize, protection: c_int) -> Option<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let wanted = ptr::without_provenance_mut(address);
    // SAFETY: with this flag, a new private mapping touches no existing memory: where something is mapped, the call fails.
    let start = unsafe { libc::mmap(wanted, size, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    let start = NonNull::new(start.cast())?;
    if start.addr().get() == address {
        return Some(start);
    }
    // Kernels before 4.17 do not know the flag, take the address for a hint, and may choose another one.
    // SAFETY: the mapping is ours, whole, and nobody has seen it.
    let _ = unsafe { unmap(start, size) };
    None
}

/// # Safety
/// The range is page-aligned, the caller's, and unused.
unsafe fn unmap(start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
    // SAFETY: the caller promises an aligned range of its own that nothing uses.
    answer(unsafe { libc::munmap(start.as_ptr().cast(), size) })
}

fn map_aligned(size: usize, align: usize, protection: c_int) -> Result<NonNull<u8>, AllocError> {
    let _errno = KeepErrno::new();
    let page = Os.page_size();
    // The plain size first: kernels fill the address space from one side, so that equal aligned requests tend to fall
    // into place.
    let start = map_anywhere(size, protection)?;
    if align <= page || is_aligned(start.addr().get(), align) {
        return Ok(start);
    }
    // SAFETY: the mapping is ours, whole, and nobody has seen it.
    unsafe { unmap(start, size) }?;

    // Where the kernel put the plain size, room goes on downwards most often, since it hands out addresses from the top. Nothing
    // beyond `size` is taken, so that this also works where address space is limited.
    let near = align_down(start.addr().get(), align);
    for address in [near, near.saturating_sub(align)] {
        if address != 0
            && let Some(start) = map_at(address, size, protection)
        {
            return Ok(start);
        }
    }

    // More than is needed, and the ends given back.
    let total = size.checked_add(align - page).filter(|&total| total <= MAX_SIZE).ok_or(AllocError)?;
    let Ok(raw) = map_anywhere(total, protection) else {
        // Address space is short, and others lie at the multiples nearby. Some further down is free.
        let mut further = (2..=FURTHEST)
            .map(|step| near.saturating_sub(align.saturating_mul(step)))
            .take_while(|&address| address != 0);
        return further.find_map(|address| map_at(address, size, protection)).ok_or(AllocError);
    };
    let first = raw.addr().get();
    let lead = align_up(first, align).ok_or(AllocError)? - first;
    let tail = total - lead - size;
    // SAFETY: `raw` is page-aligned, hence `lead <= align - page`, so that `lead + size <= total`.
    let start = unsafe { raw.add(lead) };
    // SAFETY: `lead + size` bytes lie in the mapping, as above.
    let end = unsafe { start.add(size) };
    // SAFETY: the lead is the unseen mapping's first part.
    if lead > 0 && unsafe { unmap(raw, lead) }.is_err() {
        // SAFETY: the mapping is ours, whole, and nobody has seen it. Should this fail as well, address space is lost,
        // but no memory: none of it was touched.
        let _ = unsafe { unmap(raw, total) };
        return Err(AllocError);
    }
    // SAFETY: the tail is the unseen mapping's last part.
    if tail > 0 && unsafe { unmap(end, tail) }.is_err() {
        // SAFETY: as above, for what is left of the mapping.
        let _ = unsafe { unmap(start, size + tail) };
        return Err(AllocError);
    }
    Ok(start)
}

/// The answer of a call that returns 0 or -1.
fn answer(returned: c_int) -> Result<(), AllocError> {
    if returned == 0 { Ok(()) } else { Err(AllocError) }
}

/// # Safety
/// The range is page-aligned and the caller's, and `advice` loses no contents that are in use.
unsafe fn madvise(start: NonNull<u8>, size: usize, advice: c_int) -> Result<(), AllocError> {
    // SAFETY: the caller promises an aligned range of its own and advice that fits it.
    answer(unsafe { libc::madvise(start.as_ptr().cast(), size, advice) })
}

// SAFETY: `mmap` without an address hands out fresh ranges only, private anonymous pages read as zero until written,
// also after MADV_DONTNEED, and neither these calls nor this file allocate or unwind.
unsafe impl Pages for Os {
    #[inline]
    fn page_size(&self) -> usize {
        match PAGE_SIZE.load(Ordering::Relaxed) {
            0 => ask_page_size(),
            size => size,
        }
    }

    fn reserve(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        map_aligned(size, align, libc::PROT_NONE)
    }

    fn map(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        map_aligned(size, align, libc::PROT_READ | libc::PROT_WRITE)
    }

    unsafe fn commit(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        let _errno = KeepErrno::new();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the caller promises an aligned range of its own; more access breaks no use of it.
        answer(unsafe { libc::mprotect(start.as_ptr().cast(), size, protection) })
    }

    unsafe fn decommit(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        let _errno = KeepErrno::new();
        // Not a new mapping over the old one: should that fail, nothing at all may be left at the address.
        // SAFETY: the caller promises an aligned range of its own whose contents nothing uses.
        unsafe { madvise(start, size, libc::MADV_DONTNEED) }?;
        // SAFETY: as above, and nothing uses the access either.
        answer(unsafe { libc::mprotect(start.as_ptr().cast(), size, libc::PROT_NONE) })
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        let errno = KeepErrno::new();
        for _ in 0..ATTEMPTS {
            // SAFETY: the caller promises an aligned, committed range; populating keeps contents.
            if unsafe { madvise(start, size, libc::MADV_POPULATE_WRITE) }.is_ok() {
                return Ok(());
            }
            if !matches!(errno.now(), libc::EAGAIN | libc::EINTR) {
                break;
            }
        }
        Err(AllocError)
    }

    unsafe fn advise(&self, start: NonNull<u8>, size: usize, advice: Advice) -> Result<(), AllocError> {
        let _errno = KeepErrno::new();
        let advice = match advice {
            Advice::Huge => libc::MADV_HUGEPAGE,
            Advice::NoHuge => libc::MADV_NOHUGEPAGE,
            Advice::DontNeed => libc::MADV_DONTNEED,
        };
        // SAFETY: the caller promises an aligned range of its own, whose contents it gives up for `DontNeed`.
        unsafe { madvise(start, size, advice) }
    }

    unsafe fn release(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        let _errno = KeepErrno::new();
        // SAFETY: the caller's promises are the callee's.
        unsafe { unmap(start, size) }
    }

    unsafe fn remap(
        &self,
        start: NonNull<u8>,
        old_size: usize,
        new_size: usize,
        may_move: bool,
    ) -> Result<NonNull<u8>, AllocError> {
        let _errno = KeepErrno::new();
        if new_size > MAX_SIZE {
            return Err(AllocError);
        }
        let flags = if may_move { libc::MREMAP_MAYMOVE } else { 0 };
        // SAFETY: the caller promises one whole mapping of its own, of which it uses neither what is cut off nor, with
        // `may_move`, the old address; growing takes free address space only.
        let moved = unsafe { libc::mremap(start.as_ptr().cast(), old_size, new_size, flags) };
        if moved == libc::MAP_FAILED { Err(AllocError) } else { NonNull::new(moved.cast()).ok_or(AllocError) }
    }
}

// SAFETY: the kernel makes what lies between the old and the new break readable and writable, and hands it out once.
unsafe impl Break for Os {
    /// The C library keeps the break without a lock: callers take turns, also with others in the process who move it.
    unsafe fn sbrk(&self, delta: isize) -> Result<NonNull<u8>, AllocError> {
        let _errno = KeepErrno::new();
        // SAFETY: the caller promises that nothing uses what a negative `delta` gives back.
        let before = unsafe { libc::sbrk(delta) };
        if before.addr() == usize::MAX {
            Err(AllocError)
        } else {
            NonNull::new(before.cast()).ok_or(AllocError)
        }
    }
}
