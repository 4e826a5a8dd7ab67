//! The fake's side of `Pages`. Conditions are checked before a call is made to fail, so that a broken one is always told.

use core::ops::Range;
use core::ptr::NonNull;

use super::calls::Call;
use super::region::{Page, Region};
use super::{FakeOs, State};
use crate::arith::{MAX_SIZE, is_aligned};
use crate::error::AllocError;
use crate::os::{Advice, Pages};

impl FakeOs {
    fn check_size(&self, call: Call, size: usize) {
        assert!(size > 0, "{call:?}: size 0");
        assert!(
            is_aligned(size, self.page),
            "{call:?}: size {size:#x} is no multiple of the page {:#x}",
            self.page
        );
    }

    fn check_range(&self, call: Call, start: NonNull<u8>, size: usize) {
        let address = start.addr().get();
        assert!(
            is_aligned(address, self.page),
            "{call:?}: {address:#x} is not on a page of {:#x}",
            self.page
        );
        assert!(
            is_aligned(size, self.page),
            "{call:?}: size {size:#x} is no multiple of the page {:#x}",
            self.page
        );
    }

    fn take(&self, call: Call, size: usize, align: usize, commit: bool) -> Result<NonNull<u8>, AllocError> {
        self.check_size(call, size);
        assert!(align.is_power_of_two(), "{call:?}: alignment {align:#x} is no power of two");
        let mut state = self.state();
        state.calls.enter(call)?;
        state.add(size, if commit { self.room } else { 0 }, align, self.page, commit)
    }
}

impl State {
    fn add(
        &mut self,
        size: usize,
        room: usize,
        align: usize,
        page: usize,
        commit: bool,
    ) -> Result<NonNull<u8>, AllocError> {
        if size > MAX_SIZE {
            return Err(AllocError);
        }
        let mut region = Region::new(size, room, align, page)?;
        for index in 0..size / page {
            region.reserve(index);
            if commit {
                region.commit(index);
            }
        }
        region.mapped = if commit { size } else { 0 };
        let start = region.start();
        self.regions.push(region);
        Ok(start)
    }

    /// The region of a range and the range's pages in it, all of which answer to `expected`.
    fn find(
        &self,
        call: Call,
        start: NonNull<u8>,
        size: usize,
        expected: fn(&Page) -> bool,
        word: &str,
    ) -> (usize, Range<usize>) {
        let found =
            self.regions.iter().enumerate().find_map(|(at, region)| Some((at, region.indices(start, size)?)));
        let Some((at, pages)) = found else {
            panic!("{call:?}: {start:p} + {size:#x} lies in nothing that is {word}");
        };
        for index in pages.clone() {
            let page = self.regions[at].get(index);
            assert!(
                page.is_some_and(|page| expected(&page)),
                "{call:?}: page {} of {start:p} + {size:#x} is not {word}, but {page:?}",
                index - pages.start,
            );
        }
        (at, pages)
    }

    fn withdraw(&mut self, at: usize, pages: Range<usize>, hold: bool) {
        for index in pages {
            self.regions[at].withdraw(index, hold);
        }
        if self.regions[at].is_free() {
            self.regions.swap_remove(at).free();
        }
    }
}

// SAFETY: every region's memory comes from `System` alone and goes back when all its pages were released, committing
// zeroes what was not committed, and a panic happens only where the caller has broken its own promise.
unsafe impl Pages for FakeOs {
    fn page_size(&self) -> usize {
        self.page
    }

    fn reserve(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        self.take(Call::Reserve, size, align, false)
    }

    fn map(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        self.take(Call::Map, size, align, true)
    }

    unsafe fn commit(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        self.check_range(Call::Commit, start, size);
        let mut state = self.state();
        let (at, pages) = state.find(Call::Commit, start, size, Page::is_held, "reserved");
        state.calls.enter(Call::Commit)?;
        for index in pages {
            state.regions[at].commit(index);
        }
        Ok(())
    }

    unsafe fn decommit(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        self.check_range(Call::Decommit, start, size);
        let mut state = self.state();
        let (at, pages) = state.find(Call::Decommit, start, size, Page::is_held, "reserved");
        state.calls.enter(Call::Decommit)?;
        state.withdraw(at, pages, true);
        Ok(())
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        self.check_range(Call::Populate, start, size);
        let mut state = self.state();
        let (at, pages) = state.find(Call::Populate, start, size, Page::is_committed, "committed");
        state.calls.enter(Call::Populate)?;
        for index in pages {
            let huge = state.regions[at].get(index).is_some_and(|page| page.is_huge());
            state.regions[at].set(index, Page::Committed { populated: true, huge });
        }
        Ok(())
    }

    unsafe fn advise(&self, start: NonNull<u8>, size: usize, advice: Advice) -> Result<(), AllocError> {
        self.check_range(Call::Advise, start, size);
        let mut state = self.state();
        let (at, pages) = state.find(Call::Advise, start, size, Page::is_committed, "committed");
        state.calls.enter(Call::Advise)?;
        let region = &mut state.regions[at];
        for index in pages {
            let (populated, huge) =
                region.get(index).map_or((false, false), |page| (page.is_populated(), page.is_huge()));
            match advice {
                Advice::Huge | Advice::NoHuge => {
                    region.set(index, Page::Committed { populated, huge: advice == Advice::Huge });
                }
                Advice::DontNeed => {
                    region.fill(index, 0);
                    region.set(index, Page::Committed { populated: false, huge });
                }
            }
        }
        Ok(())
    }

    unsafe fn release(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        self.check_range(Call::Release, start, size);
        self.check_size(Call::Release, size);
        let mut state = self.state();
        let (at, pages) = state.find(Call::Release, start, size, Page::is_held, "reserved");
        state.calls.enter(Call::Release)?;
        state.withdraw(at, pages, false);
        Ok(())
    }

    unsafe fn remap(
        &self,
        start: NonNull<u8>,
        old_size: usize,
        new_size: usize,
        may_move: bool,
    ) -> Result<NonNull<u8>, AllocError> {
        self.check_range(Call::Remap, start, old_size);
        self.check_size(Call::Remap, old_size);
        self.check_size(Call::Remap, new_size);
        let mut state = self.state();
        let (at, pages) = state.find(Call::Remap, start, old_size, Page::is_committed, "committed");
        let region = &state.regions[at];
        assert!(
            region.start() == start && region.mapped == old_size,
            "Remap: {start:p} + {old_size:#x} is not the whole of what was mapped, {:p} + {:#x}",
            region.start(),
            region.mapped,
        );
        state.calls.enter(Call::Remap)?;

        let (old, new) = (pages.end, new_size / self.page);
        let region = &mut state.regions[at];
        if new <= old {
            region.mapped = new_size;
            state.withdraw(at, new..old, false);
            return Ok(start);
        }
        if (old..new).all(|index| region.get(index).is_some_and(|page| !page.is_held())) {
            for index in old..new {
                region.commit(index);
            }
            region.mapped = new_size;
            return Ok(start);
        }
        if !may_move {
            return Err(AllocError);
        }
        let moved = state.add(new_size, self.room, self.page, self.page, true)?;
        // SAFETY: both ranges are committed regions of their own with at least `old_size` bytes.
        unsafe { moved.copy_from_nonoverlapping(start, old_size) };
        state.withdraw(at, pages, false);
        Ok(moved)
    }
}
