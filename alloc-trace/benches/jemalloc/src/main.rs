//! `examples/work` on jemalloc. `_RJEM_MALLOC_CONF=prof:true,lg_prof_sample:19,prof_final:true` turns its profiler on.

#[path = "../../../examples/work/words.rs"]
mod words;

use std::time::Instant;

#[global_allocator]
static GLOBAL: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let number = |index: usize, default| {
        std::env::args().nth(index).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (threads, rounds) = (number(1, 1), number(2, 20));
    let start = Instant::now();
    let sums: Vec<usize> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || words::count(thread, rounds))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", sums.iter().sum::<usize>());
    eprintln!("{seconds:.4} s");
}
