//! `matrix.json`: the matrix itself, one cell a line so that two files can be compared with a line-based tool.

use serde::Serialize;

use crate::schema::Matrix;

/// The file's content, with a line end after the last brace.
pub(super) fn render(matrix: &Matrix) -> String {
    // Taken apart so that a field added to the schema cannot be forgotten here.
    let Matrix { schema, baseline, machine, command, mode, started_unix, seconds, notes, workloads, cells } =
        matrix;
    let fields = [
        ("schema", value(schema)),
        ("baseline", value(baseline)),
        ("machine", value(machine)),
        ("command", value(command)),
        ("mode", value(mode)),
        ("started_unix", value(started_unix)),
        ("seconds", value(seconds)),
        ("notes", list(notes)),
        ("workloads", list(workloads)),
        ("cells", list(cells)),
    ];
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

fn list<T: Serialize>(items: &[T]) -> String {
    let lines: Vec<String> = items.iter().map(value).collect();
    if lines.is_empty() { "[]".to_owned() } else { format!("[\n{}\n]", lines.join(",\n")) }
}

fn value<T: Serialize + ?Sized>(item: &T) -> String {
    serde_json::to_string(item).expect("the schema has no map with keys that are not strings")
}
