//! Reading memory that may not be there.

use crate::errno::KeepErrno;

/// Copies bytes from `address`, through the kernel, which knows what is readable. How many it got: fewer at the end of
/// what is readable, 0 where nothing is or where the kernel does not serve such requests.
pub(crate) fn peek(address: usize, into: &mut [u8]) -> usize {
    let _errno = KeepErrno::new();
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: core::ptr::without_provenance_mut(address), iov_len: into.len() };
    // SAFETY: `getpid` has no conditions.
    let own = unsafe { libc::getpid() };
    // SAFETY: one local range that is writable, one remote range that the kernel checks.
    let copied = unsafe { libc::process_vm_readv(own, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(copied).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_and_only_that() {
        let bytes = *b"sixteen bytes...";
        let mut copy = [0; 16];
        assert_eq!(peek(bytes.as_ptr().addr(), &mut copy), 16);
        assert_eq!(copy, bytes);
        assert_eq!(peek(16, &mut copy), 0);
    }
}
