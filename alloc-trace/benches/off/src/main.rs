//! One workload of `cargo matrix` on one thread, as often as it is told to: `alloc-trace-off WORKLOAD SCALE TIMES`. Prints the
//! seconds that the fastest took.

use alloc_core::compat::Global;
use bench_harness::inputs;
use bench_harness::workload::{self, Job};

#[cfg(feature = "ptmalloc")]
mod strategy {
    use alloc_core::backend::PagesBackend;
    use alloc_core::os::unix::Os;
    use alloc_ptmalloc::{Config, Era, ProcessSlot, Ptmalloc};

    pub(crate) type Strategy = Ptmalloc<PagesBackend<Os>, ProcessSlot>;

    // SAFETY: the only one of this program, and in a static.
    pub(crate) const STRATEGY: Strategy = unsafe { Ptmalloc::for_process(Config::new(Era::Ours)) };
}

#[cfg(not(feature = "ptmalloc"))]
mod strategy {
    pub(crate) type Strategy = alloc_core::Libc;

    pub(crate) const STRATEGY: Strategy = alloc_core::Libc;
}

use strategy::{STRATEGY, Strategy};

#[cfg(feature = "traced")]
#[global_allocator]
static GLOBAL: Global<alloc_trace::Traced<Strategy, &alloc_trace::Tracer>> =
    Global::new(alloc_trace::Traced::new(STRATEGY, &alloc_trace::TRACER));

#[cfg(not(feature = "traced"))]
#[global_allocator]
static GLOBAL: Global<Strategy> = Global::new(STRATEGY);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let mut number = |otherwise| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (scale, times) = (number(1), number(5));
    let Some(workload) = workload::catalogue().iter().find(|workload| workload.name() == name) else {
        let names: Vec<_> = workload::catalogue().iter().map(|workload| workload.name()).collect();
        eprintln!("alloc-trace-off: no workload {name:?}; there are {}", names.join(", "));
        std::process::exit(2);
    };
    // A program that may be traced asks its environment; this one's switch is a variable that nobody sets.
    #[cfg(feature = "traced")]
    if std::env::var_os("ALLOC_TRACE_OFF_ON").is_some() {
        let mut settings = alloc_trace::Settings::default();
        settings.history = 1000;
        alloc_trace::TRACER.start(&settings);
    }
    let inputs = inputs::shipped();
    let job = Job { threads: 1, scale, seed: 1, inputs: &inputs, idle: false };
    let best = (0..times).map(|_| workload.run(&job).elapsed.as_secs_f64()).fold(f64::INFINITY, f64::min);
    println!("{best:.6}");
}
