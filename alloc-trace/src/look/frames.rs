//! A stack, one frame a line, in a form that symbols can be found from afterwards.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::stack::{self, SHOWN_FRAMES, StackId};

static OWN_HIDDEN: AtomicBool = AtomicBool::new(false);

/// From now on, stacks begin behind the frames of the module that this code lies in: for a library that is an allocator and
/// nothing else, whose own frames tell nobody anything.
pub fn hide_own_frames() {
    OWN_HIDDEN.store(true, Ordering::Relaxed);
}

/// How many frames, from the innermost on, are the module's own; none where all are.
fn own(stack: StackId) -> usize {
    let here = hide_own_frames as fn() as usize;
    let module = stack::tables().and_then(|tables| tables.modules.since(0).find(|m| m.range.contains(here)));
    let Some(module) = module.filter(|_| OWN_HIDDEN.load(Ordering::Relaxed)) else { return 0 };
    let own =
        stack::frames(stack).take_while(|address| module.range.contains(address.wrapping_sub(1))).count();
    if stack::frames(stack).nth(own).is_some() { own } else { 0 }
}

/// Writes each frame as its return address, and where the module is known, the module's file and the address of the call in
/// it: what `addr2line -Cfie FILE ADDRESS` takes.
pub(crate) fn frames(stack: StackId, out: &mut dyn Write) -> fmt::Result {
    for address in stack::frames(stack).skip(own(stack)).take(SHOWN_FRAMES) {
        write!(out, "    {address:#x}")?;
        // Of several modules that were loaded there one after the other, the last.
        let module = stack::tables()
            .and_then(|tables| tables.modules.since(0).filter(|m| m.range.contains(address)).last());
        if let Some(module) = module {
            out.write_str(" ")?;
            for part in module.path().utf8_chunks() {
                out.write_str(part.valid())?;
                if !part.invalid().is_empty() {
                    out.write_str("?")?;
                }
            }
            write!(out, " {:#x}", address.wrapping_sub(module.bias).wrapping_sub(1))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
