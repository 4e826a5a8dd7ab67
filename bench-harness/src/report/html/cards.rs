//! One card a workload: a row of plots for every thread count.

use crate::report::escape;
use crate::report::format;
use crate::report::grid::Grid;
use crate::report::svg::{self, MemoryScale, RatioScale, TimelineScale};
use crate::report::words;
use crate::schema::Status;

/// Links to the cards.
pub(super) fn index(grid: &Grid<'_>) -> String {
    grid.workloads
        .iter()
        .enumerate()
        .map(|(number, workload)| format!("<a href=\"#w{number}\">{}</a> ", escape::text(workload)))
        .collect()
}

pub(super) fn all(grid: &Grid<'_>) -> String {
    grid.workloads.iter().enumerate().map(|(number, workload)| card(grid, number, workload)).collect()
}

fn card(grid: &Grid<'_>, number: usize, workload: &str) -> String {
    let ratios = RatioScale::of(grid, workload);
    let sizes = MemoryScale::of(grid, workload);
    let times = TimelineScale::of(grid, workload);
    let mut out = format!(
        "<article class=\"card\" id=\"w{number}\"><h3>{}</h3><p>{}</p><div class=\"panels{}\">",
        escape::text(workload),
        escape::text(grid.about(workload)),
        if times.any { "" } else { " two" }
    );
    for threads in grid.threads_of(workload) {
        let many = format::thread_count(threads);
        let mut figure = |title: &str, plot: &str| {
            out.push_str(&format!("<figure><figcaption><b>{many}</b> {title}</figcaption>{plot}</figure>"));
        };
        let title = format!("time, ratio to {}", escape::text(&grid.matrix.baseline));
        figure(&title, &svg::ratio(grid, &ratios, workload, threads));
        figure("peak resident memory", &svg::memory(grid, &sizes, workload, threads));
        if times.any {
            figure("resident memory over time", &svg::timeline(grid, &times, workload, threads));
        }
    }
    out.push_str("</div>");
    out.push_str(&troubles(grid, workload));
    out.push_str("</article>");
    out
}

fn troubles(grid: &Grid<'_>, workload: &str) -> String {
    let mut out = String::new();
    for (status, word, class) in
        [(Status::Failed, "failed", "bad"), (Status::Unsupported, "unsupported", "none")]
    {
        for trouble in words::troubles(grid, status).iter().filter(|trouble| trouble.workload == workload) {
            out.push_str(&format!(
                "<li><b class=\"{class}\">{word}</b> {}, {}: {}</li>",
                escape::text(trouble.strategy),
                trouble.threads(),
                escape::text(trouble.reason())
            ));
        }
    }
    if out.is_empty() { out } else { format!("<ul class=\"troubles\">{out}</ul>") }
}
