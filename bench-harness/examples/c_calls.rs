//! C's four calls in a loop, for `ci/compare-cabi.sh`: the same program calls `malloc` and its family of whatever library
//! serves it, or a strategy of ours that is linked in, through functions of the same shape.
//!
//! `c_calls c ROUNDS` or `c_calls STRATEGY ROUNDS` prints nanoseconds for each step.

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::time::Instant;

use alloc_core::{SizedBlocks, SizedHandle, Strategy};
use alloc_select::Strata;
use libc::c_void;

/// Blocks alive at once.
const SLOTS: usize = 512;

/// Steps of a round.
const STEPS: usize = 100_000;

/// The functions as C has them. Called through this table in every case, so that no call is inlined.
#[derive(Clone, Copy)]
struct Calls {
    malloc: unsafe extern "C" fn(usize) -> *mut c_void,
    calloc: unsafe extern "C" fn(usize, usize) -> *mut c_void,
    realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
}

static GLOBAL: Strata = Strata::new();

/// The four functions over the strategy that an expression gives, as C would be served from Rust.
macro_rules! over {
    ($strategy:expr) => {{
        fn layout(size: usize) -> Layout {
            // SAFETY: a power of two; the sizes of this program are far from the limit.
            unsafe { Layout::from_size_align_unchecked(size, 16) }
        }
        extern "C" fn malloc(size: usize) -> *mut c_void {
            $strategy.allocate(layout(size)).map_or(ptr::null_mut(), |block| block.as_ptr().cast())
        }
        extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
            let Some(size) = count.checked_mul(size) else { return ptr::null_mut() };
            $strategy.allocate_zeroed(layout(size)).map_or(ptr::null_mut(), |block| block.as_ptr().cast())
        }
        unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
            let Some(block) = NonNull::new(block.cast::<u8>()) else { return malloc(size) };
            // SAFETY: the caller's live block, and a size that is not zero.
            let resized = unsafe { $strategy.reallocate(block, size) };
            resized.map_or(ptr::null_mut(), |block| block.as_ptr().cast())
        }
        unsafe extern "C" fn free(block: *mut c_void) {
            if let Some(block) = NonNull::new(block.cast::<u8>()) {
                // SAFETY: the caller's live block.
                unsafe { $strategy.free(block) };
            }
        }
        Calls { malloc, calloc, realloc, free }
    }};
}

/// The strategy of that name behind its handle, which costs an indirect call.
macro_rules! named {
    ($name:literal) => {{
        fn strategy() -> SizedHandle<'static> {
            static HANDLE: std::sync::OnceLock<SizedHandle<'static>> = std::sync::OnceLock::new();
            *HANDLE.get_or_init(|| {
                let handle = alloc_select::by_name($name).expect("it is compiled in");
                handle.sized().expect("it knows its blocks' sizes")
            })
        }
        over!(strategy())
    }};
}

/// Nothing at all: what the loop itself takes.
fn nothing() -> Calls {
    static PLACE: [u64; 4] = [0; 4];
    fn place() -> *mut c_void {
        ptr::from_ref(&PLACE).cast_mut().cast()
    }
    extern "C" fn malloc(_size: usize) -> *mut c_void {
        place()
    }
    extern "C" fn calloc(_count: usize, _size: usize) -> *mut c_void {
        place()
    }
    extern "C" fn realloc(_block: *mut c_void, _size: usize) -> *mut c_void {
        place()
    }
    extern "C" fn free(_block: *mut c_void) {}
    Calls { malloc, calloc, realloc, free }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let (name, rounds) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let calls = match name.as_str() {
        "c" => Calls { malloc: libc::malloc, calloc: libc::calloc, realloc: libc::realloc, free: libc::free },
        "nothing" => nothing(),
        "ptmalloc" => over!(GLOBAL.strategy()),
        "freelist" => named!("freelist"),
        "mem_io" => named!("mem_io"),
        _ => panic!("usage: c_calls c|nothing|ptmalloc|freelist|mem_io ROUNDS"),
    };
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let mut slots = [ptr::null_mut(); SLOTS];
    // The first round fills the table and warms up.
    round(black_box(calls), &mut slots, 1);
    let start = Instant::now();
    for number in 0..rounds {
        round(black_box(calls), &mut slots, number as u64 + 2);
    }
    let nanoseconds = start.elapsed().as_nanos() as f64 / (rounds * STEPS) as f64;
    println!("{nanoseconds:.3}");
}

/// Replaces blocks of random slots: of eight steps, six free and `malloc`, one frees and `calloc`s, and one resizes.
#[inline(never)]
fn round(calls: Calls, slots: &mut [*mut c_void; SLOTS], seed: u64) {
    let mut random = seed;
    for _ in 0..STEPS {
        // Knuth's linear congruential generator of MMIX.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let slot = (random >> 40) as usize % SLOTS;
        // Small sizes are the most, as in programs: up to 528 bytes, and one in 64 up to 16 times that.
        let size = 16 + (random >> 20) as usize % 512 * if random >> 58 == 0 { 16 } else { 1 };
        let block = slots[slot];
        slots[slot] = match random >> 33 & 7 {
            // SAFETY: null, or a live block of these functions, which leaves the table.
            0 => unsafe { (calls.realloc)(block, size) },
            kind => {
                // SAFETY: as above.
                unsafe { (calls.free)(block) };
                // SAFETY: any size may be asked for.
                if kind == 1 { unsafe { (calls.calloc)(1, size) } } else { unsafe { (calls.malloc)(size) } }
            }
        };
    }
}
