//! An ordinary Rust program for the corpus of `ci/programs.sh`: fork-join over many small allocations, on the system's
//! allocator, which a preloaded library replaces.

use rayon::prelude::*;

fn main() {
    let words: Vec<String> =
        (0..200_000_u64).into_par_iter().map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9))).collect();
    let joined: String = words.par_iter().filter(|word| word.len() % 2 == 0).cloned().collect();
    let mut sorted = words;
    sorted.par_sort_unstable();
    println!("{} {} {}", joined.len(), sorted[0], sorted[100_000]);
}
