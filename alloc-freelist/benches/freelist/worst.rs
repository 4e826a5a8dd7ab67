//! Instructions of the worst single operation, as the heap grows a hundredfold.
//!
//! A child process works, and marks both ends of an operation by a breakpoint; between them, its parent lets it run
//! instruction by instruction and counts. x86-64 Linux only.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn report() {
    println!("## Worst case: counted on x86-64 Linux only\n");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use counted::report;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod counted {
    use std::alloc::Layout;
    use std::arch::asm;
    use std::ptr;

    use crate::peers::{self, Arena};
    use crate::random::Random;
    use crate::{Ours, memory};

    const ARENA: usize = 192 << 20;
    const LARGEST: usize = 2048;
    const MEASURED: usize = 400;

    #[inline(always)]
    fn mark() {
        // SAFETY: the parent waits for it; registers and memory stay.
        unsafe { asm!("int3", options(nostack)) };
    }

    /// The child: fills the heap, frees every other block, so that free memory is in as many pieces as can be, then works
    /// on, marked.
    fn work<A: Arena>(live: usize) {
        let arena = A::over(memory::fresh(ARENA));
        let mut random = Random::new(5);
        let layout = |size| Layout::from_size_align(size, 8).expect("a layout");
        let mut blocks = Vec::with_capacity(live * 4);
        for _ in 0..live * 2 {
            let layout = layout(random.size(LARGEST));
            let block = arena.allocate(layout);
            assert!(!block.is_null(), "the arena suffices");
            blocks.push((block, layout));
        }
        for index in (0..live).rev() {
            let (block, layout) = blocks.swap_remove(index * 2);
            // SAFETY: the block is live, with this layout.
            unsafe { arena.free(block, layout) };
        }
        // SAFETY: asks to be traced by the parent.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
        // SAFETY: waits for the parent.
        unsafe { libc::raise(libc::SIGSTOP) };
        for step in 0..MEASURED {
            if step % 2 == 0 {
                let layout = layout(random.size(LARGEST));
                mark();
                let block = arena.allocate(layout);
                mark();
                assert!(!block.is_null(), "the arena suffices");
                blocks.push((block, layout));
            } else {
                let (block, layout) = blocks.swap_remove(random.below(blocks.len()));
                mark();
                // SAFETY: the block is live, with this layout.
                unsafe { arena.free(block, layout) };
                mark();
            }
        }
    }

    /// Instructions of the worst allocation and of the worst free.
    fn count<A: Arena>(live: usize) -> (usize, usize) {
        // SAFETY: the process has one thread here: no run of several is going on.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "fork");
        if child == 0 {
            work::<A>(live);
            // SAFETY: the child is done.
            unsafe { libc::_exit(0) };
        }
        let (mut steps, mut inside, mut operation) = (0, false, 0);
        let mut worst = [0, 0];
        loop {
            let mut status = 0;
            // SAFETY: the child is ours.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            if libc::WIFEXITED(status) {
                assert!(operation == MEASURED, "the child did its work: {operation}");
                return (worst[0], worst[1]);
            }
            assert!(libc::WIFSTOPPED(status), "the child died");
            if libc::WSTOPSIG(status) == libc::SIGTRAP {
                // SAFETY: all bytes zero are such information.
                let mut information: libc::siginfo_t = unsafe { std::mem::zeroed() };
                // SAFETY: the child is stopped and traced.
                unsafe { libc::ptrace(libc::PTRACE_GETSIGINFO, child, 0, &raw mut information) };
                const BREAKPOINT: i32 = 0x80;
                if information.si_code == BREAKPOINT {
                    if inside {
                        worst[operation % 2] = worst[operation % 2].max(steps);
                        operation += 1;
                    }
                    (inside, steps) = (!inside, 0);
                } else {
                    steps += 1;
                }
            }
            let request = if inside { libc::PTRACE_SINGLESTEP } else { libc::PTRACE_CONT };
            // SAFETY: the child is stopped and traced.
            unsafe { libc::ptrace(request, child, ptr::null_mut::<u8>(), ptr::null_mut::<u8>()) };
        }
    }

    pub(crate) fn report() {
        println!("## Worst case: instructions of the longest of {MEASURED} allocations and frees\n");
        println!(
            "| allocator | allocate, 1 000 blocks | 100 000 blocks | free, 1 000 blocks | 100 000 blocks |"
        );
        println!("|---|---:|---:|---:|---:|");
        fn row<A: Arena>() {
            let (small, large) = (count::<A>(1_000), count::<A>(100_000));
            println!("| {} | {} | {} | {} | {} |", A::NAME, small.0, large.0, small.1, large.1);
        }
        row::<Ours<peers::Immediate>>();
        row::<Ours<peers::Packed>>();
        row::<Ours<peers::Classed>>();
        row::<Ours<peers::PackedClassed>>();
        row::<Ours<peers::Sized>>();
        row::<peers::Talc>();
        row::<peers::Rlsf>();
        row::<peers::Dlmalloc>();
        println!();
    }
}
