//! Free lists beside their peers: `cargo bench -p alloc-freelist --features std --bench freelist [-- SECTION…]`.
//!
//! Sections: `actions`, `efficiency`, `overhead`, `worst`. All of them where none is named. `one` has one thread do the actions
//! with 2000 live blocks and one allocator, which follows: `one sync`. That is for callgrind, whose figures for 10 and 20 rounds
//! (`one sync 20`) differ by 10 rounds without their preparation. `pair` does a part of the table, one thread and the allocators
//! that follow, each held against the last one: `pair classed deferred talc`.

mod actions;
mod efficiency;
mod memory;
mod overhead;
mod peers;
mod random;
mod worst;

use actions::{Running, run, run_locked, run_shared};
use alloc_freelist::FixedFreeList;
use peers::{
    Buddy, Caches, Classed, Deferred, Dlmalloc, Immediate, LinkedList, Packed, PackedClassed, Rlsf, Sized,
    Talc,
};

type Ours<C> = FixedFreeList<'static, C>;

/// Rounds of each allocator in a table of throughput, taken in turns.
const ROUNDS: usize = 25;

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// An interval that the median of what these values were drawn from lies in with 95 % confidence, whatever their distribution: between
/// the ranks that a binomial count of values below the median stays within (Conover, Practical Nonparametric Statistics).
fn interval(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    // The chance that at most `rank` of all values lie below the median, in units of a single outcome's.
    let (mut outcomes, mut below, mut rank) = (1.0, 0.0, 0);
    let all = 2_f64.powi(count as i32);
    while rank < count / 2 && below + outcomes <= 0.025 * all {
        below += outcomes;
        outcomes = outcomes * (count - rank) as f64 / (rank + 1) as f64;
        rank += 1;
    }
    // `rank` values on either side are left out, less one.
    let out = rank.saturating_sub(1);
    (values[out], values[count - 1 - out])
}

fn throughput() {
    println!("## Random actions: millions a second (medians of {ROUNDS} rounds taken in turns)\n");
    println!(
        "The last two columns are of ratios round by round: their median, and an interval for it (95 %).\n"
    );
    println!("| live blocks | threads | allocator | M/s | to the fastest peer | interval |");
    println!("|---:|---:|---|---:|---:|---:|");
    for (live, threads) in [(200, 1), (2_000, 1), (30_000, 1), (200, 2), (2_000, 2), (30_000, 2)] {
        let mut runs: Vec<Box<dyn Running>> = vec![
            run::<Ours<Immediate>>(live, threads),
            run::<Ours<Deferred>>(live, threads),
            run::<Ours<Classed>>(live, threads),
            run::<Ours<Packed>>(live, threads),
            run::<Ours<PackedClassed>>(live, threads),
            run::<Ours<Sized>>(live, threads),
            run_shared::<Caches>(live, threads),
            run::<Talc>(live, threads),
            run::<Rlsf>(live, threads),
            run::<Dlmalloc>(live, threads),
            run::<Buddy>(live, threads),
        ];
        // What a heap for several threads costs the only one.
        if threads == 1 {
            runs.push(run_locked::<Talc>("talc, locked", live));
        }
        // A list walk over thousands of free blocks would take the rest of the day.
        if live <= 2_000 {
            runs.push(run::<LinkedList>(live, threads));
        }
        let mut figures = vec![Vec::new(); runs.len()];
        for round in 0..ROUNDS {
            for step in 0..runs.len() {
                let index = if round % 2 == 0 { step } else { runs.len() - 1 - step };
                figures[index].push(runs[index].round());
            }
        }
        // Ratios round by round, then their median.
        let ours = |index: usize| runs[index].name().starts_with("freelist");
        let medians: Vec<f64> = figures.iter().map(|of| median(&mut of.clone())).collect();
        let fastest =
            (0..runs.len()).filter(|&index| !ours(index)).max_by(|&a, &b| medians[a].total_cmp(&medians[b]));
        let fastest = fastest.expect("there are peers");
        for index in 0..runs.len() {
            let mut ratios: Vec<f64> =
                figures[index].iter().zip(&figures[fastest]).map(|(one, other)| one / other).collect();
            let (low, high) = interval(&mut ratios);
            println!(
                "| {live} | {threads} | {} | {:.2} | {:.2} | {low:.2}–{high:.2} |",
                runs[index].name(),
                medians[index],
                median(&mut ratios)
            );
        }
    }
    println!();
}

/// One allocator of those that the sections `one` and `pair` take, with a thread of its own.
fn named(name: &str, live: usize) -> Option<Box<dyn Running>> {
    Some(match name {
        "immediate" => run::<Ours<Immediate>>(live, 1),
        "packed" => run::<Ours<Packed>>(live, 1),
        "packed_classed" => run::<Ours<PackedClassed>>(live, 1),
        "deferred" => run::<Ours<Deferred>>(live, 1),
        "classed" => run::<Ours<Classed>>(live, 1),
        "sync" => run_shared::<Caches>(live, 1),
        "talc" => run::<Talc>(live, 1),
        "rlsf" => run::<Rlsf>(live, 1),
        "buddy" => run::<Buddy>(live, 1),
        _ => {
            eprintln!(
                "freelist: {name}: immediate, packed, packed_classed, deferred, classed, sync, talc, rlsf or buddy"
            );
            return None;
        }
    })
}

/// Rounds of one allocator.
fn one(name: &str, rounds: usize) {
    let Some(mut running) = named(name, 2_000) else { return };
    (0..rounds).for_each(|_| {
        running.round();
    });
    println!("{rounds} rounds of {} actions: {}", actions::OPS, running.name());
}

/// Rounds of several allocators in turns, as in the table, each held against the last one.
fn pair(names: &[String], live: usize) {
    let Some(mut runs) = names.iter().map(|name| named(name, live)).collect::<Option<Vec<_>>>() else {
        return;
    };
    let mut figures = vec![Vec::new(); runs.len()];
    for round in 0..ROUNDS {
        for step in 0..runs.len() {
            let index = if round % 2 == 0 { step } else { runs.len() - 1 - step };
            figures[index].push(runs[index].round());
        }
    }
    let Some(last) = figures.last() else { return };
    for (name, figure) in names.iter().zip(&figures) {
        let mut ratios: Vec<f64> = figure.iter().zip(last).map(|(one, other)| one / other).collect();
        let (low, high) = interval(&mut ratios);
        println!("{live} {name}: {:.2} ({low:.2}–{high:.2})", median(&mut ratios));
    }
}

fn main() {
    let sections: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    if let [section, name, rounds @ ..] = &sections[..]
        && section == "one"
    {
        return one(name, rounds.first().and_then(|rounds| rounds.parse().ok()).unwrap_or(10));
    }
    if let [section, names @ ..] = &sections[..]
        && section == "pair"
    {
        return [200, 2_000, 30_000].into_iter().for_each(|live| pair(names, live));
    }
    let wanted = |name: &str| sections.is_empty() || sections.iter().any(|section| section == name);
    if wanted("actions") {
        throughput();
    }
    if wanted("efficiency") {
        efficiency::report();
    }
    if wanted("overhead") {
        overhead::report();
    }
    if wanted("worst") {
        worst::report();
    }
}
