//! `mem_io` over the process's real break, which the C library's malloc moves too. On one thread: `sbrk` is no call for
//! two at a time, and the test harness has threads.

use alloc_core::Inspect;
use alloc_freelist::mem_io::MemIo;
use alloc_testkit::ops::generate;
use alloc_testkit::{Driver, Limits, Options, Subject};

fn main() {
    let heap = MemIo::new();
    let options = Options::new(Limits::UNLIMITED.serving(1 << 20));
    let mut parts = Vec::new();
    let mut steps = 0;
    for seed in 0..8 {
        let mut driver = Driver::new(Subject::sized(&heap), &options);
        for op in generate::sample(seed, 400) {
            driver.step(op).unwrap_or_else(|breach| panic!("{op:?}: {breach}"));
            // The C library's heap grows in between, so that ours is not in one piece.
            parts.push(vec![seed as u8; 700 + steps % 5000]);
            steps += 1;
        }
        driver.finish().unwrap_or_else(|breach| panic!("at the end of {seed}: {breach}"));
        heap.check().unwrap_or_else(|fault| panic!("at the end of {seed}: {fault}"));
    }
    assert!(
        parts.iter().enumerate().all(|(index, part)| part.iter().all(|&byte| byte as usize == index / 400))
    );
    let mut text = String::new();
    heap.log_state(&mut text).expect("a string takes all text");
    assert!(text.contains("  errors: 0\n"), "{text}");
    assert_eq!(heap.stats().live.get(), Some(0));
    println!("kernel_break: {steps} operations, ok");
    print!("{text}");
}
