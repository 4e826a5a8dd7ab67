//! A program of `std` whose global allocator is this one, and what its arenas look like afterwards:
//! `cargo run -p alloc-ptmalloc --example global`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use alloc_core::Inspect;
use alloc_core::backend::PagesBackend;
use alloc_core::compat::Global;
use alloc_core::os::unix::Os;
use alloc_ptmalloc::{BinFigures, Config, Era, ProcessSlot, Ptmalloc};

type Heap = Ptmalloc<PagesBackend<Os>, ProcessSlot>;

// SAFETY: the only one of this process, and a static.
static HEAP: Heap = unsafe { Ptmalloc::for_process(Config::new(Era::Ours)) };

#[global_allocator]
static GLOBAL: Global<&Heap> = Global::new(&HEAP);

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
    HEAP.check().expect("whole arenas");

    let show = |name: &str, bin: BinFigures| {
        println!("    {name:<9} {:>5} chunks {:>9} bytes", bin.chunks, bin.bytes);
    };
    let mut arenas = 0;
    // What is printed here is allocated here: no arena is locked while it is shown.
    HEAP.arenas(|arena| {
        arenas += 1;
        let (number, threads) = (arena.number, arena.attached_threads);
        println!("arena {number}, {threads} threads: {} of {} bytes", arena.system_mem, arena.max_system_mem);
        show("small", arena.small());
        show("large", arena.large());
        println!("    depot     {:>5} magazines {:>6} bytes", arena.depot_magazines, arena.depot_bytes);
        println!("    top       {:>22} bytes", arena.top);
    });
    let (figures, stats) = (HEAP.figures(), HEAP.stats());
    assert_eq!(figures.arenas, arenas);
    println!(
        "{} blocks in {} thread caches, {} mappings",
        figures.cached_blocks, figures.thread_caches, figures.n_mmaps
    );
    println!("{counted} words counted; {} bytes live in {} blocks", stats.live, stats.live_blocks);
}
