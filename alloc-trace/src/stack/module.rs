//! Loaded modules: where their unwind tables are, and what they are called.
//!
//! glibc 2.35 and later answer which module an address lies in without a lock and without allocating (`_dl_find_object`).
//! Where the C library does not, frames are taken to keep frame pointers, and traces name no modules.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_void};
use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use alloc_core::sync::RawLock;

use super::cfi::Section;
use super::maps::Range;

/// Modules that are remembered for traces. Beyond them, frames are still found, but not named.
const MODULES: usize = 512;
const PATH: usize = 512;
const BUILD_ID: usize = 32;

/// The C library's answer, in its layout on 64-bit systems other than Itanium and LoongArch.
#[repr(C)]
struct Object {
    flags: u64,
    map_start: *const u8,
    map_end: *const u8,
    link_map: *const LinkMap,
    eh_frame_hdr: *const u8,
    reserved: [u64; 7],
}

/// The beginning of the C library's `struct link_map`.
#[repr(C)]
struct LinkMap {
    bias: usize,
    name: *const c_char,
}

type FindObject = unsafe extern "C" fn(*const c_void, *mut Object) -> i32;

static FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// Asks the loader for its function. May allocate within the C library: call it behind the re-entrancy guard.
pub(crate) fn prepare() {
    // SAFETY: a name that ends with a zero byte, looked for among all loaded modules.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    FIND_OBJECT.store(found, Ordering::Release);
}

/// A module's tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) range: Range,
    pub(crate) bias: usize,
    pub(crate) unwind: Option<Section<'static>>,
    build_id: Option<&'static [u8]>,
    name: Option<&'static CStr>,
}

/// The module that `pc` lies in. What is borrowed stays valid while the module is loaded, which it is while a frame of it
/// is on a stack.
pub(crate) fn find(pc: usize) -> Option<Found> {
    let function = FIND_OBJECT.load(Ordering::Acquire);
    if function.is_null() {
        return None;
    }
    // SAFETY: the only non-null value stored is the address of `_dl_find_object`, which has this type.
    let function = unsafe { core::mem::transmute::<*mut c_void, FindObject>(function) };
    let mut object = MaybeUninit::<Object>::uninit();
    let address = core::ptr::without_provenance::<c_void>(pc);
    // SAFETY: any address may be asked for; the place is as large as the C library's structure.
    if unsafe { function(address, object.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: an answer of 0 says that the structure was filled.
    let object = unsafe { object.assume_init() };
    // SAFETY: the loader's record of a loaded module.
    let link_map = unsafe { object.link_map.as_ref() }?;
    // SAFETY: the loader's names are null or end with a zero byte.
    let name = (!link_map.name.is_null()).then(|| unsafe { CStr::from_ptr(link_map.name) });
    let range = Range { low: object.map_start.addr(), high: object.map_end.addr() };
    let mut found = Found { range, bias: link_map.bias, unwind: None, build_id: None, name };
    found.read_headers(object.map_start, object.eh_frame_hdr);
    Some(found)
}

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const HEADERS_WITHIN: usize = 4096;

#[repr(C)]
#[derive(Clone, Copy)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    physical: u64,
    file_size: u64,
    memory_size: u64,
    align: u64,
}

impl Found {
    /// Reads the program headers at the module's start, where they lie in its first page.
    fn read_headers(&mut self, start: *const u8, eh_frame_hdr: *const u8) {
        if self.range.high - self.range.low < HEADERS_WITHIN {
            return;
        }
        // SAFETY: the module's first page is mapped from the start of its file, and is not written to.
        let page = unsafe { core::slice::from_raw_parts(start, HEADERS_WITHIN) };
        let half =
            |at: usize| page.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
        if page.get(..5) != Some(b"\x7fELF\x02") || half(54) != Some(size_of::<ProgramHeader>() as u16) {
            return;
        }
        let offset =
            page.get(32..40).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes) as usize;
        let count = usize::from(half(56).unwrap_or(0));
        let size = size_of::<ProgramHeader>();
        for header in page.get(offset..).unwrap_or(&[]).chunks_exact(size).take(count) {
            // SAFETY: as many bytes as a program header has, all of whose bytes may have any value.
            let header = unsafe { header.as_ptr().cast::<ProgramHeader>().read_unaligned() };
            let low = self.bias.wrapping_add(header.address as usize);
            let segment = Range { low, high: low.wrapping_add(header.memory_size as usize) };
            match header.kind {
                PT_LOAD if segment.contains(eh_frame_hdr.addr()) => {
                    let length = segment.high - eh_frame_hdr.addr();
                    // SAFETY: the rest of a loaded segment, which holds constants.
                    let bytes = unsafe { core::slice::from_raw_parts(eh_frame_hdr, length) };
                    self.unwind = Some(Section { bytes, address: eh_frame_hdr.addr() });
                }
                PT_NOTE if self.range.low <= segment.low && segment.high <= self.range.high => {
                    let place = core::ptr::with_exposed_provenance::<u8>(segment.low);
                    // SAFETY: notes lie within the loaded module, and are constants.
                    let notes = unsafe { core::slice::from_raw_parts(place, header.memory_size as usize) };
                    self.build_id = self.build_id.or_else(|| build_id(notes));
                }
                _ => {}
            }
        }
    }
}

/// The build id among a module's notes.
fn build_id(mut notes: &'static [u8]) -> Option<&'static [u8]> {
    const GNU_BUILD_ID: u32 = 3;
    loop {
        let word = |at: usize| notes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (name, description, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let start = 12 + name.next_multiple_of(4);
        let end = start.checked_add(description)?;
        if kind == GNU_BUILD_ID && notes.get(12..12 + name) == Some(b"GNU\0") {
            return notes.get(start..end);
        }
        notes = notes.get(end.next_multiple_of(4)..)?;
    }
}

/// A module as traces name it.
#[derive(Clone, Copy)]
pub(crate) struct Module {
    pub(crate) range: Range,
    /// What the loader added to the addresses in the module's file.
    pub(crate) bias: usize,
    build_id: [u8; BUILD_ID],
    build_id_length: u8,
    path: [u8; PATH],
    path_length: u16,
}

impl Module {
    /// Empty where the module has none.
    pub(crate) fn build_id(&self) -> &[u8] {
        self.build_id.get(..self.build_id_length.into()).unwrap_or(&[])
    }

    /// The file's path, cut at 512 bytes.
    pub(crate) fn path(&self) -> &[u8] {
        self.path.get(..self.path_length.into()).unwrap_or(&[])
    }
}

/// The modules seen so far, in the order in which frames of them were first met. Valid when all bytes are zero.
pub(crate) struct Modules {
    lock: RawLock,
    count: AtomicU32,
    entries: [UnsafeCell<Module>; MODULES],
}

// SAFETY: an entry is written once, under the lock, before `count` passes it with Release; it is read only after that.
unsafe impl Sync for Modules {}

impl Modules {
    /// Modules from the `first` on.
    pub(crate) fn since(&self, first: usize) -> impl Iterator<Item = &Module> {
        // Acquire: the entries below the count are seen as they were written.
        let count = self.count.load(Ordering::Acquire) as usize;
        let entries = self.entries.get(first..count.max(first)).unwrap_or(&[]);
        // SAFETY: entries below the count are never written again.
        entries.iter().map(|entry| unsafe { &*entry.get() })
    }

    /// Remembers a module, unless it is known. Whether it lies where another was before.
    pub(crate) fn note(&self, found: &Found) -> bool {
        if self.since(0).any(|module| module.range == found.range && module.bias == found.bias) {
            return false;
        }
        self.lock.lock();
        let fresh = self.insert(found);
        // SAFETY: taken above.
        unsafe { self.lock.unlock() };
        fresh
    }

    fn insert(&self, found: &Found) -> bool {
        let mut moved = false;
        for module in self.since(0) {
            if module.range == found.range && module.bias == found.bias {
                return false;
            }
            moved |= module.range.low < found.range.high && found.range.low < module.range.high;
        }
        let count = self.count.load(Ordering::Relaxed);
        let Some(entry) = self.entries.get(count as usize) else { return moved };
        let mut module = Module {
            range: found.range,
            bias: found.bias,
            build_id: [0; BUILD_ID],
            build_id_length: 0,
            path: [0; PATH],
            path_length: 0,
        };
        for (slot, &byte) in module.build_id.iter_mut().zip(found.build_id.unwrap_or(&[])) {
            *slot = byte;
            module.build_id_length += 1;
        }
        match found.name {
            Some(name) if !name.is_empty() => {
                for (slot, &byte) in module.path.iter_mut().zip(name.to_bytes()) {
                    *slot = byte;
                    module.path_length += 1;
                }
            }
            // The loader leaves the program's own name empty.
            _ => module.path_length = own_path(&mut module.path),
        }
        // SAFETY: the lock is held, and nobody reads entries at or above the count.
        unsafe { entry.get().write(module) };
        // Release: pairs with the Acquire of `since`.
        self.count.store(count + 1, Ordering::Release);
        moved
    }

    /// In the child after `fork`: whoever held the lock does not exist.
    pub(crate) fn after_fork(&self) {
        // SAFETY: the caller is the child's only thread; an entry that was being written is above the count.
        unsafe { self.lock.reset_after_fork() };
    }
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Modules").field("count", &self.count).finish_non_exhaustive()
    }
}

fn own_path(path: &mut [u8; PATH]) -> u16 {
    // SAFETY: a path that ends with a zero byte, and a buffer with its length.
    let length = unsafe { libc::readlink(c"/proc/self/exe".as_ptr(), path.as_mut_ptr().cast(), PATH) };
    u16::try_from(length).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_program_and_its_tables() {
        prepare();
        let here = finds_this_program_and_its_tables as fn() as usize;
        let found = find(here).expect("this program is loaded");
        assert!(found.range.contains(here) && found.unwind.is_some());
        assert!(super::super::cfi::find(found.unwind.unwrap(), here).is_some());
        assert!(find(16).is_none());
    }
}
