//! What is live, by the stack that allocated it, in the process itself.

use core::fmt::{self, Write};

use super::frames::frames;
use crate::sink::counts::{Counts, Held};

/// Stacks that are told one by one.
const SHOWN: usize = 50;

/// Tells the blocks that are live by the stacks that allocated them, the most bytes first: 50 stacks, the rest as one line, and
/// a line of totals, which is the whole text where nothing is live. Read while other threads work, figures may be a few
/// events apart.
///
/// # Errors
/// What `out` answers.
pub fn leaks(counts: &Counts, out: &mut dyn Write) -> fmt::Result {
    let about = if counts.estimates() { "about " } else { "" };
    let (mut blocks, mut bytes, mut stacks) = (0_u64, 0_u64, 0_u64);
    counts.held(&mut |held| {
        (blocks, bytes, stacks) = (blocks + held.blocks, bytes + held.bytes, stacks + 1);
    });
    let (mut shown_blocks, mut shown_bytes, mut shown) = (0, 0, 0);
    let mut last: Option<Held> = None;
    // Nothing can be sorted without memory: the next one is looked for among all, 50 times.
    for _ in 0..SHOWN {
        let mut next: Option<Held> = None;
        counts.held(&mut |held| {
            if last.is_none_or(|last| held.comes_after(&last))
                && next.is_none_or(|next| next.comes_after(&held))
            {
                next = Some(held);
            }
        });
        let Some(held) = next else { break };
        writeln!(out, "{about}{} bytes in {} blocks, allocated at", held.bytes, held.blocks)?;
        frames(held.stack, out)?;
        (shown_blocks, shown_bytes, shown) =
            (shown_blocks + held.blocks, shown_bytes + held.bytes, shown + 1);
        last = Some(held);
    }
    if stacks > shown {
        let (blocks, bytes) = (blocks.saturating_sub(shown_blocks), bytes.saturating_sub(shown_bytes));
        writeln!(out, "{about}{bytes} bytes in {blocks} blocks from {} more stacks", stacks - shown)?;
    }
    let (all_blocks, all_bytes) = counts.allocated();
    writeln!(
        out,
        "live: {about}{bytes} bytes in {blocks} blocks from {stacks} stacks; of {all_bytes} bytes in {all_blocks} blocks \
         allocated"
    )
}
