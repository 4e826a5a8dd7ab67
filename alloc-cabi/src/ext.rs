//! glibc's functions that look into the allocator or tune it, answered for whichever strategy serves. Where that is the
//! C library's own, its own functions answer.

use core::ffi::c_int;

use alloc_core::Inspect;
use alloc_core::errno::KeepErrno;

use crate::figures::{self, Cut};
use crate::registry::Served;
use crate::settings::Choice;
use crate::text::{Text, write_all};
use crate::{boot, front, real, show};

/// `M_PERTURB` of `malloc.h`, with an effect for every strategy. The other parameters are `ptmalloc`'s (`front`).
const M_PERTURB: c_int = -6;

/// The strategy that serves, if that is the C library's.
fn c_library(served: &Served) -> Option<()> {
    (served.choice == Choice::Libc).then_some(())
}

/// Sets one of the parameters of `malloc.h`. Answers 1 where that has an effect and 0 where not: `M_PERTURB` has one for
/// every strategy, `M_MMAP_THRESHOLD`, `M_MMAP_MAX`, `M_TRIM_THRESHOLD`, `M_TOP_PAD` and `M_ARENA_MAX` for `ptmalloc`, and the
/// C library's own has what it has.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn mallopt(parameter: c_int, value: c_int) -> c_int {
    let Some(served) = boot::active() else { return 0 };
    if let Some(heap) = front::heap_of(served) {
        return c_int::from(front::tune(heap, parameter, value));
    }
    if parameter == M_PERTURB {
        // Its low byte, as in glibc.
        boot::set_perturb((value & 0xff).unsigned_abs() as u8);
        return 1;
    }
    // SAFETY: `mallopt` takes any two numbers.
    c_library(served).and_then(|()| unsafe { real::mallopt(parameter, value) }).unwrap_or(0)
}

fn cut() -> Cut {
    boot::active().map_or(Cut::of(&alloc_core::Stats::UNKNOWN), |served| Cut::of(&served.handle.stats()))
}

/// The process's figures: bytes of the heap, free blocks, cached blocks (`smblks`, `fsmblks`), mapped blocks, bytes used
/// and free. What a strategy does not know is 0.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn mallinfo2() -> libc::mallinfo2 {
    let cut = cut();
    #[expect(clippy::cast_possible_truncation, reason = "bytes in memory are a `usize`'s")]
    let size = |value: u64| value as usize;
    libc::mallinfo2 {
        arena: size(cut.arena),
        ordblks: size(cut.free_blocks),
        smblks: size(cut.cached_blocks),
        hblks: size(cut.mapped_blocks),
        hblkhd: size(cut.mapped),
        usmblks: 0,
        fsmblks: size(cut.cached),
        uordblks: size(cut.used),
        fordblks: size(cut.free),
        keepcost: 0,
    }
}

/// As [`mallinfo2`], in the old structure: figures that an `int` does not hold are its largest value.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn mallinfo() -> libc::mallinfo {
    let cut = cut();
    let int = |value: u64| c_int::try_from(value).unwrap_or(c_int::MAX);
    libc::mallinfo {
        arena: int(cut.arena),
        ordblks: int(cut.free_blocks),
        smblks: int(cut.cached_blocks),
        hblks: int(cut.mapped_blocks),
        hblkhd: int(cut.mapped),
        usmblks: 0,
        fsmblks: int(cut.cached),
        uordblks: int(cut.used),
        fordblks: int(cut.free),
        keepcost: 0,
    }
}

/// Gives free memory back to the system, keeping about `pad` bytes. Answers 1 where some was given back, else 0.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn malloc_trim(pad: usize) -> c_int {
    let _errno = KeepErrno::new();
    let Some(served) = boot::active() else { return 0 };
    // SAFETY: `malloc_trim` takes any size.
    match c_library(served).and_then(|()| unsafe { real::malloc_trim(pad) }) {
        Some(answer) => answer,
        None => c_int::from(served.handle.trim(pad) > 0),
    }
}

/// Writes the figures to standard error, in glibc's form.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn malloc_stats() {
    let Some(served) = boot::active() else { return };
    // SAFETY: without conditions.
    if c_library(served).and_then(|()| unsafe { real::malloc_stats() }).is_none() {
        let mut sink = |bytes: &[u8]| write_all(2, bytes);
        figures::glibc(&mut Text::new(&mut sink), served);
    }
}

/// Writes the figures to a stream as XML, in glibc's form. Answers 0; `EINVAL` for options other than 0.
///
/// # Safety
/// `stream` is an open stream.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn malloc_info(options: c_int, stream: *mut libc::FILE) -> c_int {
    if options != 0 {
        return libc::EINVAL;
    }
    let Some(served) = boot::active() else { return libc::EAGAIN };
    // SAFETY: the caller's promise.
    if let Some(answer) = c_library(served).and_then(|()| unsafe { real::malloc_info(options, stream) }) {
        return answer;
    }
    let mut sink = |bytes: &[u8]| {
        // SAFETY: the pointer and the length are those of one slice, and the stream is open. It may allocate: no lock of
        // ours is held.
        unsafe { libc::fwrite(bytes.as_ptr().cast(), 1, bytes.len(), stream) };
    };
    figures::xml(&mut Text::new(&mut sink), served);
    0
}

/// Prints every live block to standard output, zone by zone, and their sum.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn show_alloc_mem() {
    show::print(false);
}

/// As [`show_alloc_mem`], with free blocks, states, and the first bytes of each live block.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn show_alloc_mem_ex() {
    show::print(true);
}
