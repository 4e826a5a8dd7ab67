//! A matrix as a run would make it: 8 strategies and the A/A row, 15 workloads, 3 thread counts, with cells that failed,
//! cells that a strategy cannot do, and figures that were not to be had.

use bench_harness::schema::{Cell, Interval, Machine, Matrix, SCHEMA, Sample, Status, WorkloadNote};

pub(crate) const STRATEGIES: [(&str, f64, f64); 9] = [
    ("system", 1.0, 1.0),
    ("libc", 1.01, 1.0),
    ("bump", 0.62, 3.2),
    ("freelist", 1.34, 0.93),
    ("mimalloc", 0.78, 1.12),
    ("jemalloc", 0.97, 1.21),
    ("snmalloc", 0.74, 1.08),
    ("rpmalloc", 0.85, 1.46),
    ("system-again", 1.0, 1.0),
];

const WORKLOADS: [(&str, &str); 15] = [
    (
        "churn",
        "Threads replace random blocks of 8 to 512 bytes in a full table; one operation is a free and an allocation.",
    ),
    ("mixed", "As churn with sizes up to 64 KiB, drawn so that every power of two is equally likely."),
    (
        "larson",
        "Threads hand their live blocks to a successor and end, as in Larson and Krishnan's server; one operation is a replacement.",
    ),
    (
        "one-way",
        "One half of the threads allocates, the other half frees; one operation is a block handed over.",
    ),
    (
        "batches",
        "Blocks are freed in batches by a thread that did not allocate them; one operation is a block.",
    ),
    ("binary-trees", "Builds and drops binary trees of growing depth; one operation is a node."),
    ("vec-growth", "Vectors grow by doubling from empty to 1 MiB; one operation is a growth step."),
    (
        "fragmentation",
        "Phases of small and of large blocks, survivors between them, then an idle tail; one operation is a block.",
    ),
    ("large", "Blocks of 256 KiB to 8 MiB, written once a page; one operation is a block."),
    ("zeroed", "Zeroed blocks of 64 bytes to 1 MiB, read once; one operation is a block."),
    ("aligned", "Blocks aligned to 64 bytes to 4 KiB; one operation is a block."),
    ("fork-join", "Sorts by merging with rayon, a fresh vector a level; one operation is an element."),
    ("json", "Parses a JSON document into an owned tree and edits it; one operation is a value."),
    ("words", "Counts the words of a text in a hash map of owned strings; one operation is a word."),
    ("regex", "Compiles a set of regular expressions and runs them over lines; one operation is a line."),
];

const THREADS: [usize; 3] = [1, 2, 8];

/// Splitmix64, by Sebastiano Vigna.
struct Random(u64);

impl Random {
    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((value ^ (value >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn around(&mut self, centre: f64, spread: f64) -> f64 {
        centre * (1.0 + spread * (self.next() + self.next() - 1.0))
    }
}

pub(crate) fn matrix() -> Matrix {
    let mut random = Random(7);
    let mut cells = Vec::new();
    for (index, (workload, _)) in WORKLOADS.iter().enumerate() {
        let base_time = 12.0 * 1.7f64.powi(index as i32 % 9);
        let base_rss = 4_200.0 * 1.5f64.powi((index as i32 * 5) % 8);
        for threads in THREADS {
            for (strategy, speed, size) in STRATEGIES {
                cells.push(cell(
                    &mut random,
                    (workload, threads, strategy),
                    (base_time, base_rss),
                    (speed, size),
                ));
            }
        }
    }
    Matrix {
        schema: SCHEMA,
        baseline: "system".to_owned(),
        machine: Machine {
            cpu: "AMD EPYC 7B13".to_owned(),
            cores: 2,
            memory_kib: 8 * 1024 * 1024,
            kernel: "6.1.0-28-amd64".to_owned(),
            libc: "glibc 2.36".to_owned(),
            rustc: "rustc 1.95.0".to_owned(),
            commit: "3f2a91c+".to_owned(),
            page_size: 4096,
            transparent_huge_pages: "madvise".to_owned(),
            governor: String::new(),
            load: [0.81, 0.44, 0.2],
            allocators: STRATEGIES[1..8].iter().map(|(name, ..)| format!("{name} 0.1.0")).collect(),
        },
        command: "cargo matrix --quick --features peers".to_owned(),
        mode: "quick".to_owned(),
        started_unix: 1_795_293_722,
        seconds: 84.6,
        notes: vec![
            "The frequency governor cannot be read here, so turbo and throttling may differ between cells."
                .to_owned(),
        ],
        workloads: WORKLOADS
            .iter()
            .map(|(name, about)| WorkloadNote {
                name: (*name).to_owned(),
                about: (*about).to_owned(),
                command: String::new(),
            })
            .collect(),
        cells,
    }
}

fn cell(
    random: &mut Random,
    (workload, threads, strategy): (&str, usize, &str),
    (time, rss): (f64, f64),
    (speed, size): (f64, f64),
) -> Cell {
    let (status, reason) = match (strategy, workload, threads) {
        ("freelist", "larson", 8) => (Status::Failed, "killed by signal 11 (SIGSEGV) in round 3"),
        ("rpmalloc", "aligned", _) => {
            (Status::Failed, "wrong answer: checksum 00000000deadbeef, expected 5d1f0a7be3c40912")
        }
        ("jemalloc", "regex", 2) => (Status::Failed, "no result after 30 s"),
        ("bump", "larson" | "one-way" | "fragmentation", _) => {
            (Status::Unsupported, "never reuses memory: the job would need 14.2 GiB and 8.00 GiB are usable")
        }
        ("bump", "regex", 8) => {
            (Status::Unsupported, "never reuses memory: the job would need 9.1 GiB and 8.00 GiB are usable")
        }
        _ => (Status::Ok, ""),
    };
    let ok = status == Status::Ok;
    let control = matches!(strategy, "system" | "system-again");
    let crowd = if threads == 8 && strategy == "freelist" { 6.5 } else { 1.0 };
    let median = if control { random.around(1.0, 0.012) } else { random.around(speed * crowd, 0.16) };
    let noise = 0.008 + 0.05 * random.next() * if threads == 8 { 2.0 } else { 1.0 };
    let ratio = if strategy == "system" {
        Interval { median: 1.0, lo: 1.0, hi: 1.0 }
    } else {
        Interval {
            median,
            lo: median * (1.0 - noise * random.next()),
            hi: median * (1.0 + noise * random.next()),
        }
    };
    let ns = time * median * (1.0 + 0.2 * threads as f64);
    let grown = if strategy == "bump" && workload == "churn" { 30.0 } else { 1.0 };
    let peak = random.around(rss * size * grown * (1.0 + 0.15 * threads as f64), 0.04);
    Cell {
        strategy: strategy.to_owned(),
        workload: workload.to_owned(),
        threads,
        status,
        reason: reason.to_owned(),
        rounds: if ok { 11 } else { 0 },
        ns_per_op: ok.then_some(Interval { median: ns, lo: ns * 0.97, hi: ns * 1.04 }),
        ratio: ok.then_some(ratio),
        cpu_ms: (ok && workload != "zeroed").then_some(ns / 7.0),
        peak_rss_kib: (ok && !(strategy == "snmalloc" && workload == "zeroed")).then_some(peak as u64),
        minor_faults: (ok && workload != "json").then_some((peak / 4.0) as u64),
        checksum: if ok { "5d1f0a7be3c40912".to_owned() } else { String::new() },
        proof: if ok { format!("{strategy}: probe lies in its arena") } else { String::new() },
        timeline: if ok { timeline(random, workload, peak, ns) } else { Vec::new() },
    }
}

/// A ramp, a plateau with a saw, and for the fragmentation workload an idle tail.
fn timeline(random: &mut Random, workload: &str, peak: f64, ns: f64) -> Vec<Sample> {
    if workload == "aligned" {
        return Vec::new();
    }
    let length = 40.0 + ns / 4.0;
    let keeps = random.next();
    (0..=48u32)
        .map(|step| {
            let share = f64::from(step) / 48.0;
            let ramp = (share * 3.5).min(1.0);
            let saw = 1.0 - 0.12 * f64::from(step % 6) / 6.0;
            let tail = if workload == "fragmentation" && share > 0.7 { 0.25 + 0.7 * keeps } else { 1.0 };
            let size = 1_900.0 + (peak - 1_900.0).max(0.0) * ramp * saw * tail;
            Sample { ms: (length * share * 10.0).round() / 10.0, rss_kib: size as u64 }
        })
        .collect()
}

/// The same with names and texts that are markup, quotes and separators.
pub(crate) fn hostile() -> Matrix {
    let mut matrix = matrix();
    for cell in &mut matrix.cells {
        if cell.workload == "churn" {
            cell.workload = HOSTILE_WORKLOAD.to_owned();
        }
        if cell.strategy == "mimalloc" {
            cell.strategy = HOSTILE_STRATEGY.to_owned();
        }
        if cell.status == Status::Failed {
            cell.reason = HOSTILE_REASON.to_owned();
        }
    }
    matrix.workloads[0].name = HOSTILE_WORKLOAD.to_owned();
    matrix.notes.push(HOSTILE_REASON.to_owned());
    matrix.command = "cargo matrix --only '<script>alert(1)</script>'".to_owned();
    matrix
}

pub(crate) const HOSTILE_WORKLOAD: &str = "a<b> & \"c|d\", 'e' {{data}}";
pub(crate) const HOSTILE_STRATEGY: &str = "</script><img onerror=alert(1)>";
pub(crate) const HOSTILE_REASON: &str = "line one,\nline \"two\" <!-- <script>\u{1b}[31m";
