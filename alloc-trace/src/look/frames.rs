//! A stack, one frame a line, in a form that symbols can be found from afterwards.

use core::fmt::{self, Write};

use crate::stack::{self, SHOWN_FRAMES, StackId};

/// Writes each frame as its return address, and where the module is known, the module's file and the address of the call in
/// it: what `addr2line -Cfie FILE ADDRESS` takes.
pub(crate) fn frames(stack: StackId, out: &mut dyn Write) -> fmt::Result {
    for address in stack::frames(stack).take(SHOWN_FRAMES) {
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
