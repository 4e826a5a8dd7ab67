//! A program whose global allocator can be traced, as the environment says, and that allocates a lot.
//!
//! ```text
//! cargo run --release -p alloc-trace --example work
//! STRATA_TRACE=out.strata cargo run --release -p alloc-trace --example work
//! cargo run -p alloc-trace --features report --bin strata-trace -- html out.strata -o out.html
//! ```
//!
//! Words are counted in maps of strings, on as many threads as the first argument says (1), as often as the second says
//! (20). Prints a sum that does not depend on tracing, and the seconds it took, on standard error.

mod words;

use std::time::Instant;

use alloc_core::Libc;
use alloc_core::compat::Global;
use alloc_trace::{Settings, TRACER, Traced, Tracer};

#[global_allocator]
static GLOBAL: Global<Traced<Libc, &Tracer>> = Global::new(Traced::new(Libc, &TRACER));

fn main() {
    let process = std::process::id();
    let mut settings = Settings::default();
    for (name, value) in std::env::vars_os() {
        if let Err(error) = settings.set(name.as_encoded_bytes(), value.as_encoded_bytes(), process) {
            eprintln!("work: {} {error}", name.display());
            std::process::exit(2);
        }
    }
    let number = |index: usize, default| {
        std::env::args().nth(index).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (threads, rounds) = (number(1, 1), number(2, 20));
    TRACER.start(&settings);
    let start = Instant::now();
    let sums: Vec<usize> = std::thread::scope(|scope| {
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || words::count(thread, rounds))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    TRACER.finish(GLOBAL.strategy());
    println!("{}", sums.iter().sum::<usize>());
    eprintln!("{seconds:.4} s");
}
