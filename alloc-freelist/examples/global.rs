//! A program of `std` whose global allocator is a free list: `cargo run -p alloc-freelist --example global`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use alloc_core::Inspect;
use alloc_core::compat::Global;
use alloc_freelist::SyncFreeList;

static HEAP: SyncFreeList = SyncFreeList::new();

#[global_allocator]
static GLOBAL: Global<&SyncFreeList> = Global::new(&HEAP);

fn main() {
    let words = Mutex::new(BTreeMap::<String, usize>::new());
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let words = &words;
            scope.spawn(move || {
                for index in 0..10_000 {
                    let word = format!("word {}", (index * 7 + worker) % 1000);
                    *words.lock().expect("no thread panics").entry(word).or_default() += 1;
                }
            });
        }
    });
    let counted: usize = words.lock().expect("no thread panics").values().sum();
    assert_eq!(counted, 40_000);
    HEAP.check().expect("a whole heap");
    let stats = HEAP.stats();
    println!("{counted} words counted; {} bytes live in {} blocks", stats.live, stats.live_blocks);
}
