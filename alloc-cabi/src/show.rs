//! `show_alloc_mem` and `show_alloc_mem_ex`, after the exercise of the school 42: what is allocated, by address.

use core::ops::ControlFlow;
use core::ptr;

use alloc_core::{Block, BlockState, Inspect, Step, Walked, Zone};

use crate::boot;
use crate::registry::Served;
use crate::text::{Text, write_all};

/// Bytes of a block that the extended form dumps at most, in lines of 16.
const DUMPED: usize = 64;

const fn state_name(state: BlockState) -> &'static str {
    match state {
        BlockState::Used => "used",
        BlockState::Free => "free",
        BlockState::Cached => "cached",
        BlockState::Mapped => "mapped",
        BlockState::Corrupted => "corrupted",
        BlockState::Metadata => "metadata",
    }
}

/// `0xA0020 - 0xA004A : 42 bytes`
fn range<'t, 's>(text: &'t mut Text<'s>, block: Block) -> &'t mut Text<'s> {
    text.address(block.address).text(" - ").address(block.address + block.size);
    text.text(" : ").decimal(block.size as u64).text(" bytes")
}

/// A block's first bytes, as numbers and as text.
///
/// # Safety
/// The block's bytes may be read. Its holder may write to them meanwhile.
unsafe fn dump(text: &mut Text<'_>, block: Block) {
    let mut at = block.address;
    let end = block.address + block.size.min(DUMPED);
    while at < end {
        let line_end = end.min(at + 16);
        let mut line = [b' '; 16];
        text.text("  ").address(at).text(": ");
        for (slot, address) in line.iter_mut().zip(at..line_end) {
            // SAFETY: within the block, whose bytes may be read; volatile, since the program may be writing them.
            let byte = unsafe { ptr::with_exposed_provenance::<u8>(address).read_volatile() };
            *slot = if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'.' };
            text.hex_byte(byte).text(" ");
        }
        for _ in line_end..at + 16 {
            text.text("   ");
        }
        text.text(" ").bytes(line.get(..line_end - at).unwrap_or(&line)).text("\n");
        at += 16;
    }
}

/// The title of a zone, printed with its first block that is shown.
fn title(text: &mut Text<'_>, zone: &mut Option<Zone>, mapped: bool) {
    if let Some(zone) = zone.take() {
        text.text(if mapped { "LARGE : " } else { "ZONE : " }).address(zone.address).text("\n");
    }
}

fn show(text: &mut Text<'_>, served: &Served, extended: bool) {
    let mut zone = None;
    let mut total = 0;
    let walked = served.handle.walk(&mut |step| {
        match step {
            Step::Zone(begins) => zone = Some(begins),
            Step::Block(block) => {
                let live = matches!(block.state, BlockState::Used | BlockState::Mapped);
                total += if live { block.size as u64 } else { 0 };
                if live || extended {
                    title(text, &mut zone, block.state == BlockState::Mapped);
                    range(text, block);
                    if extended {
                        text.text(", ").text(state_name(block.state));
                    }
                    text.text("\n");
                }
                if live && extended {
                    // SAFETY: a live block's bytes may be read.
                    unsafe { dump(text, block) };
                }
            }
        }
        ControlFlow::Continue(())
    });
    if walked == Walked::Unsupported {
        text.text(served.choice.name()).text(": its blocks cannot be listed\n");
        total = served.handle.stats().live.get().unwrap_or(0);
    }
    text.text("Total : ").decimal(total).text(" bytes\n");
}

/// Prints every live block to standard output, zone by zone, and their sum.
pub(crate) fn print(extended: bool) {
    let Some(served) = boot::active() else { return };
    let mut sink = |bytes: &[u8]| write_all(1, bytes);
    show(&mut Text::new(&mut sink), served, extended);
}
