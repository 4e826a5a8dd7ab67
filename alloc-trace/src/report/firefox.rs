//! The Firefox Profiler's processed format: each block that came or went as a native allocation, and the live bytes as a
//! memory track.

use core::fmt::Write;
use std::collections::HashMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::json::{list, quoted};
use super::snapshot::Snapshot;
use super::symbols::Symbols;

/// Columns of a table, as comma-separated numbers.
#[derive(Debug)]
struct Columns<const N: usize> {
    columns: [String; N],
    length: usize,
}

impl<const N: usize> Columns<N> {
    fn new() -> Self {
        Self { columns: core::array::from_fn(|_| String::new()), length: 0 }
    }

    fn push(&mut self, row: [String; N]) -> usize {
        for (column, cell) in self.columns.iter_mut().zip(row) {
            if self.length > 0 {
                column.push(',');
            }
            column.push_str(&cell);
        }
        self.length += 1;
        self.length - 1
    }

    fn json(&self, names: [&str; N], more: &str) -> String {
        let mut out = format!("{{\"length\":{}", self.length);
        for (name, column) in names.iter().zip(&self.columns) {
            let _ = write!(out, ",\"{name}\":[{column}]");
        }
        out.push_str(more);
        out.push('}');
        out
    }
}

/// Stacks as the profile's tables have them.
struct Tables {
    strings: HashMap<String, usize>,
    list: Vec<String>,
    functions: Columns<7>,
    frames: Columns<10>,
    stacks: Columns<2>,
    known_frames: HashMap<(u64, usize), usize>,
    known_stacks: HashMap<(Option<usize>, usize), usize>,
}

impl Tables {
    fn string(&mut self, text: &str) -> usize {
        let next = self.list.len();
        let number = *self.strings.entry(text.to_string()).or_insert(next);
        if number == next {
            self.list.push(quoted(text));
        }
        number
    }

    fn stack(&mut self, snapshot: &Snapshot, symbols: &mut Symbols, stack: u32) -> Option<usize> {
        let mut prefix = None;
        for (address, name) in symbols.stack(snapshot, stack).into_iter().rev() {
            let text = self.string(&name.function);
            let frame = match self.known_frames.get(&(address, text)) {
                Some(&frame) => frame,
                None => {
                    let null = || "null".to_string();
                    let file =
                        if name.file.is_empty() { null() } else { self.string(&name.file).to_string() };
                    let line = if name.line == 0 { null() } else { name.line.to_string() };
                    let function = self.functions.push([
                        text.to_string(),
                        "false".into(),
                        "false".into(),
                        "-1".into(),
                        file,
                        null(),
                        null(),
                    ]);
                    let frame = self.frames.push([
                        "-1".into(),
                        "0".into(),
                        "0".into(),
                        null(),
                        function.to_string(),
                        null(),
                        "0".into(),
                        null(),
                        line,
                        null(),
                    ]);
                    self.known_frames.insert((address, text), frame);
                    frame
                }
            };
            prefix = Some(match self.known_stacks.get(&(prefix, frame)) {
                Some(&stack) => stack,
                None => {
                    let parent = prefix.map_or("null".to_string(), |prefix: usize| prefix.to_string());
                    let stack = self.stacks.push([frame.to_string(), parent]);
                    self.known_stacks.insert((prefix, frame), stack);
                    stack
                }
            });
        }
        prefix
    }
}

/// The snapshot as a processed profile. Traces of counts show what is live at the end, at one moment.
#[must_use]
pub fn firefox(snapshot: &Snapshot, symbols: &mut Symbols) -> String {
    let mut tables = Tables {
        strings: HashMap::new(),
        list: Vec::new(),
        functions: Columns::new(),
        frames: Columns::new(),
        stacks: Columns::new(),
        known_frames: HashMap::new(),
        known_stacks: HashMap::new(),
    };
    let mut numbers = HashMap::new();
    for &stack in snapshot.rows.keys() {
        let number = tables.stack(snapshot, symbols, stack);
        numbers.insert(stack, number.map_or("null".to_string(), |number| number.to_string()));
    }
    let millis = |nanos: u64| format!("{:.6}", nanos as f64 / 1e6);
    let mut events: Columns<5> = Columns::new();
    let mut counter: Columns<3> = Columns::new();
    // The profiler draws a counter from its first sample on, as if that were nothing.
    counter.push([millis(0), "0".into(), "0".into()]);
    let stack_of = |stack: u32| numbers.get(&stack).cloned().unwrap_or("null".into());
    for change in &snapshot.changes {
        let sign = if change.alloc { "" } else { "-" };
        let weight = format!("{sign}{}", change.size);
        events.push([
            millis(change.nanos),
            stack_of(change.stack),
            weight.clone(),
            change.address.to_string(),
            change.thread.to_string(),
        ]);
        counter.push([millis(change.nanos), weight, "1".into()]);
    }
    if snapshot.changes.is_empty() {
        for (&stack, row) in &snapshot.rows {
            let nanos = millis(snapshot.totals.nanos);
            events.push([
                nanos.clone(),
                stack_of(stack),
                row.live_bytes.to_string(),
                stack.to_string(),
                "0".into(),
            ]);
            counter.push([nanos, row.live_bytes.to_string(), "1".into()]);
        }
    }
    let samples: Columns<3> = {
        let mut samples = Columns::new();
        samples.push(["null".into(), "0".into(), "1".into()]);
        samples
    };
    let name = snapshot.program_name();
    let end = millis(snapshot.totals.nanos);
    format!(
        "{{\"meta\":{{\"version\":27,\"preprocessedProfileVersion\":48,\"interval\":1,\"startTime\":{},\"processType\":0,\
         \"product\":{},\"stackwalk\":1,\"debug\":false,\"symbolicated\":true,\"categories\":[{{\"name\":\"Other\",\
         \"color\":\"grey\",\"subcategories\":[\"Other\"]}}],\"markerSchema\":[]}},\"libs\":[],\"pages\":[],\
         \"counters\":[{{\"name\":\"malloc\",\"category\":\"Memory\",\"description\":\"live bytes\",\"pid\":\"{pid}\",\
         \"mainThreadIndex\":0,\"samples\":{counter}}}],\
         \"threads\":[{{\"processType\":\"default\",\"processStartupTime\":0,\"processShutdownTime\":{end},\
         \"registerTime\":0,\"unregisterTime\":null,\"pausedRanges\":[],\"name\":{name},\"isMainThread\":true,\
         \"pid\":\"{pid}\",\"tid\":{process},\"samples\":{samples},\"nativeAllocations\":{events},\
         \"markers\":{{\"length\":0,\"data\":[],\"name\":[],\"startTime\":[],\"endTime\":[],\"phase\":[],\"category\":[]}},\
         \"stackTable\":{stacks},\"frameTable\":{frames},\"funcTable\":{functions},\
         \"resourceTable\":{{\"length\":0,\"lib\":[],\"name\":[],\"host\":[],\"type\":[]}},\
         \"nativeSymbols\":{{\"length\":0,\"libIndex\":[],\"address\":[],\"name\":[],\"functionSize\":[]}},\
         \"stringArray\":{strings}}}]}}\n",
        snapshot.epoch_nanos / 1_000_000,
        quoted(name),
        pid = snapshot.process,
        process = snapshot.process,
        name = quoted(name),
        counter = counter.json(["time", "count", "number"], ""),
        samples = samples.json(["stack", "time", "weight"], ",\"weightType\":\"samples\""),
        events = events
            .json(["time", "stack", "weight", "memoryAddress", "threadId"], ",\"weightType\":\"bytes\""),
        stacks = tables.stacks.json(["frame", "prefix"], ""),
        frames = tables.frames.json(
            [
                "address",
                "category",
                "subcategory",
                "nativeSymbol",
                "func",
                "innerWindowID",
                "inlineDepth",
                "implementation",
                "line",
                "column"
            ],
            ""
        ),
        functions = tables.functions.json(
            ["name", "isJS", "relevantForJS", "resource", "fileName", "lineNumber", "columnNumber"],
            ""
        ),
        strings = list(tables.list),
    )
}
