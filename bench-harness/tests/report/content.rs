//! What the files and the terminal say.

use std::fs;
use std::path::Path;

use bench_harness::report::{Written, terminal, write_all};
use bench_harness::schema::{Cell, Matrix, Status, WorkloadNote};

use super::sample;

struct Texts {
    json: String,
    csv: String,
    markdown: String,
    html: String,
    written: Written,
}

fn texts(matrix: &Matrix, name: &str) -> Texts {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(name);
    let written = write_all(matrix, &dir).expect("the test folder can be written");
    let read = |path: &Path| fs::read_to_string(path).expect("it was just written");
    Texts {
        json: read(&written.json),
        csv: read(&written.csv),
        markdown: read(&written.markdown),
        html: read(&written.html),
        written,
    }
}

fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("valid JSON")
}

#[test]
fn json_is_the_matrix() {
    for (matrix, name) in [(sample::matrix(), "json"), (sample::hostile(), "json-hostile")] {
        let text = texts(&matrix, name).json;
        assert!(value(&text) == serde_json::to_value(&matrix).unwrap());
        let again: Matrix = serde_json::from_str(&text).expect("it parses into the schema");
        assert!(serde_json::to_value(&again).unwrap() == serde_json::to_value(&matrix).unwrap());
        let cells = text.lines().filter(|line| line.starts_with("{\"strategy\":")).count();
        assert_eq!(cells, matrix.cells.len(), "one cell a line");
    }
}

/// RFC 4180: fields by commas, records by CR LF, quotes doubled inside quotes.
fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let record = records.last_mut().unwrap();
        match (quoted, character) {
            (true, '"') if characters.peek() == Some(&'"') => {
                characters.next();
                record.last_mut().unwrap().push('"');
            }
            (_, '"') => quoted = !quoted,
            (false, ',') => record.push(String::new()),
            (false, '\r') => {
                assert_eq!(characters.next(), Some('\n'), "CR is followed by LF");
                records.push(vec![String::new()]);
            }
            (false, '\n') => panic!("a bare line feed outside quotes"),
            _ => record.last_mut().unwrap().push(character),
        }
    }
    assert!(!quoted, "every quote is closed");
    assert_eq!(records.pop().unwrap(), [""], "the last record is ended too");
    records
}

#[test]
fn csv_parses_back_into_the_cells() {
    let matrix = sample::hostile();
    let records = parse_csv(&texts(&matrix, "csv").csv);
    let (header, rows) = records.split_first().unwrap();
    assert_eq!(rows.len(), matrix.cells.len());
    for (row, cell) in rows.iter().zip(&matrix.cells) {
        assert_eq!(row.len(), header.len());
        let field = |name: &str| row[header.iter().position(|head| head == name).expect(name)].as_str();
        assert_eq!(field("workload"), cell.workload);
        assert_eq!(field("strategy"), cell.strategy);
        assert_eq!(field("threads"), cell.threads.to_string());
        assert_eq!(field("reason"), cell.reason);
        let status = match cell.status {
            Status::Ok => "ok",
            Status::Failed => "failed",
            Status::Unsupported => "unsupported",
        };
        assert_eq!(field("status"), status);
        assert_eq!(field("ratio").parse().ok(), cell.ratio.map(|ratio| ratio.median));
        assert_eq!(field("ratio_hi").parse().ok(), cell.ratio.map(|ratio| ratio.hi));
        assert_eq!(field("ns_per_op_lo").parse().ok(), cell.ns_per_op.map(|time| time.lo));
        assert_eq!(field("peak_rss_kib").parse().ok(), cell.peak_rss_kib);
        assert_eq!(field("minor_faults").parse().ok(), cell.minor_faults);
        assert_eq!(field("proof"), cell.proof);
    }
}

#[test]
fn the_page_asks_the_network_for_nothing() {
    for (matrix, name) in [(sample::matrix(), "html"), (sample::hostile(), "html-hostile")] {
        let html = texts(&matrix, name).html;
        for outside in
            ["http://", "https://", "src=", "@import", "url(", "fetch(", "XMLHttpRequest", "import("]
        {
            assert!(!html.contains(outside), "{outside} in the page");
        }
        // The only references are the empty icon and places in the page itself.
        for (_, after) in html.match_indices("href=\"").map(|(at, found)| (at, &html[at + found.len()..])) {
            assert!(after.starts_with('#') || after.starts_with("data:,"), "{}", &after[..40]);
        }
    }
}

#[test]
fn the_data_in_the_page_is_the_json_file() {
    let texts = texts(&sample::hostile(), "html-data");
    let open = "<script type=\"application/json\" id=\"matrix\">";
    let (_, after) = texts.html.split_once(open).expect("the data element");
    let (data, _) = after.split_once("</script>").expect("its end");
    assert!(value(data) == value(&texts.json));
    assert!(data.replace("\\u003c", "<") == texts.json);
}

/// Reads tags as HTML does: every element that is opened is closed, in order, and no attribute is left open.
#[test]
fn the_page_is_well_formed_whatever_the_names() {
    const VOID: [&str; 9] = ["meta", "link", "input", "br", "line", "rect", "circle", "path", "!DOCTYPE"];
    for (matrix, name) in [(sample::matrix(), "form"), (sample::hostile(), "form-hostile")] {
        let html = texts(&matrix, name).html;
        let mut open: Vec<&str> = Vec::new();
        let mut rest = html.as_str();
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            // A tag ends at the first > outside quotes.
            let mut quoted = false;
            let end = rest
                .char_indices()
                .find(|&(_, character)| {
                    quoted ^= character == '"';
                    character == '>' && !quoted
                })
                .map(|(end, _)| end)
                .expect("a tag is closed");
            let tag = &rest[..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closing tag near {:?}", rest.get(..80));
                continue;
            }
            let name = tag.split([' ', '/']).next().unwrap();
            if !VOID.contains(&name) {
                open.push(name);
            }
            if name == "script" || name == "style" {
                let close = format!("</{name}>");
                rest = &rest[rest.find(&close).expect("it ends")..];
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
        assert!(!html.contains("{{style}}") && !html.contains("NaN"));
    }
}

#[test]
fn names_from_data_stay_text() {
    let texts = texts(&sample::hostile(), "escaping");
    assert!(!texts.html.contains("<img onerror"));
    assert!(!texts.html.contains("<script>alert"));
    assert!(texts.html.contains("&lt;/script&gt;&lt;img onerror=alert(1)&gt;"));
    assert!(texts.html.contains("a&lt;b&gt; &amp; &quot;c|d&quot;, &#39;e&#39; {{data}}"));
    assert!(!texts.markdown.contains("<img") && !texts.markdown.contains("<script"));
    assert!(
        texts.markdown.contains("<summary><b>a&lt;b&gt; &amp; &quot;c|d&quot;, &#39;e&#39; {{data}}</b>")
    );
    assert!(texts.markdown.contains("\n| &lt;/script&gt;&lt;img onerror=alert(1)&gt; | "));
    assert!(texts.markdown.contains(" line one, line \"two\" &lt;!-- "), "a line end would end the row");
    for line in texts.markdown.lines().filter(|line| line.starts_with('|')) {
        assert!(line.ends_with('|'), "a row of a table is one line: {line}");
    }
    let terminal = terminal::table(&sample::hostile(), 120, false);
    assert!(!terminal.contains('\u{1b}'), "data cannot send escape sequences to the terminal");
}

#[test]
fn every_report_shows_what_failed_and_why_and_ends_with_its_limits() {
    let matrix = sample::matrix();
    let texts = texts(&matrix, "failed");
    let terminal = terminal::table(&matrix, 400, false);
    for report in [&texts.markdown, &texts.html, &terminal] {
        for reason in ["SIGSEGV", "checksum 00000000deadbeef", "no result after 30 s", "would need 14.2 GiB"]
        {
            assert!(report.contains(reason), "{reason}");
        }
        let (_, end) = report.split_once("What this does not tell you").expect("the section");
        assert!(end.contains("How your program would do"));
        // In the page, the data follows.
        let end = end.split("<script").next().unwrap();
        assert!(!end.contains("SIGSEGV"), "no other section follows");
    }
    assert!(terminal.contains("FAILED"));
    for fact in ["AMD EPYC 7B13", "6.1.0-28-amd64", "glibc 2.36", "madvise", "3f2a91c+", "mimalloc 0.1.0"] {
        assert!(texts.html.contains(fact) && texts.markdown.contains(&fact.replace('_', "\\_")), "{fact}");
    }
}

#[test]
fn plots_are_there_for_every_workload_and_thread_count() {
    let matrix = sample::matrix();
    let html = texts(&matrix, "plots").html;
    let count = |what: &str| html.matches(what).count();
    assert_eq!(count("aria-label=\"Time ratio to system, "), 45);
    assert_eq!(count("aria-label=\"Peak resident memory, "), 45);
    assert_eq!(count("aria-label=\"Resident memory over time, "), 42, "the aligned workload has no timeline");
    assert_eq!(count("class=\"noise\""), 45, "every A/A interval is shaded");
    assert_eq!(count("<tr><td class=\"\">"), matrix.cells.len(), "one row a cell");
}

#[test]
fn the_terminal_table_keeps_to_its_width() {
    let matrix = sample::matrix();
    for width in [60, 80, 100, 120, 200] {
        let text = terminal::table(&matrix, width, false);
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(!text.contains('\u{1b}'));
        for name in ["mimalloc", "system-again", "larson", "8 threads"] {
            assert!(text.contains(name), "{name} at width {width}");
        }
    }
    if std::env::var_os("NO_COLOR").is_none() {
        assert!(terminal::table(&matrix, 120, true).contains("\u{1b}["));
    }
}

#[test]
fn the_end_of_a_run_names_the_files_and_what_to_type() {
    let mut matrix = sample::matrix();
    let written = texts(&matrix, "closing").written;
    let closing = terminal::closing(&matrix, &written);
    assert!(closing.contains(&format!("wrote {}\n", written.html.display())));
    assert!(closing.ends_with("next: cargo matrix --only larson --strategies freelist --threads 8\n"));
    let mut control = matrix.clone();
    for cell in control.cells.iter_mut().filter(|cell| cell.status == Status::Failed) {
        cell.strategy = "system-again".to_owned();
    }
    assert!(
        terminal::closing(&control, &written)
            .ends_with("next: cargo matrix --only larson --strategies system --threads 8\n")
    );
    matrix.cells.retain(|cell| cell.status != Status::Failed);
    assert!(terminal::closing(&matrix, &written).ends_with("next: cargo matrix --features peers\n"));
    matrix.mode = "full".to_owned();
    assert!(terminal::closing(&matrix, &written).ends_with("next: cargo matrix --input FILE\n"));
}

/// A matrix with one program beside the workloads, and a row that only its command defines.
fn with_program() -> Matrix {
    let mut matrix = sample::matrix();
    matrix.command = "cargo matrix --quick --program 'sqlite3 x.db' --preload je=/lib/je.so".to_owned();
    matrix.workloads.push(WorkloadNote {
        name: "sqlite3".to_owned(),
        about: "`sqlite3 x.db`, with the allocator preloaded; one operation is a run.".to_owned(),
        command: "sqlite3 x.db".to_owned(),
    });
    let as_program = |cell: &Cell| Cell {
        workload: "sqlite3".to_owned(),
        threads: 0,
        status: Status::Ok,
        reason: String::new(),
        cpu_ms: Some(123.4),
        ..cell.clone()
    };
    let programs = matrix.cells.iter().filter(|cell| cell.workload == "churn" && cell.threads == 1);
    let programs: Vec<Cell> = programs.map(as_program).collect();
    matrix.cells.extend(programs);
    matrix
}

#[test]
fn programs_have_a_place_of_their_own_beside_workloads() {
    let matrix = with_program();
    let texts = texts(&matrix, "program");
    let terminal = terminal::table(&matrix, 0, false);
    let (_, after) = terminal.split_once("Time, own threads\n").expect("a table of programs");
    let (table, _) = after.split_once("\n\n").expect("its end");
    assert!(table.contains(" sqlite3 ") && !table.contains(" churn "), "{table}");
    assert!(terminal.contains("Processor time of programs\n"));
    let (_, card) = texts.html.split_once("<h3>sqlite3</h3>").expect("a card");
    let (card, _) = card.split_once("</article>").expect("its end");
    assert_eq!(card.matches("<b>own threads</b>").count(), 3, "one row of plots");
    assert!(!card.contains("<b>1 thread</b>"));
    assert!(texts.html.contains("data-v=\"0\">own</td>"));
    let (_, details) = texts.markdown.split_once("<b>sqlite3</b>").expect("a part of its own");
    assert!(details.contains("| processor time, own threads |") && details.contains("| 123 ms |"));
    assert!(!texts.markdown.split_once("<b>sqlite3</b>").unwrap().0.contains("processor time"));
    let records = parse_csv(&texts.csv);
    let column = |name: &str| records[0].iter().position(|head| head == name).unwrap();
    let row = records.iter().find(|row| row[column("workload")] == "sqlite3").unwrap();
    assert_eq!((row[column("threads")].as_str(), row[column("cpu_ms")].as_str()), ("0", "123.4"));
    assert!(value(&texts.json)["workloads"][15]["command"] == "sqlite3 x.db");
}

#[test]
fn what_only_the_command_line_defines_is_repeated_by_it() {
    let mut matrix = with_program();
    let written = texts(&matrix, "repeat").written;
    matrix.cells.retain(|cell| cell.status != Status::Failed);
    let next = "next: cargo matrix --program 'sqlite3 x.db' --preload je=/lib/je.so\n";
    assert!(terminal::closing(&matrix, &written).ends_with(next));
    let program = matrix.cells.iter_mut().find(|cell| cell.threads == 0 && cell.strategy == "bump").unwrap();
    program.status = Status::Failed;
    let again = format!("next: {}\n", matrix.command);
    assert!(terminal::closing(&matrix, &written).ends_with(&again));
}

#[test]
fn a_matrix_without_cells_or_facts_is_reported_too() {
    let mut matrix = sample::matrix();
    matrix.cells.clear();
    matrix.workloads.clear();
    matrix.machine = bench_harness::schema::Machine::default();
    let texts = texts(&matrix, "empty");
    assert!(texts.html.contains("unknown") && texts.markdown.contains("unknown"));
    assert!(terminal::table(&matrix, 80, false).contains("This run has no A/A row"));
}
