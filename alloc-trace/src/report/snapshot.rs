//! What a trace says, in one place.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

/// A loaded module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// First address.
    pub low: u64,
    /// First address behind it.
    pub high: u64,
    /// What the loader added to the addresses in the file.
    pub bias: u64,
    /// Empty where the module has none.
    pub build_id: Vec<u8>,
    /// The file that it was loaded from.
    pub path: String,
}

/// A node of the tree of stacks. Node 0 is the empty stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The calling frame's node; smaller than this one's.
    pub parent: u32,
    /// The return address. 1 stands for frames that were cut off; 0 for a frame that is not in the file.
    pub address: u64,
}

/// What one stack allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// Blocks allocated.
    pub allocs: u64,
    /// Their bytes.
    pub alloc_bytes: u64,
    /// Blocks live at the end.
    pub live: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// The most bytes that were live at once, of this stack.
    pub max_bytes: u64,
    /// Blocks then.
    pub max_blocks: u64,
    /// Bytes that were live when all stacks together had the most.
    pub peak_bytes: u64,
    /// Blocks then.
    pub peak_blocks: u64,
    /// Nanoseconds that its blocks lived, in sum; until the end for those that are live.
    pub lifetime: u64,
}

/// What all stacks allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blocks allocated.
    pub allocs: u64,
    /// Their bytes.
    pub alloc_bytes: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Requests that failed.
    pub refused: u64,
    /// Blocks live at the end.
    pub live: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// The most bytes that were live at once.
    pub peak_bytes: u64,
    /// Blocks then.
    pub peak_blocks: u64,
    /// When that was, in nanoseconds from the start.
    pub peak_nanos: u64,
    /// From the first event to the end, in nanoseconds.
    pub nanos: u64,
}

/// What a trace lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The file does not end as a trace that was ended does: the process was killed, or the disk was full.
    pub unfinished: bool,
    /// Bytes at the file's end that are no whole block.
    pub cut_bytes: u64,
    /// Blocks whose contents are not what was written.
    pub damaged_blocks: u64,
    /// Frees of blocks that were allocated before the trace began, or untraced.
    pub unknown_frees: u64,
    /// Allocations at addresses that were live: their frees were not traced.
    pub missed_frees: u64,
    /// Stacks of which a frame is not in the file.
    pub lost_frames: u64,
    /// Stacks that were cut for want of memory in the traced process.
    pub cut_stacks: u64,
}

/// A block that came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Nanoseconds from the start.
    pub nanos: u64,
    /// The thread on which it did.
    pub thread: u32,
    /// The stack that the block was allocated by.
    pub stack: u32,
    /// The block's address.
    pub address: u64,
    /// The block's bytes.
    pub size: u64,
    /// Whether it came.
    pub alloc: bool,
}

/// A trace, read.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The traced process.
    pub process: u32,
    /// Nanoseconds since 1970 at the start; 0 where that is not known.
    pub epoch_nanos: u64,
    /// Mean bytes between samples; 0 where every event was traced.
    pub rate: u64,
    /// Modules, in the order in which they were met.
    pub modules: Vec<Module>,
    /// The tree of stacks.
    pub frames: Vec<Frame>,
    /// What each stack allocated.
    pub rows: BTreeMap<u32, Row>,
    /// All changes in order, where the trace has them.
    pub changes: Vec<Change>,
    /// What all stacks allocated.
    pub totals: Totals,
    /// What the trace lacks.
    pub problems: Problems,
}

impl Snapshot {
    /// The return addresses of a stack, from the innermost frame outwards.
    #[must_use]
    pub fn addresses(&self, stack: u32) -> Vec<u64> {
        let mut addresses = Vec::new();
        let mut at = stack;
        while let Some(frame) = self.frames.get(at as usize).filter(|_| at != 0) {
            addresses.push(frame.address);
            // Parents have smaller numbers, in files that are what they should be.
            at = if frame.parent < at { frame.parent } else { 0 };
        }
        addresses
    }

    /// The module that an address lies in: the one that was met last, where several were there.
    #[must_use]
    pub fn module_of(&self, address: u64) -> Option<&Module> {
        self.modules.iter().rev().find(|module| module.low <= address && address < module.high)
    }

    /// The program's own module, where a frame of it was met: the lowest of all, since the system puts what it starts below
    /// what is loaded afterwards.
    #[must_use]
    pub fn program(&self) -> Option<&Module> {
        self.modules.iter().min_by_key(|module| module.low)
    }

    /// The program's file, or `?`.
    #[must_use]
    pub fn command(&self) -> &str {
        self.program().map_or("?", |module| module.path.as_str())
    }

    /// The last part of the program's path, or `?`.
    #[must_use]
    pub fn program_name(&self) -> &str {
        self.command().rsplit('/').next().unwrap_or("?")
    }

    /// Whether it says which bytes were live when all stacks together had the most. Counts say it of each stack by itself.
    #[must_use]
    pub fn knows_peak(&self) -> bool {
        !self.changes.is_empty() || self.rows.is_empty()
    }

    /// Rows with the most of a figure first.
    pub(super) fn sorted_by(&self, figure: impl Fn(&Row) -> u64) -> Vec<(u32, &Row)> {
        let mut rows: Vec<_> = self.rows.iter().map(|(&stack, row)| (stack, row)).collect();
        rows.sort_by_key(|&(stack, row)| (core::cmp::Reverse(figure(row)), stack));
        rows
    }

    /// One line for each thing that the trace lacks.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        use std::format;
        let problems = &self.problems;
        let mut lines = Vec::new();
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                lines.push(format!("{count} {what}"));
            }
        };
        say(problems.cut_bytes, "bytes at the end are no whole block and were left out");
        say(problems.damaged_blocks, "blocks are damaged and were left out");
        say(problems.unknown_frees, "frees are of blocks that were not traced");
        say(problems.missed_frees, "blocks were freed untraced");
        say(problems.lost_frames, "stacks have frames that are not in the file");
        say(problems.cut_stacks, "stacks were cut for want of memory");
        if problems.unfinished {
            lines.push("the trace was not ended: what was pending in the process is missing".into());
        }
        lines
    }
}
