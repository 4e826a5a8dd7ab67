//! Writing blocks of a trace, whatever the mode: under a lock, with the frames and modules that they name first.

use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, Ordering};

use alloc_core::sync::RawLock;

use crate::clock;
use crate::format::varint::{self, zigzag};
use crate::format::{BLOCK_HEADER, BlockHeader, FileHeader, Kind, Mode, checksum};
use crate::out::{self, Refused};
use crate::own::Mapped;
use crate::pending::CAPACITY;
use crate::stack::{self, Place};

/// An open trace file. Usable in a `static`.
#[derive(Debug)]
pub(crate) struct File {
    lock: RawLock,
    fd: AtomicI32,
    broken: AtomicBool,
    frames: AtomicU32,
    modules: AtomicU32,
    /// One block's room, used under the lock.
    scratch: AtomicPtr<AtomicU8>,
}

/// The room for a block that is being put together.
pub(crate) struct Payload<'a> {
    bytes: &'a [AtomicU8],
    length: usize,
}

impl Payload<'_> {
    pub(crate) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get(self.length) {
            place.store(byte, Ordering::Relaxed);
        }
        self.length += 1;
    }

    pub(crate) fn number(&mut self, value: u64) {
        varint::put(value, |byte| self.byte(byte));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.length + bytes <= self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == BLOCK_HEADER
    }
}

impl File {
    pub(crate) const fn new() -> Self {
        Self {
            lock: RawLock::new(),
            fd: AtomicI32::new(-1),
            broken: AtomicBool::new(false),
            frames: AtomicU32::new(0),
            modules: AtomicU32::new(0),
            scratch: AtomicPtr::new(core::ptr::null_mut()),
        }
    }

    /// Begins a trace in an empty file, whose descriptor becomes this one's.
    pub(crate) fn open(&self, fd: c_int, mode: Mode, rate: u64) -> Result<(), Refused> {
        if self.scratch.load(Ordering::Acquire).is_null() {
            let Some(mapped) = Mapped::<AtomicU8>::new(CAPACITY) else { return Err(Refused(libc::ENOMEM)) };
            self.scratch.store(mapped.leak().as_ptr().cast_mut(), Ordering::Release);
        }
        let header = FileHeader {
            // SAFETY: `getpid` has no conditions.
            process: unsafe { libc::getpid() }.unsigned_abs(),
            mode,
            ticks: clock::ticks(),
            nanos: clock::monotonic(),
            epoch_nanos: clock::epoch(),
            rate,
        };
        out::write_all(fd, &header.to_bytes())?;
        self.lock.lock();
        self.frames.store(0, Ordering::Relaxed);
        self.modules.store(0, Ordering::Relaxed);
        self.broken.store(false, Ordering::Relaxed);
        let before = self.fd.swap(fd, Ordering::Relaxed);
        // SAFETY: taken above.
        unsafe { self.lock.unlock() };
        if before >= 0 {
            out::close(before);
        }
        Ok(())
    }

    /// Takes the lock for writing blocks, together with the room to put them together in.
    pub(crate) fn write(&self, act: impl FnOnce(&Writer<'_>)) {
        self.lock.lock();
        let place = self.scratch.load(Ordering::Acquire);
        if !place.is_null() && self.fd.load(Ordering::Relaxed) >= 0 {
            // SAFETY: the scratch is a mapping of that many bytes, never given back.
            let scratch = unsafe { core::slice::from_raw_parts(place.cast_const(), CAPACITY) };
            act(&Writer { file: self, scratch });
        }
        // SAFETY: taken above.
        unsafe { self.lock.unlock() };
    }

    /// Closes the file. What is written from then on goes nowhere.
    pub(crate) fn close(&self) {
        self.lock.lock();
        let fd = self.fd.swap(-1, Ordering::Relaxed);
        // SAFETY: taken above.
        unsafe { self.lock.unlock() };
        if fd >= 0 {
            out::close(fd);
        }
    }

    /// Whether the system refused a write since the trace began.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// In the child after `fork`: closes its copy of the descriptor.
    pub(crate) fn after_fork(&self) {
        // SAFETY: the caller is the child's only thread; what the lock protects is the parent's file.
        unsafe { self.lock.reset_after_fork() };
        self.close();
    }
}

/// The right to write blocks.
pub(crate) struct Writer<'a> {
    file: &'a File,
    scratch: &'a [AtomicU8],
}

impl Writer<'_> {
    /// One block's room, for [`block`](Self::block).
    pub(crate) fn scratch(&self) -> &[AtomicU8] {
        self.scratch
    }

    /// Writes a block: `bytes` has room for the header, then the payload. Only the caller writes to them.
    pub(crate) fn block(&self, kind: Kind, thread: u32, number: u32, base: u64, bytes: &[AtomicU8]) {
        let place = bytes.as_ptr().cast::<u8>();
        // SAFETY: as many initialised bytes, to which nobody but the caller writes; others may read them.
        let plain = unsafe { core::slice::from_raw_parts(place, bytes.len()) };
        let payload = plain.get(BLOCK_HEADER..).unwrap_or(&[]);
        let header = BlockHeader {
            kind,
            thread,
            number,
            length: payload.len() as u32,
            expanded: 0,
            checksum: checksum(payload),
            base,
            ticks: clock::ticks(),
            nanos: clock::monotonic(),
        };
        for (place, byte) in bytes.iter().zip(header.to_bytes()) {
            place.store(byte, Ordering::Relaxed);
        }
        // SAFETY: as above; the header's bytes were written before.
        let plain = unsafe { core::slice::from_raw_parts(place, bytes.len()) };
        if self.file.broken.load(Ordering::Relaxed) {
            return;
        }
        if let Err(refused) = out::write_all(self.file.fd.load(Ordering::Relaxed), plain) {
            self.file.broken.store(true, Ordering::Relaxed);
            out::complain("cannot write", "the trace", refused, "; tracing ends, the program goes on");
        }
    }

    /// Puts a block together in the scratch and writes it, unless it stays empty.
    pub(crate) fn compose(&self, kind: Kind, fill: impl FnOnce(&mut Payload<'_>)) {
        let mut payload = Payload { bytes: self.scratch, length: BLOCK_HEADER };
        fill(&mut payload);
        if !payload.is_empty() {
            self.block(kind, 0, 0, 0, self.scratch.get(..payload.length).unwrap_or(&[]));
        }
    }

    /// Writes the modules and frames that were met since they were written last.
    pub(crate) fn names(&self) {
        let Some(tables) = stack::tables() else { return };
        for module in tables.modules.since(self.file.modules.load(Ordering::Relaxed) as usize) {
            self.compose(Kind::Modules, |payload| {
                for word in [module.range.low, module.range.high, module.bias] {
                    payload.bytes(&(word as u64).to_le_bytes());
                }
                payload.byte(module.build_id().len() as u8);
                payload.bytes(module.build_id());
                payload.bytes(&(module.path().len() as u16).to_le_bytes());
                payload.bytes(module.path());
            });
            self.file.modules.fetch_add(1, Ordering::Relaxed);
        }
        let last = tables.tree.last();
        let mut next = self.file.frames.load(Ordering::Relaxed) + 1;
        while next <= last && tables.tree.place(next) != Place::Pending {
            self.compose(Kind::Frames, |payload| {
                payload.number(next.into());
                let mut before = 0;
                while next <= last && payload.has_room(2 * varint::LONGEST) {
                    match tables.tree.place(next) {
                        Place::Pending => break,
                        Place::Hole => {
                            payload.number(0);
                            payload.number(0);
                        }
                        Place::Frame { parent, address } => {
                            payload.number(zigzag((address as i64).wrapping_sub(before)));
                            payload.number((next - parent.0).into());
                            before = address as i64;
                        }
                    }
                    next += 1;
                }
            });
        }
        self.file.frames.store(next - 1, Ordering::Relaxed);
    }
}
