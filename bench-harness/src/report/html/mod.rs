//! `index.html`: one page that holds its style, its script, its plots and the data, and asks the network for nothing.

mod cards;
mod cells;
mod overview;
mod template;

use super::escape;
use super::grid::Grid;
use super::summary;
use super::svg;
use super::words;
use crate::schema::{Matrix, Status};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page. `data` is the content of `matrix.json`, which goes in as it is, up to the escape of `<`.
pub(super) fn render(matrix: &Matrix, data: &str) -> String {
    let grid = Grid::new(matrix);
    let summary = summary::of_grid(&grid);
    let noise = format!("{} {}", words::noise(&summary, matrix), words::rule(matrix));
    let fields = [
        ("style", STYLE.to_owned()),
        ("script", SCRIPT.to_owned()),
        ("data", escape::json(data)),
        ("baseline", escape::text(&matrix.baseline)),
        ("lead", escape::text(&overview::lead(&grid))),
        ("notes", list(matrix.notes.iter().cloned(), "notes")),
        ("legend", legend(&grid)),
        ("summary", overview::summary(&grid, &summary)),
        ("noise", escape::text(&noise)),
        ("geomeans", escape::text(&words::geomeans(&summary, matrix))),
        ("own", own_threads(&grid).to_owned()),
        ("overview", overview::table(&grid)),
        ("troubles", troubles(&grid)),
        ("index", cards::index(&grid)),
        ("workloads", cards::all(&grid)),
        ("cells", cells::table(&grid)),
        ("facts", facts(matrix)),
        ("limits_heading", words::LIMITS_HEADING.to_owned()),
        ("limits", list(words::limits(&grid, &summary).into_iter(), "limits")),
    ];
    template::fill(PAGE, &fields)
}

/// What the column of programs is, where there is one.
fn own_threads(grid: &Grid<'_>) -> &'static str {
    if grid.threads.contains(&0) { "; own: a program, which starts its threads itself" } else { "" }
}

fn list(items: impl Iterator<Item = String>, class: &str) -> String {
    let items: String = items.map(|item| format!("<li>{}</li>", escape::text(&item))).collect();
    if items.is_empty() { items } else { format!("<ul class=\"{class}\">{items}</ul>") }
}

fn legend(grid: &Grid<'_>) -> String {
    let mut out = String::new();
    for (number, strategy) in grid.strategies.iter().enumerate() {
        let role = match strategy {
            name if grid.is_baseline(name) => " <small>baseline</small>",
            name if grid.is_control(name) => " <small>A/A</small>",
            _ => "",
        };
        out.push_str(&format!(
            "<button type=\"button\" class=\"key {}\" data-s=\"{number}\" aria-pressed=\"false\"><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\"><path class=\"line\" d=\"M1 5H21\"/></svg>{}{role}</button>",
            svg::classes(grid, strategy),
            escape::text(strategy)
        ));
    }
    out
}

fn facts(matrix: &Matrix) -> String {
    words::facts(matrix)
        .into_iter()
        .map(|(label, value)| {
            let wide = if matches!(label, "Allocators" | "Command") { " class=\"wide\"" } else { "" };
            format!("<div{wide}><dt>{label}</dt><dd>{}</dd></div>", escape::text(&value))
        })
        .collect()
}

fn troubles(grid: &Grid<'_>) -> String {
    let mut out = String::new();
    for (status, heading, class) in
        [(Status::Failed, "Failed cells", "bad"), (Status::Unsupported, "Unsupported cells", "none")]
    {
        let list = words::troubles(grid, status);
        if list.is_empty() {
            continue;
        }
        out.push_str(&format!(
            "<div class=\"scroll\"><table class=\"list\"><caption>{heading}</caption><thead><tr><th scope=\"col\">Strategy</th><th scope=\"col\">Workload</th><th scope=\"col\">Threads</th><th scope=\"col\">Reason</th></tr></thead><tbody>"
        ));
        for trouble in list {
            out.push_str(&format!(
                "<tr><th scope=\"row\" class=\"{class}\">{}</th><td>{}</td><td>{}</td><td class=\"reason\">{}</td></tr>",
                escape::text(trouble.strategy),
                escape::text(trouble.workload),
                trouble.threads(),
                escape::text(trouble.reason())
            ));
        }
        out.push_str("</tbody></table></div>");
    }
    if out.is_empty() { "<p>Every cell was measured.</p>".to_owned() } else { out }
}
