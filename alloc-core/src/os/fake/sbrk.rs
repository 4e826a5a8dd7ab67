//! The fake's program break: a region of fixed size, of which the part below the break is committed.

use core::ptr::NonNull;

use super::FakeOs;
use super::calls::Call;
use super::region::Region;
use crate::arith::align_up;
use crate::error::AllocError;
use crate::os::Break;

#[derive(Debug, Default)]
pub(super) struct Program {
    region: Option<Region>,
    size: usize,
    at: usize,
}

impl Program {
    pub(super) fn new(bytes: usize, page: usize) -> Self {
        let size = align_up(bytes, page).expect("a program break that large has no room");
        let region = Region::new(size, 0, page, page).expect("no memory for the program break");
        Self { region: Some(region), size, at: 0 }
    }

    fn moved(&mut self, delta: isize, page: usize) -> Result<NonNull<u8>, AllocError> {
        let region = self.region.as_mut().ok_or(AllocError)?;
        let after =
            self.at.checked_add_signed(delta).filter(|&after| after <= self.size).ok_or(AllocError)?;
        // Whole pages appear and vanish, as with a kernel; within the last one the bytes stay.
        let (old, new) = (self.at.div_ceil(page), after.div_ceil(page));
        for index in old..new {
            region.commit(index);
        }
        for index in new..old {
            region.withdraw(index, true);
        }
        // SAFETY: `at <= size`, the size of the region's memory.
        let before = unsafe { region.start().add(self.at) };
        self.at = after;
        Ok(before)
    }
}

/// Where the break is back at its start, nobody holds anything of it.
impl Drop for Program {
    fn drop(&mut self) {
        let unused = self.region.take().filter(|_| self.at == 0 && !std::thread::panicking());
        if let Some(mut region) = unused {
            for index in 0..region.pages().count() {
                region.withdraw(index, false);
            }
            region.free();
        }
    }
}

// SAFETY: the bytes below the break are committed pages of a region that only the break hands out.
unsafe impl Break for FakeOs {
    unsafe fn sbrk(&self, delta: isize) -> Result<NonNull<u8>, AllocError> {
        let mut state = self.state();
        state.calls.enter(Call::Sbrk)?;
        state.program.moved(delta, self.page)
    }
}
