//! The sentences that more than one report says, made once.

use super::format;
use super::grid::Grid;
use super::summary::{StrategySummary, Summary};
use crate::registry;
use crate::schema::{Matrix, Status};

/// Heading of the section that ends every report.
pub(super) const LIMITS_HEADING: &str = "What this does not tell you";

/// Where and how it was measured, as label and value. Nothing is left out: what the harness could not read says so.
pub(super) fn facts(matrix: &Matrix) -> Vec<(&'static str, String)> {
    let machine = &matrix.machine;
    let known = |value: &str| if value.is_empty() { "unknown".to_owned() } else { value.to_owned() };
    let sized = |value: u64| if value == 0 { "unknown".to_owned() } else { format::memory(value) };
    let [one, five, fifteen] = machine.load;
    let rounds = matrix.cells.iter().filter(|cell| cell.status == Status::Ok).map(|cell| cell.rounds);
    let rounds = match (rounds.clone().min(), rounds.max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "none".to_owned(),
    };
    vec![
        ("Processor", known(&machine.cpu)),
        ("Processors usable", machine.cores.to_string()),
        ("Memory usable", sized(machine.memory_kib)),
        ("Kernel", known(&machine.kernel)),
        ("C library", known(&machine.libc)),
        ("Compiler", known(&machine.rustc)),
        (
            "Commit",
            if machine.commit.is_empty() { "not a checkout".to_owned() } else { machine.commit.clone() },
        ),
        ("Page size", format!("{} bytes", machine.page_size)),
        ("Transparent huge pages", known(&machine.transparent_huge_pages)),
        ("Frequency governor", known(&machine.governor)),
        ("Load at the start", format!("{one:.2}, {five:.2}, {fifteen:.2} (1, 5, 15 min)")),
        ("Mode", known(&matrix.mode)),
        ("Rounds per cell", rounds),
        ("Started", format::moment(matrix.started_unix)),
        ("Time measuring", format::duration(matrix.seconds)),
        ("Allocators", known(&machine.allocators.join(", "))),
        ("Command", known(&matrix.command)),
    ]
}

/// `faster in 12 of 45 cells, slower in 5, cannot tell in 28`; for the A/A row, that no verdict applies.
pub(super) fn verdicts(strategy: &StrategySummary) -> String {
    if strategy.control {
        return "the baseline again: its spread is the noise".to_owned();
    }
    if strategy.cells == 0 {
        return "no cell to compare".to_owned();
    }
    let mut text = format!(
        "faster in {} of {}, slower in {}, cannot tell in {}",
        strategy.faster,
        format::plural(strategy.cells, "cell"),
        strategy.slower,
        strategy.cannot_tell
    );
    if strategy.without_noise > 0 {
        text.push_str(&format!(" ({} without an A/A row)", strategy.without_noise));
    }
    text
}

/// How large the noise was.
pub(super) fn noise(summary: &Summary, matrix: &Matrix) -> String {
    let Some(noise) = &summary.noise else {
        return format!(
            "This run has no A/A row ({} measured twice), so how large the noise was is not known and no cell is called faster or slower.",
            matrix.baseline
        );
    };
    let mut text = format!(
        "Noise: {} measured against itself over {}; the interval reached {} from 1.00 in the median cell and {} in the worst ({}, {}).",
        matrix.baseline,
        format::plural(noise.cells, "cell"),
        format::percent(noise.median_reach),
        format::percent(noise.worst_reach),
        noise.worst.workload,
        format::thread_count(noise.worst.threads)
    );
    if noise.off_centre > 0 {
        text.push_str(&format!(
            " In {} the interval leaves out 1.00 although nothing differs.",
            format::plural(noise.off_centre, "cell")
        ));
    }
    text
}

/// How a verdict is reached.
pub(super) fn rule(matrix: &Matrix) -> String {
    format!(
        "Faster or slower means that the whole 95 % interval lies beyond 1.00 and beyond what {} showed against itself at the same workload and thread count; anything else is cannot tell.",
        matrix.baseline
    )
}

/// Which cells a geometric mean is over.
pub(super) fn geomeans(summary: &Summary, matrix: &Matrix) -> String {
    format!(
        "Geometric means are of medians, over the cells where both the strategy and {} were measured (n says how many); means over different cells do not compare. The column of common cells is over the {} of {} where every strategy that ran has a time.",
        matrix.baseline, summary.common_places, summary.places
    )
}

/// A cell without figures, with the thread counts that share its reason.
pub(super) struct Trouble<'a> {
    pub(super) strategy: &'a str,
    pub(super) workload: &'a str,
    pub(super) threads: Vec<usize>,
    pub(super) reason: &'a str,
}

impl Trouble<'_> {
    /// `1, 2 and 8 threads`.
    pub(super) fn threads(&self) -> String {
        format::threads(&self.threads)
    }

    /// The reason, or that none was recorded.
    pub(super) fn reason(&self) -> &str {
        if self.reason.is_empty() { "no reason recorded" } else { self.reason }
    }
}

/// The cells that ended as `status`, in the order shown.
pub(super) fn troubles<'a>(grid: &Grid<'a>, status: Status) -> Vec<Trouble<'a>> {
    let mut list: Vec<Trouble<'a>> = Vec::new();
    for (workload, threads) in grid.places() {
        for strategy in &grid.strategies {
            let Some(cell) = grid.cell(workload, threads, strategy).filter(|cell| cell.status == status)
            else {
                continue;
            };
            let same = list.iter_mut().find(|trouble| {
                trouble.strategy == *strategy && trouble.workload == workload && trouble.reason == cell.reason
            });
            match same {
                Some(trouble) => trouble.threads.push(threads),
                None => {
                    list.push(Trouble { strategy, workload, threads: vec![threads], reason: &cell.reason });
                }
            }
        }
    }
    list
}

/// What a reader must not conclude from the figures, one point an entry.
pub(super) fn limits(grid: &Grid<'_>, summary: &Summary) -> Vec<String> {
    let matrix = grid.matrix;
    let machine = &matrix.machine;
    let mut list = vec![
        format!(
            "How your program would do: these are {} on one machine, and yours asks for other sizes in another order. Give your own data with --input, or the program itself with --program.",
            format::plural(grid.workloads.len(), "workload")
        ),
        "What one slow call costs: times are throughput over whole rounds, so a rare long pause can hide in a good median.".to_owned(),
        "How memory grows over days: every cell is a fresh process that lives for seconds.".to_owned(),
        "What the allocator alone takes: peak memory is that of the whole process, with code, stacks and input.".to_owned(),
        "How safe an allocator is: nothing here checks what it does with a double free or an overflow, and checks cost time.".to_owned(),
    ];
    let verdicts: usize = summary
        .strategies
        .iter()
        .map(|strategy| strategy.faster + strategy.slower + strategy.cannot_tell)
        .sum();
    if verdicts >= 20 {
        list.push(format!(
            "That every single verdict is right: this run has {verdicts} of them, and chance alone settles a few. Look for a pattern over workloads rather than at one cell."
        ));
    }
    let crowded: Vec<String> = grid
        .threads
        .iter()
        .filter(|&&threads| machine.cores > 0 && threads > machine.cores)
        .map(usize::to_string)
        .collect();
    if !crowded.is_empty() {
        list.push(format!(
            "How it scales to {} processors: with {} usable, these threads take turns.",
            crowded.join(" or "),
            machine.cores
        ));
    }
    if machine.load[0] > 0.5 {
        list.push(format!(
            "What a quiet machine would show: the load average was {:.2} when the run began, so other work took part.",
            machine.load[0]
        ));
    }
    if matrix.mode == "quick" {
        list.push("What more rounds would show: a quick run keeps few, so its intervals are wide. Run cargo matrix without --quick.".to_owned());
    }
    list
}

/// What to type next: repeat what failed, else measure longer, else bring your own input.
pub(super) fn next_command(grid: &Grid<'_>) -> String {
    if let Some(trouble) = troubles(grid, Status::Failed).first() {
        // The second measurement of the baseline comes with the baseline and has no name that could be asked for.
        // What only this command line defines can only be had again by it.
        let listed = |name: &str| registry::find(name.as_bytes()).is_some();
        let baseline = grid.matrix.baseline.as_str();
        let strategy = if grid.is_control(trouble.strategy) { baseline } else { trouble.strategy };
        if trouble.threads.contains(&0) || !listed(strategy) || !listed(baseline) {
            return grid.matrix.command.clone();
        }
        let threads: Vec<String> = trouble.threads.iter().map(usize::to_string).collect();
        return format!(
            "cargo matrix --only {} --strategies {strategy} --threads {}",
            trouble.workload,
            threads.join(",")
        );
    }
    if grid.matrix.mode == "quick" && grid.matrix.command.contains("--quick") {
        grid.matrix.command.replacen(" --quick", "", 1)
    } else {
        "cargo matrix --input FILE".to_owned()
    }
}

/// Breaks a text into lines of at most `width` characters at spaces; every line after the first begins with `indent`.
pub(super) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used == 0 {
            out.push_str(word);
            used = length;
        } else if used + 1 + length <= width {
            out.push(' ');
            out.push_str(word);
            used += 1 + length;
        } else {
            out.push('\n');
            out.push_str(indent);
            out.push_str(word);
            used = indent.chars().count() + length;
        }
    }
    out
}
