//! C's four calls in a loop, for `ci/compare-cabi.sh`: the same program calls `malloc` and its family of whatever library
//! serves it, or the default strategy, linked in, through functions of the same shape.
//!
//! `c_calls c ROUNDS` or `c_calls linked ROUNDS` prints nanoseconds for each step, and how often each function was called.

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::time::Instant;

use alloc_core::{SizedBlocks, Strategy};
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

fn layout(size: usize) -> Layout {
    // SAFETY: a power of two; the sizes of this program are far from the limit.
    unsafe { Layout::from_size_align_unchecked(size, 16) }
}

extern "C" fn linked_malloc(size: usize) -> *mut c_void {
    GLOBAL.strategy().allocate(layout(size)).map_or(ptr::null_mut(), |block| block.as_ptr().cast())
}

extern "C" fn linked_calloc(count: usize, size: usize) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else { return ptr::null_mut() };
    GLOBAL.strategy().allocate_zeroed(layout(size)).map_or(ptr::null_mut(), |block| block.as_ptr().cast())
}

unsafe extern "C" fn linked_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let Some(block) = NonNull::new(block.cast::<u8>()) else { return linked_malloc(size) };
    // SAFETY: the caller's live block, and a size that is not zero.
    let resized = unsafe { GLOBAL.strategy().reallocate(block, size) };
    resized.map_or(ptr::null_mut(), |block| block.as_ptr().cast())
}

unsafe extern "C" fn linked_free(block: *mut c_void) {
    if let Some(block) = NonNull::new(block.cast::<u8>()) {
        // SAFETY: the caller's live block.
        unsafe { GLOBAL.strategy().free(block) };
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let (name, rounds) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let calls = match name.as_str() {
        "c" => Calls { malloc: libc::malloc, calloc: libc::calloc, realloc: libc::realloc, free: libc::free },
        "linked" => {
            Calls { malloc: linked_malloc, calloc: linked_calloc, realloc: linked_realloc, free: linked_free }
        }
        _ => panic!("usage: c_calls c|linked ROUNDS"),
    };
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let mut slots = [ptr::null_mut(); SLOTS];
    let mut called = [0; 4];
    // The first round fills the table and warms up.
    round(black_box(calls), &mut slots, 1, &mut called);
    let start = Instant::now();
    for number in 0..rounds {
        round(black_box(calls), &mut slots, number as u64 + 2, &mut called);
    }
    let nanoseconds = start.elapsed().as_nanos() as f64 / (rounds * STEPS) as f64;
    let [malloc, calloc, realloc, free] = called;
    println!("{nanoseconds:.3} malloc {malloc} calloc {calloc} realloc {realloc} free {free}");
}

/// Replaces blocks of random slots: of eight steps, six free and `malloc`, one frees and `calloc`s, and one resizes.
#[inline(never)]
fn round(calls: Calls, slots: &mut [*mut c_void; SLOTS], seed: u64, called: &mut [u64; 4]) {
    let mut random = seed;
    for _ in 0..STEPS {
        // Knuth's linear congruential generator of MMIX.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let slot = (random >> 40) as usize % SLOTS;
        // Small sizes are the most, as in programs: up to 528 bytes, and one in 64 up to 16 times that.
        let size = 16 + (random >> 20) as usize % 512 * if random >> 58 == 0 { 16 } else { 1 };
        let block = slots[slot];
        let kind = random >> 33 & 7;
        slots[slot] = if kind == 0 && !block.is_null() {
            called[2] += 1;
            // SAFETY: a live block of these functions, which leaves the table.
            unsafe { (calls.realloc)(block, size) }
        } else {
            called[3] += 1;
            // SAFETY: null, or a live block as above.
            unsafe { (calls.free)(block) };
            let zeroed = kind == 1;
            called[usize::from(zeroed)] += 1;
            // SAFETY: any size may be asked for.
            if zeroed { unsafe { (calls.calloc)(1, size) } } else { unsafe { (calls.malloc)(size) } }
        };
    }
}
