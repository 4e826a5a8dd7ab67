//! Each event as text, with its stack.
//!
//! One record for each event, in the manner of Firedancer's backtracing allocator:
//!
//! ```text
//! alloc 0x7f0010 align 16 size 100 thread 4711 frames 2
//!   0x5583a0
//!   0x5583f7
//! end
//! ```
//!
//! | first line of a record | meaning |
//! |---|---|
//! | `alloc ADDRESS align A size S thread T frames N` | a block was handed out |
//! | `free ADDRESS [align A size S] thread T frames N` | a block is given back |
//! | `resize OLD to NEW align A size S thread T frames N` | a block was resized |
//! | `refused [keeps ADDRESS] align A size S thread T frames N` | a request failed; a resize, whose block stays |
//! | `leaving ADDRESS thread T` | (one line alone) a block is about to be resized; others may be handed its place |
//! | `module LOW HIGH BIAS BUILD-ID PATH` | (one line alone) what is loaded where; `-` for no build id |
//!
//! Frames are return addresses from the innermost outwards, 128 at most. Names are found afterwards, from the modules
//! (`report::log`). A lock makes each record one write, of fewer bytes than a pipe takes at once, so that records of
//! threads, and of processes that share a descriptor opened for appending, never interleave.

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use alloc_core::sync::RawLock;

use super::Sink;
use crate::event::{Event, Moment, Place};
use crate::out::{self, Refused};
use crate::stack::{self, SHOWN_FRAMES, StackId};
use crate::switch::{self, Word};
use crate::text::Text;
use crate::thread::{self, Thread};

/// The first line of a log.
pub const HEADER: &str = "strata log 1\n";

/// The sink of the log mode. Off until it is started.
#[derive(Debug)]
pub struct Log {
    on: Word,
    fd: AtomicI32,
    frames: AtomicU32,
    modules: AtomicU32,
    lock: RawLock,
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}

impl Log {
    /// A log that is off.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            on: Word::new(),
            fd: AtomicI32::new(-1),
            frames: AtomicU32::new(0),
            modules: AtomicU32::new(0),
            lock: RawLock::new(),
        }
    }

    /// Begins to write to `fd`, which stays the caller's and open, with up to `frames` return addresses a record (at most
    /// 128).
    ///
    /// # Errors
    /// When the descriptor does not take the first line.
    pub fn start(&self, fd: c_int, frames: u32) -> Result<(), Refused> {
        let _guard = crate::thread::enter();
        out::write_all(fd, HEADER.as_bytes())?;
        stack::tables();
        self.fd.store(fd, Ordering::Relaxed);
        self.frames.store(frames.min(SHOWN_FRAMES as u32), Ordering::Relaxed);
        self.modules.store(0, Ordering::Relaxed);
        // Who finds it on finds what was set above.
        self.on.set(1);
        Ok(())
    }

    /// Ends the log. Records that other threads are writing are finished first.
    pub fn stop(&self) {
        self.on.set(0);
        self.lock.lock();
        // SAFETY: taken above.
        unsafe { self.lock.unlock() };
    }

    /// In the child after `fork`: goes on, or with `keep` false, ends, leaving the file to the parent.
    pub fn after_fork(&self, keep: bool) {
        // SAFETY: the caller is the child's only thread; the lock protects whole records in the kernel's hands.
        unsafe { self.lock.reset_after_fork() };
        if !keep {
            self.on.set(0);
        }
    }

    /// Writes, under the lock, the modules that were met since the last record, then the record.
    fn write(&self, record: &Text<RECORD>) {
        self.lock.lock();
        let fd = self.fd.load(Ordering::Relaxed);
        let result = self.write_modules(fd).and_then(|()| out::write_all(fd, record.as_bytes()));
        if let Err(refused) = result
            && self.on.set(0) != 0
        {
            out::complain("cannot write", "the log", refused, "; tracing ends, the program goes on");
        }
        // SAFETY: taken above.
        unsafe { self.lock.unlock() };
    }

    fn write_modules(&self, fd: c_int) -> Result<(), Refused> {
        let Some(tables) = stack::tables() else { return Ok(()) };
        for module in tables.modules.since(self.modules.load(Ordering::Relaxed) as usize) {
            let mut line = Text::<1024>::new();
            line.text("module ").address(module.range.low).text(" ").address(module.range.high).text(" ");
            line.address(module.bias).text(" ");
            match module.build_id() {
                [] => line.text("-"),
                id => id.iter().fold(&mut line, |line, &byte| line.hex_byte(byte)),
            };
            line.text(" ").bytes(module.path()).text("\n");
            out::write_all(fd, line.as_bytes())?;
            self.modules.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// 128 frames of at most 21 bytes, the first line and the last; fewer than a pipe takes at once (4096).
const RECORD: usize = 3072;

fn sizes(record: &mut Text<RECORD>, place: Place) {
    if place.align != 0 {
        record.text(" align ").decimal(place.align as u64).text(" size ").decimal(place.size as u64);
    }
}

// SAFETY: it writes from the stack to a descriptor under a lock of its own, allocates nothing and does not unwind.
unsafe impl Sink for Log {
    #[inline(always)]
    fn may_be_on(&self) -> bool {
        switch::is_any_on()
    }

    #[inline]
    fn is_on(&self) -> bool {
        self.on.get() != 0
    }

    fn leaving(&self, address: usize) -> Moment {
        if let Some(thread) = thread::enter() {
            let mut line = Text::new();
            line.text("leaving ").address(address).text(" thread ").decimal(thread.id().into()).text("\n");
            self.write(&line);
        }
        Moment(0)
    }

    fn record(&self, thread: &Thread, event: Event) {
        let most = self.frames.load(Ordering::Relaxed) as usize;
        let stack = if most == 0 { StackId(0) } else { stack::of(thread) };
        let count = stack::frames(stack).take(most).count();
        let mut record = Text::new();
        match event {
            Event::Alloc(place) => {
                record.text("alloc ").address(place.address);
                sizes(&mut record, place);
            }
            Event::Free(place) => {
                record.text("free ").address(place.address);
                sizes(&mut record, place);
            }
            Event::Resize { old, new, .. } => {
                record.text("resize ").address(old.address).text(" to ").address(new.address);
                sizes(&mut record, new);
            }
            Event::Refused { size, align, kept } => {
                record.text("refused");
                if let Some((address, _)) = kept {
                    record.text(" keeps ").address(address);
                }
                sizes(&mut record, Place { address: 0, size, align });
            }
        }
        record.text(" thread ").decimal(thread.id().into()).text(" frames ").decimal(count as u64).text("\n");
        for address in stack::frames(stack).take(most) {
            record.text("  ").address(address).text("\n");
        }
        record.text("end\n");
        self.write(&record);
    }
}
