//! The top of the page: what was run, the summary a strategy, and all ratios at a glance.

use crate::report::escape;
use crate::report::format;
use crate::report::grid::Grid;
use crate::report::summary::{StrategySummary, Summary, Verdict, verdict};
use crate::report::svg;
use crate::report::tips;
use crate::report::words;
use crate::schema::Status;

/// One sentence on the size and the outcome of the run.
pub(super) fn lead(grid: &Grid<'_>) -> String {
    let ended = |status| grid.matrix.cells.iter().filter(|cell| cell.status == status).count();
    format!(
        "{} against {} on {}, with {}: {} measured, {} failed, {} unsupported. {}, {}.",
        format::plural_of(grid.contenders().count(), "strategy", "strategies"),
        grid.matrix.baseline,
        format::plural(grid.workloads.len(), "workload"),
        format::threads(&grid.threads),
        format::plural(ended(Status::Ok), "cell"),
        ended(Status::Failed),
        ended(Status::Unsupported),
        grid.matrix.machine.cpu,
        format::moment(grid.matrix.started_unix)
    )
}

/// The plots of means and the table of verdicts.
pub(super) fn summary(grid: &Grid<'_>, summary: &Summary) -> String {
    let baseline = &grid.matrix.baseline;
    let mut out = "<div class=\"panels two\">".to_owned();
    let time = format!("Geometric mean of time ratios to {baseline}");
    let memory = format!("Geometric mean of peak memory ratios to {baseline}");
    let plots = [
        svg::means(grid, summary, &time, ("faster", "slower"), |strategy| (strategy.time, strategy.cells)),
        svg::means(grid, summary, &memory, ("smaller", "larger"), |strategy| {
            (strategy.rss, strategy.rss_cells)
        }),
    ];
    for (title, plot) in [&time, &memory].into_iter().zip(plots) {
        out.push_str(&format!("<figure><figcaption>{}</figcaption>{plot}</figure>", escape::text(title)));
    }
    out.push_str("</div><div class=\"scroll\"><table class=\"summary\"><thead><tr><th scope=\"col\">Strategy</th><th scope=\"col\" class=\"num\">Time, geomean</th><th scope=\"col\" class=\"num\">n</th><th scope=\"col\" class=\"num\">Time, common cells</th><th scope=\"col\" class=\"num\">Memory, geomean</th><th scope=\"col\" class=\"num\">n</th><th scope=\"col\">Beyond the noise</th><th scope=\"col\">Worst time ratio</th><th scope=\"col\" class=\"num\">Failed</th><th scope=\"col\" class=\"num\">Unsupported</th></tr></thead><tbody>");
    for strategy in &summary.strategies {
        row(&mut out, grid, strategy);
    }
    out.push_str("</tbody></table></div>");
    out
}

fn row(out: &mut String, grid: &Grid<'_>, strategy: &StrategySummary) {
    let mean = |value: Option<f64>| value.map_or_else(|| format::NONE.to_owned(), format::ratio);
    let worst = strategy.worst.as_ref().map_or_else(
        || format::NONE.to_owned(),
        |place| {
            format!(
                "{} <small>{}, {}</small>",
                format::ratio(place.ratio.median),
                escape::text(&place.workload),
                format::thread_count(place.threads)
            )
        },
    );
    let classes = svg::classes(grid, &strategy.strategy);
    out.push_str(&format!(
        "<tr><th scope=\"row\"><span class=\"dot {classes}\"></span>{}</th><td class=\"num\">{}</td><td class=\"num faint\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num faint\">{}</td><td class=\"said\">{}{}</td><td>{worst}</td><td class=\"num{}\">{}</td><td class=\"num\">{}</td></tr>",
        escape::text(&strategy.strategy),
        mean(strategy.time),
        strategy.cells,
        mean(strategy.time_common),
        mean(strategy.rss),
        strategy.rss_cells,
        share(strategy),
        escape::text(&words::verdicts(strategy)),
        if strategy.failed > 0 { " bad" } else { "" },
        strategy.failed,
        strategy.unsupported
    ));
}

/// A bar of three parts for faster, cannot tell and slower.
fn share(strategy: &StrategySummary) -> String {
    if strategy.control || strategy.cells == 0 {
        return String::new();
    }
    let part = |class: &str, cells: usize| match cells {
        0 => String::new(),
        cells => format!("<i class=\"{class}\" style=\"flex-grow:{cells}\"></i>"),
    };
    format!(
        "<span class=\"share\" aria-hidden=\"true\">{}{}{}</span>",
        part("faster", strategy.faster),
        part("same", strategy.cannot_tell),
        part("slower", strategy.slower)
    )
}

/// Every median ratio: a row a workload, a group of columns a strategy, a column a thread count.
pub(super) fn table(grid: &Grid<'_>) -> String {
    let strategies: Vec<&str> =
        grid.strategies.iter().copied().filter(|name| !grid.is_baseline(name)).collect();
    let mut out =
        "<table class=\"glance\"><thead><tr><th rowspan=\"2\" scope=\"col\">Workload</th>".to_owned();
    for strategy in &strategies {
        out.push_str(&format!(
            "<th colspan=\"{}\" scope=\"colgroup\" class=\"group\"><span class=\"dot {}\"></span>{}</th>",
            grid.threads.len(),
            svg::classes(grid, strategy),
            escape::text(strategy)
        ));
    }
    out.push_str("</tr><tr>");
    for _ in &strategies {
        for (index, threads) in grid.threads.iter().enumerate() {
            let class = if index == 0 { " class=\"first\"" } else { "" };
            let short = if *threads == 0 { "own".to_owned() } else { threads.to_string() };
            out.push_str(&format!(
                "<th scope=\"col\"{class}><abbr title=\"{}\">{short}</abbr></th>",
                format::thread_count(*threads)
            ));
        }
    }
    out.push_str("</tr></thead><tbody>");
    for (number, workload) in grid.workloads.iter().enumerate() {
        out.push_str(&format!(
            "<tr><th scope=\"row\"><a href=\"#w{number}\">{}</a></th>",
            escape::text(workload)
        ));
        for strategy in &strategies {
            for (index, threads) in grid.threads.iter().enumerate() {
                let first = if index == 0 { " first" } else { "" };
                if !grid.threads_of(workload).any(|count| count == *threads) {
                    out.push_str(&format!("<td class=\"{}\"></td>", first.trim()));
                    continue;
                }
                let (class, text) = glance(grid, workload, *threads, strategy);
                out.push_str(&format!(
                    "<td class=\"{class}{first}\" data-tip=\"{}\">{text}</td>",
                    escape::text(&tips::cell(grid, workload, *threads, strategy))
                ));
            }
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    out
}

/// Class and text of a cell. Shades say how far a verdict is from 1; a cell without a verdict has no shade.
fn glance(grid: &Grid<'_>, workload: &str, threads: usize, strategy: &str) -> (String, String) {
    match grid.cell(workload, threads, strategy).map(|cell| cell.status) {
        None => return ("none".to_owned(), format::NONE.to_owned()),
        Some(Status::Failed) => return ("bad".to_owned(), "failed".to_owned()),
        Some(Status::Unsupported) => return ("none".to_owned(), "n/a".to_owned()),
        Some(Status::Ok) => {}
    }
    let Some(ratio) = grid.ratio(workload, threads, strategy) else {
        return ("none".to_owned(), format::NONE.to_owned());
    };
    let depth = match ratio.median.max(1.0 / ratio.median) {
        factor if factor < 1.15 => 1,
        factor if factor < 1.5 => 2,
        _ => 3,
    };
    let class = match verdict(&ratio, grid.noise(workload, threads).as_ref()) {
        _ if grid.is_control(strategy) => "control".to_owned(),
        Verdict::Faster => format!("f{depth}"),
        Verdict::Slower => format!("r{depth}"),
        Verdict::CannotTell => "same".to_owned(),
    };
    (class, format::ratio(ratio.median))
}
