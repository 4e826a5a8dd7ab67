//! Bytes that a block costs beyond its size.

use std::alloc::Layout;

use crate::peers::{self, Arena};
use crate::{Ours, memory};

const ARENA: usize = 4 << 20;

/// The arena divided by the blocks that it holds, less their size.
fn overhead<A: Arena>(size: usize) -> f64 {
    let arena = A::over(memory::fresh(ARENA));
    let layout = Layout::from_size_align(size, 8).expect("a layout");
    let mut count = 0;
    while !arena.allocate(layout).is_null() {
        count += 1;
    }
    ARENA as f64 / f64::from(count) - size as f64
}

pub(crate) fn report() {
    println!(
        "## Overhead: bytes for a block beyond its size, tables included, {} MiB full of such blocks\n",
        ARENA >> 20
    );
    println!("| allocator | 16 | 32 | 64 | 256 |");
    println!("|---|---:|---:|---:|---:|");
    fn row<A: Arena>() {
        let [a, b, c, d] = [16, 32, 64, 256].map(overhead::<A>);
        println!("| {} | {a:.2} | {b:.2} | {c:.2} | {d:.2} |", A::NAME);
    }
    row::<Ours<peers::Immediate>>();
    row::<Ours<peers::Packed>>();
    row::<Ours<peers::Sized>>();
    row::<Ours<peers::Checked>>();
    row::<peers::Talc>();
    row::<peers::Rlsf>();
    row::<peers::Dlmalloc>();
    row::<peers::LinkedList>();
    row::<peers::Buddy>();
    println!();
}
