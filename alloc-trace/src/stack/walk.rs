//! From the stack to a number, looking only at what changed.
//!
//! The walker keeps, for each frame of the thread's last stack, where the frame was found, what it returned to and what
//! the frame pointer was then. A new walk goes from the innermost frame outwards, until it meets a frame of the last walk:
//! the same CFA, return address and frame pointer. The return address and these two registers determine how the next
//! frame is found, so that from there on it is enough to read each kept frame's two slots again and compare. Nothing is
//! written to the stack, and no return address is replaced.
//!
//! Code without frame pointers uses the register for whatever it likes, a loop's counter for one. So it is compared only where
//! a frame further out is found by it before another value is read from the stack.
//!
//! The reads go to memory of the thread's own stack, in bounds that the kernel told, wherever a wrong rule may lead.

use core::cell::Cell;
use core::fmt;

use super::intern::{CUT, StackId};
use super::maps::Range;
use super::rule::{Base, FRAME_POINTER, Rule};
use super::{Tables, bounds};

/// Frames of a stack that are kept; those beyond, at the outer end, show as one cut frame.
pub(crate) const MAX_DEPTH: usize = 1024;

/// One frame: how its caller was found.
#[derive(Clone, Copy, Debug)]
struct Frame {
    cfa: usize,
    returns_to: usize,
    /// The caller's frame pointer.
    frame_pointer: usize,
    /// Where that was read, or 0.
    slot: usize,
    /// The frame was found by the frame pointer.
    by_frame_pointer: bool,
}

/// A frame that is compared with what stands on the stack.
#[derive(Clone, Copy)]
struct Kept {
    cfa: usize,
    returns_to: usize,
    /// The frame's slot and what was there, where that matters; else its return address once more, which saves a branch.
    slot: usize,
    saved: usize,
    /// The caller's frame pointer.
    frame_pointer: usize,
    stack: StackId,
    /// Whether the frame pointer that its own code had decides how this frame, or one further out, is found.
    needs: bool,
}

impl Kept {
    /// `needs`: of the frame next to it on the outside.
    const fn new(frame: Frame, needs: bool, stack: StackId) -> Self {
        let Frame { cfa, returns_to, frame_pointer, slot, by_frame_pointer } = frame;
        let (place, saved) = if needs && slot != 0 { (slot, frame_pointer) } else { (cfa - 8, returns_to) };
        let needs = by_frame_pointer || (needs && slot == 0);
        Self { cfa, returns_to, slot: place, saved, frame_pointer, stack, needs }
    }

    /// 0 where the frame stands on the stack as it did.
    ///
    /// # Safety
    /// The kept frame was read within the bounds of the stack that the calling thread runs on.
    #[inline(always)]
    unsafe fn difference(&self) -> usize {
        // SAFETY: as the caller promises; both were aligned when they were read.
        let one = unsafe { word(self.cfa - 8) } ^ self.returns_to;
        // SAFETY: as above.
        let other = unsafe { word(self.slot) } ^ self.saved;
        one | other
    }
}

/// The registers that a walk starts from.
#[derive(Clone, Copy, Debug)]
struct Registers {
    pc: usize,
    sp: usize,
    frame_pointer: usize,
}

/// Where a walk began of which all frames are kept, and the stack's name.
#[derive(Clone, Copy)]
struct Last {
    /// 0 where there is none: not all were.
    sp: usize,
    /// `None` where it does not matter.
    frame_pointer: Option<usize>,
    stack: StackId,
}

/// A thread's memory of its last walk. Valid when all bytes are zero.
pub(crate) struct Walker {
    bounds: [Cell<Range>; 4],
    next_bounds: Cell<usize>,
    /// From the outermost frame inwards.
    kept: [Cell<Kept>; MAX_DEPTH],
    kept_count: Cell<usize>,
    /// The stack on which they were read.
    kept_on: Cell<Range>,
    last: Cell<Last>,
    /// From the innermost frame outwards: those found since, in this walk.
    found: [Cell<Frame>; MAX_DEPTH],
}

impl fmt::Debug for Walker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walker").field("kept", &self.kept_count).finish_non_exhaustive()
    }
}

impl Walker {
    /// Forgets the last walk, and where the stack is: another thread's record has become this one's.
    pub(crate) fn forget(&self) {
        self.kept_count.set(0);
        self.kept_on.set(Range::default());
        for bounds in &self.bounds {
            bounds.set(Range::default());
        }
    }

    /// The calling thread's stack, beginning with the caller of the function that this is inlined into: so the tracer's own
    /// frames are as few as can be.
    #[inline(always)]
    pub(crate) fn capture(&self, tables: &Tables) -> StackId {
        let start = registers();
        let last = self.last.get();
        let mut count = self.kept_count.get();
        // The first frame is found as it was, and then all others, as far as they stand.
        if last.sp == start.sp
            && last.frame_pointer.is_none_or(|frame_pointer| frame_pointer == start.frame_pointer)
            && count > 0
        {
            match self.changed(count) {
                None => return last.stack,
                Some(changed) => count = changed,
            }
        }
        self.capture_changed(tables, start, count)
    }

    /// Likewise, from these registers on, where at most `count` of the kept frames stand as they did.
    #[inline(never)]
    fn capture_changed(&self, tables: &Tables, start: Registers, count: usize) -> StackId {
        let bounds = self.bounds_of(start.sp);
        if self.kept_on.get() == bounds {
            self.kept_count.set(count);
        } else {
            self.kept_on.set(bounds);
            self.kept_count.set(0);
        }
        let (found, kept) = self.walk(tables, start, bounds);
        self.intern(tables, start, found, kept)
    }

    fn bounds_of(&self, sp: usize) -> Range {
        match self.bounds.iter().map(Cell::get).find(|bounds| bounds.contains(sp)) {
            Some(bounds) => bounds,
            None => {
                let bounds = bounds::find(sp);
                // A stack that has grown is known by its other end.
                let grown = self.bounds.iter().position(|known| known.get().high == bounds.high);
                let next = self.next_bounds.get();
                if let Some(place) = self.bounds.get(grown.unwrap_or(next)) {
                    place.set(bounds);
                }
                if grown.is_none() {
                    self.next_bounds.set((next + 1) % self.bounds.len());
                }
                bounds
            }
        }
    }

    /// Goes outwards. Returns how many frames were found, and how many of the kept ones stand behind them.
    fn walk(&self, tables: &Tables, start: Registers, bounds: Range) -> (usize, usize) {
        let Registers { mut pc, mut sp, mut frame_pointer } = start;
        let mut kept = self.kept_count.get();
        let mut found = 0;
        loop {
            let (rule, signal) = tables.rules.at(&tables.modules, pc);
            // A handler's frame looks like any other from inside; the interrupted code behind it has no call's frame.
            let rule = match rule {
                Rule::End => return (found, 0),
                _ if signal => return (found, 0),
                Rule::Unknown => FRAME_POINTER,
                rule => rule,
            };
            let Some(frame) = unwind(rule, sp, frame_pointer, bounds) else { return (found, 0) };
            while let Some(last) = self.outermost(kept) {
                if last.cfa >= frame.cfa {
                    break;
                }
                kept -= 1;
            }
            if let Some(last) = self.outermost(kept)
                && last.cfa == frame.cfa
                && last.returns_to == frame.returns_to
                && (last.frame_pointer == frame.frame_pointer || !self.needs(kept - 1))
            {
                match self.changed(kept - 1) {
                    None => return (found, kept),
                    // Those outside of it may still stand: the walk meets them behind the one that changed.
                    Some(changed) => kept = changed,
                }
            }
            let Some(place) = self.found.get(found) else { return (found, 0) };
            place.set(frame);
            found += 1;
            if frame.returns_to == 0 {
                return (found - 1, 0);
            }
            // Within the call, not behind it, where another rule may begin.
            pc = frame.returns_to - 1;
            sp = frame.cfa;
            frame_pointer = frame.frame_pointer;
        }
    }

    /// The innermost of the outermost `count` kept frames.
    #[inline]
    fn outermost(&self, count: usize) -> Option<Kept> {
        count.checked_sub(1).and_then(|last| self.kept.get(last)).map(Cell::get)
    }

    /// Whether the caller's frame pointer matters to the outermost `count` kept frames. What ended the walk behind all of them
    /// may be it.
    #[inline]
    fn needs(&self, count: usize) -> bool {
        self.outermost(count).is_none_or(|last| last.needs)
    }

    /// The innermost of the outermost `count` kept frames that no longer stands on the stack as it did.
    #[inline(always)]
    fn changed(&self, count: usize) -> Option<usize> {
        /// Compared together, without a branch for each.
        const TOGETHER: usize = 8;
        // SAFETY: frames are kept for one stack, that of the walk that found them, and forgotten when one begins on another
        // (`capture_changed`); where none begins, the thread stands where that one began.
        let difference = |kept: &Cell<Kept>| unsafe { kept.get().difference() };
        let mut end = count;
        for frames in self.kept.get(..count)?.rchunks(TOGETHER) {
            if frames.iter().fold(0, |sum, kept| sum | difference(kept)) != 0 {
                return self.kept.get(..end)?.iter().rposition(|kept| difference(kept) != 0);
            }
            end -= frames.len();
        }
        None
    }

    /// Puts what was found onto what was kept, and names the whole.
    fn intern(&self, tables: &Tables, start: Registers, found: usize, kept: usize) -> StackId {
        let mut stack = self.outermost(kept).map_or(StackId(0), |last| last.stack);
        let mut needs = self.needs(kept);
        let mut count = kept;
        if found == MAX_DEPTH {
            stack = tables.tree.child(stack, CUT);
        }
        for frame in self.found.get(..found).unwrap_or(&[]).iter().rev().map(Cell::get) {
            stack = tables.tree.child(stack, frame.returns_to);
            // More than fit: the inner ones are found anew by the next walk.
            if let Some(place) = self.kept.get(count) {
                let frame = Kept::new(frame, needs, stack);
                needs = frame.needs;
                place.set(frame);
                count += 1;
            }
        }
        self.kept_count.set(count);
        let all = found + kept == count && found < MAX_DEPTH;
        self.last.set(Last {
            sp: if all { start.sp } else { 0 },
            frame_pointer: needs.then_some(start.frame_pointer),
            stack,
        });
        stack
    }
}

/// The caller of a frame, or `None` where the way is lost.
#[inline]
fn unwind(rule: Rule, sp: usize, frame_pointer: usize, bounds: Range) -> Option<Frame> {
    let Rule::At { base, offset, slot } = rule else { return None };
    let (base, by_frame_pointer) = match base {
        Base::StackPointer => (sp, false),
        Base::FramePointer => (frame_pointer, true),
    };
    // Stacks grow down: a caller's frame is always higher, so that the walk ends.
    let cfa = base.checked_add_signed(offset as isize).filter(|&cfa| cfa > sp && cfa % 8 == 0)?;
    let returns_to = read(cfa - 8, bounds)?;
    let (frame_pointer, slot) = if slot == 0 {
        (frame_pointer, 0)
    } else {
        let slot = cfa.checked_add_signed(slot as isize)?;
        (read(slot, bounds)?, slot)
    };
    Some(Frame { cfa, returns_to, frame_pointer, slot, by_frame_pointer })
}

/// A word of the stack.
#[inline]
fn read(address: usize, bounds: Range) -> Option<usize> {
    if address < bounds.low || address > bounds.high - 8 || !address.is_multiple_of(8) {
        return None;
    }
    // SAFETY: aligned, and within the bounds.
    Some(unsafe { word(address) })
}

/// A word of the stack, without a look at its bounds.
///
/// # Safety
/// The address is a multiple of 8, and lies within the mapping of the calling thread's own stack, which stays while it runs.
#[inline(always)]
unsafe fn word(address: usize) -> usize {
    let place = core::ptr::with_exposed_provenance::<usize>(address);
    // SAFETY: promised by the caller. Volatile, as the compiler knows of no access to other functions' frames.
    unsafe { place.read_volatile() }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn registers() -> Registers {
    let (pc, sp, frame_pointer);
    // SAFETY: copies registers and changes nothing.
    unsafe {
        core::arch::asm!(
            "lea {pc}, [rip]",
            "mov {sp}, rsp",
            "mov {frame}, rbp",
            pc = out(reg) pc,
            sp = out(reg) sp,
            frame = out(reg) frame_pointer,
            options(nomem, nostack, preserves_flags),
        );
    }
    Registers { pc, sp, frame_pointer }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn registers() -> Registers {
    let (pc, sp, frame_pointer);
    // SAFETY: copies registers and changes nothing.
    unsafe {
        core::arch::asm!(
            "adr {pc}, .",
            "mov {sp}, sp",
            "mov {frame}, x29",
            pc = out(reg) pc,
            sp = out(reg) sp,
            frame = out(reg) frame_pointer,
            options(nomem, nostack, preserves_flags),
        );
    }
    Registers { pc, sp, frame_pointer }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn registers() -> Registers {
    Registers { pc: 0, sp: 0, frame_pointer: 0 }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::stack::{self, tables};
    use crate::thread;
    use core::hint::black_box;
    use std::vec::Vec;

    fn addresses() -> Vec<usize> {
        let entered = thread::enter().unwrap();
        let stack = stack::of(&entered);
        let mut list = std::vec![0; 2000];
        let count =
            tables().unwrap().tree.addresses(stack).zip(&mut list).map(|(from, to)| *to = from).count();
        drop(entered);
        list.truncate(count);
        list
    }

    #[inline(never)]
    fn deep(depth: usize) -> Vec<usize> {
        let found = if depth == 0 { addresses() } else { deep(black_box(depth) - 1) };
        black_box(found)
    }

    /// The bare truth: a walk that remembers nothing.
    #[inline(never)]
    fn fresh(depth: usize) -> Vec<usize> {
        if let Some(entered) = thread::enter() {
            entered.walker.forget();
        }
        // Not the last thing that is done, which would be a jump, without a frame.
        let found = deep(depth);
        black_box(found)
    }

    #[test]
    fn sees_as_many_frames_as_there_are_calls() {
        for depth in [0, 1, 7, 50, 300] {
            let found = deep(depth);
            let repeated = found.windows(2).filter(|pair| pair[0] == pair[1]).count();
            assert!(found.len() > depth, "{depth}: {} frames", found.len());
            assert!(repeated + 2 >= depth, "{depth}: {repeated} repetitions in {found:x?}");
        }
    }

    #[test]
    fn what_is_remembered_changes_nothing() {
        for depth in [3, 200, 4, 5, 5, 30, 0, 400, 1, 1500, 2, 1500] {
            let remembered = deep(depth);
            let anew = fresh(depth);
            // `fresh` is one frame more; the recursion is the same, up to where one or the other is called.
            let cut = anew.last() == Some(&CUT);
            assert_eq!(anew.len(), remembered.len() + usize::from(!cut), "{depth}");
            let inner = depth.min(900);
            assert_eq!(remembered.get(..inner), anew.get(..inner), "{depth}");
        }
    }

    #[test]
    fn a_stack_deeper_than_fits_ends_in_a_cut() {
        let found = deep(1500);
        assert_eq!(found.last(), Some(&CUT));
        assert_eq!(found.len(), MAX_DEPTH + 1);
    }

    #[test]
    fn other_threads_stacks_end_too() {
        let found = std::thread::spawn(|| deep(5)).join().unwrap();
        assert!(found.len() > 8 && found.len() < 200, "{found:x?}");
    }
}
