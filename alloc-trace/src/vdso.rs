//! Functions of the kernel's that lie in every process's memory, by their names.
//!
//! Linux maps a small shared object, the vDSO, into each process. The C library calls it for programs; calling it through the C
//! library costs more than the function, and another library may stand before it.

use core::ffi::{c_int, c_void};
use core::ptr;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const FIRST_PAGE: usize = 4096;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const SYMBOL: usize = 24;

/// `clock_gettime`, as the kernel has it: an error is its negative number.
pub(crate) type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;

/// The kernel's `clock_gettime`, where it has one that may be called.
pub(crate) fn clock_gettime() -> Option<ClockGettime> {
    let name: &[u8] =
        if cfg!(target_arch = "x86_64") { b"__vdso_clock_gettime\0" } else { b"__kernel_clock_gettime\0" };
    let image = Image::of_this_process()?;
    let function = image.bytes.get(image.symbol(name)?..)?.as_ptr().cast::<c_void>();
    // SAFETY: the kernel's function of that name has this type.
    Some(unsafe { core::mem::transmute::<*const c_void, ClockGettime>(function) })
}

struct Image<'a> {
    bytes: &'a [u8],
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

impl Image<'static> {
    fn of_this_process() -> Option<Self> {
        // SAFETY: any number may be asked for; 0 is the answer where there is none.
        let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
        if base == 0 {
            return None;
        }
        let place = ptr::with_exposed_provenance::<u8>(base);
        // SAFETY: the kernel maps whole pages, which stay for good and are never written to.
        let first = unsafe { core::slice::from_raw_parts(place, FIRST_PAGE) };
        let (_, length) = segment(first, PT_LOAD)?;
        // SAFETY: as above: what the kernel says it has loaded, from the file's beginning on.
        Some(Self { bytes: unsafe { core::slice::from_raw_parts(place, length) } })
    }
}

/// Where the first segment of a kind begins, and its length. The vDSO is linked to address 0.
fn segment(bytes: &[u8], kind: u32) -> Option<(usize, usize)> {
    if bytes.get(..5)? != b"\x7fELF\x02" || u64_at(bytes, 32)? as usize != HEADER {
        return None;
    }
    let count = usize::from(u16::from_le_bytes(bytes.get(56..58)?.try_into().ok()?));
    let header = bytes
        .get(HEADER..)?
        .chunks_exact(PROGRAM_HEADER)
        .take(count)
        .find(|header| u32_at(header, 0) == Some(kind))?;
    Some((u64_at(header, 16)? as usize, u64_at(header, 40)? as usize))
}

impl Image<'_> {
    /// The address of a function, counted from the image's start. The name ends with a zero byte.
    fn symbol(&self, name: &[u8]) -> Option<usize> {
        let (start, length) = segment(self.bytes, PT_DYNAMIC)?;
        let dynamic = self.bytes.get(start..start.checked_add(length)?)?;
        let table = |tag: u64| {
            let entry = dynamic.chunks_exact(16).find(|entry| u64_at(entry, 0) == Some(tag))?;
            Some(u64_at(entry, 8)? as usize)
        };
        let (names, symbols) = (table(DT_STRTAB)?, self.bytes.get(table(DT_SYMTAB)?..)?);
        // The second word of a table of hashes is the number of symbols.
        let count = u32_at(self.bytes, table(DT_HASH)?.checked_add(4)?)? as usize;
        let found = symbols.chunks_exact(SYMBOL).take(count).find(|symbol| {
            u32_at(symbol, 0)
                .and_then(|at| self.bytes.get(names.checked_add(at as usize)?..))
                .is_some_and(|text| text.starts_with(name))
        })?;
        let address = u64_at(found, 8)? as usize;
        (address != 0).then_some(address)
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn the_kernels_clock_is_the_c_librarys() {
        let kernel = clock_gettime().expect("a vDSO");
        let read = |function: ClockGettime| {
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: a clock that Linux has, and a place for its time.
            assert_eq!(unsafe { function(libc::CLOCK_MONOTONIC, &raw mut time) }, 0);
            (time.tv_sec, time.tv_nsec)
        };
        let [before, between, after] =
            [libc::clock_gettime as ClockGettime, kernel, libc::clock_gettime].map(read);
        assert!(before <= between && between <= after, "{before:?} {between:?} {after:?}");
    }

    #[test]
    fn other_names_and_cut_images_are_refused() {
        let image = Image::of_this_process().expect("a vDSO");
        assert_eq!(image.symbol(b"__vdso_no_such_function\0"), None);
        let whole = image.symbol(b"__vdso_clock_gettime\0");
        for length in 0..image.bytes.len() {
            let found = Image { bytes: &image.bytes[..length] }.symbol(b"__vdso_clock_gettime\0");
            assert!(found.is_none() || found == whole, "{length}");
        }
    }
}
