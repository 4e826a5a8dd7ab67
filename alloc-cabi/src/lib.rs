//! `libstrata.so`: any strategy under any program.
//!
//! The library defines C's allocation functions. Preloaded (`LD_PRELOAD=libstrata.so program`) or linked first, it serves
//! every request of a program that was never rebuilt from the strategy that `STRATA_STRATEGY` names.
//!
//! ```text
//!   c  aligned  cxx  alias         what C and C++ call
//!            |
//!        what lies at hand         ptmalloc's thread cache, inlined; where it does not serve, nothing lies there
//!            |
//!          cold ── front           requests, sent to ptmalloc or to what else serves
//!            |
//!          boot ── settings        which one that is: chosen once, by the first call
//!            |
//!         layers ── tracing        what lies over it: guards, quota, faults, counts, trace; usually nothing
//!            |
//!        registry                  gate: locks, forks, signal handlers; headed: sizes for bump; real: the C library's
//!            |
//!     the strategies
//! ```
//!
//! Beside that, `ext`, `handles` and `looking` are what looks into the strategy, by `figures`, `arenas` and `show`; `life` is what the loader calls,
//! `leave` the end that it is not told of.
//!
//! The crate is not for Rust programs: linked into one, it would define `malloc` there. They use `alloc-select`.
#![no_std]

// A library that aborts on panics needs nothing of std. One that unwinds (a test build, or a build of the whole
// workspace) gets its panic handler from there.
#[cfg(not(panic = "abort"))]
extern crate std;

mod alias;
mod aligned;
mod arenas;
mod boot;
mod c;
mod cold;
mod cxx;
mod environment;
mod errno;
mod ext;
mod figures;
mod front;
mod gate;
mod handles;
mod headed;
mod layers;
mod leave;
mod life;
mod looking;
mod place;
mod real;
mod registry;
mod report;
mod settings;
mod show;
mod spare;
mod text;
mod tracing;

pub use alias::{
    __libc_calloc, __libc_free, __libc_malloc, __libc_memalign, __libc_pvalloc, __libc_realloc,
    __libc_reallocarray, __libc_valloc, __posix_memalign,
};
pub use aligned::{aligned_alloc, memalign, posix_memalign, pvalloc, valloc};
pub use c::{
    calloc, cfree, free, free_aligned_sized, free_sized, malloc, malloc_usable_size, realloc, reallocarray,
};
pub use cxx::{
    delete, delete_aligned, delete_aligned_nothrow, delete_array, delete_array_aligned,
    delete_array_aligned_nothrow, delete_array_nothrow, delete_array_sized, delete_array_sized_aligned,
    delete_nothrow, delete_sized, delete_sized_aligned,
};
pub use ext::{
    mallinfo, mallinfo2, malloc_info, malloc_stats, malloc_trim, mallopt, show_alloc_mem, show_alloc_mem_ex,
};
pub use handles::{strata_active, strata_is_null, strata_named, strata_null, strata_version};
pub use leave::{_Exit, _exit};
pub use looking::{strata_explain, strata_finish, strata_history, strata_leaks, strata_map};

#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    alloc_core::line::Line::new().text("strata: a fault of the library itself; please report it").emit();
    alloc_core::misuse::abort()
}

// Tables of the precompiled `core` name the unwinder's entry, though nothing here unwinds. Hidden, so that it is neither
// exported nor taken from elsewhere.
#[cfg(panic = "abort")]
core::arch::global_asm!(".hidden rust_eh_personality", ".globl rust_eh_personality", "rust_eh_personality:",);
