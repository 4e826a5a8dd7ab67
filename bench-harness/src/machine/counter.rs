//! Whether the processor's counters can be used.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// The first version of the kernel's `struct perf_event_attr`, which all later kernels accept.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
}

const HARDWARE: u32 = 0;
const INSTRUCTIONS: u64 = 1;
const WITHOUT_KERNEL: u64 = 1 << 5;
const WITHOUT_HYPERVISOR: u64 = 1 << 6;

/// Tries to count this thread's instructions outside the kernel.
///
/// # Errors
/// The kernel's: permission denied, or not found where the processor (or its virtual stand-in) has no counter.
pub fn instruction_counter() -> io::Result<()> {
    let attributes = Attributes {
        kind: HARDWARE,
        size: size_of::<Attributes>() as u32,
        config: INSTRUCTIONS,
        flags: WITHOUT_KERNEL | WITHOUT_HYPERVISOR,
        ..Attributes::default()
    };
    let (this_thread, any_processor, no_group, no_flags) = (0, -1, -1, 0);
    // SAFETY: the kernel reads as many bytes of the attributes as `size` tells.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            this_thread,
            any_processor,
            no_group,
            no_flags,
        )
    };
    let Ok(descriptor @ 0..) = i32::try_from(opened) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the call returned a new descriptor, which nobody else knows of.
    drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_understands_the_attributes() {
        assert_eq!(size_of::<Attributes>(), 64);
        if let Err(error) = instruction_counter() {
            let known =
                [libc::ENOENT, libc::EACCES, libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP, libc::ENODEV];
            assert!(known.contains(&error.raw_os_error().unwrap()), "{error}");
        }
    }
}
