//! heaptrack's interpreted text, version 3, as `heaptrack_print` and `heaptrack_gui` read it.
//!
//! Lines, with hexadecimal numbers: `s LENGTH TEXT` a text, `i ADDRESS MODULE [FUNCTION FILE LINE]...` an instruction with
//! its inlined functions, `t INSTRUCTION PARENT` a stack, `a SIZE STACK` a kind of allocation, `+ KIND`, `- KIND`,
//! `c MILLISECONDS`. Texts, instructions and stacks count from 1, kinds from 0.

use core::fmt::Write;
use std::collections::HashMap;
use std::string::{String, ToString};

use super::snapshot::Snapshot;
use super::symbols::{Name, Symbols};

struct Out {
    text: String,
    strings: HashMap<String, usize>,
    instructions: HashMap<(u64, Name), usize>,
    traces: HashMap<(usize, usize), usize>,
    kinds: HashMap<(u64, u32), usize>,
}

impl Out {
    fn line(&mut self, line: core::fmt::Arguments<'_>) {
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    fn string(&mut self, text: &str) -> usize {
        if text.is_empty() {
            return 0;
        }
        let text = text.replace('\n', " ");
        let next = self.strings.len() + 1;
        let number = *self.strings.entry(text.to_string()).or_insert(next);
        if number == next {
            self.line(format_args!("s {:x} {text}", text.len()));
        }
        number
    }

    fn instruction(&mut self, snapshot: &Snapshot, address: u64, name: Name) -> usize {
        if let Some(&number) = self.instructions.get(&(address, name.clone())) {
            return number;
        }
        let module = snapshot
            .module_of(address.saturating_sub(1))
            .map_or("", |module| module.path.as_str())
            .to_string();
        let (module, function, file) =
            (self.string(&module), self.string(&name.function), self.string(&name.file));
        self.line(format_args!("i {address:x} {module:x} {function:x} {file:x} {:x}", name.line));
        let number = self.instructions.len() + 1;
        self.instructions.insert((address, name), number);
        number
    }

    fn trace(&mut self, instruction: usize, parent: usize) -> usize {
        let next = self.traces.len() + 1;
        let number = *self.traces.entry((instruction, parent)).or_insert(next);
        if number == next {
            self.line(format_args!("t {instruction:x} {parent:x}"));
        }
        number
    }

    fn kind(&mut self, size: u64, stack: u32, trace: usize) -> usize {
        let next = self.kinds.len();
        let number = *self.kinds.entry((size, stack)).or_insert(next);
        if number == next {
            self.line(format_args!("a {size:x} {trace:x}"));
        }
        number
    }
}

/// The snapshot as heaptrack's text. Inlined functions show as frames of their own. Traces of counts show the bytes that
/// each stack has live at the end as one block.
#[must_use]
pub fn heaptrack(snapshot: &Snapshot, symbols: &mut Symbols) -> String {
    let mut out = Out {
        text: String::new(),
        strings: HashMap::new(),
        instructions: HashMap::new(),
        traces: HashMap::new(),
        kinds: HashMap::new(),
    };
    out.line(format_args!("v 10400 3"));
    out.line(format_args!("X {}", snapshot.command()));
    out.line(format_args!("I 1000 0"));
    let mut traces = HashMap::new();
    for &stack in snapshot.rows.keys() {
        let mut parent = 0;
        for (address, name) in symbols.stack(snapshot, stack).into_iter().rev() {
            let instruction = out.instruction(snapshot, address, name);
            parent = out.trace(instruction, parent);
        }
        traces.insert(stack, parent);
    }
    let trace_of = |stack: u32| traces.get(&stack).copied().unwrap_or(0);
    let mut millis = 0;
    for change in &snapshot.changes {
        let now = change.nanos / 1_000_000;
        if now >= millis + 10 {
            millis = now;
            out.line(format_args!("c {millis:x}"));
        }
        let kind = out.kind(change.size, change.stack, trace_of(change.stack));
        out.line(format_args!("{} {kind:x}", if change.alloc { '+' } else { '-' }));
    }
    if snapshot.changes.is_empty() {
        for (&stack, row) in snapshot.rows.iter().filter(|(_, row)| row.live_bytes > 0) {
            let kind = out.kind(row.live_bytes, stack, trace_of(stack));
            out.line(format_args!("+ {kind:x}"));
        }
    }
    out.line(format_args!("c {:x}", (snapshot.totals.nanos / 1_000_000).max(1)));
    out.text
}
