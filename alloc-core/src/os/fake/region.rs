//! One reservation or mapping: its memory and the state of its pages.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use std::alloc::System;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::POISON;
use crate::error::AllocError;

/// Larger ranges are not filled when they are reserved: filling makes them resident.
const FILL_AT_MOST: usize = 8 << 20;

const ROW: [u8; 256] = [POISON; 256];

/// The state of one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Released, or room behind a mapping.
    Free { poisoned: bool },
    /// Held without access.
    Reserved { poisoned: bool },
    /// Readable and writable.
    Committed { populated: bool, huge: bool },
}

impl Page {
    pub(super) const FRESH: Self = Self::Committed { populated: false, huge: false };

    pub(super) fn is_held(&self) -> bool {
        !matches!(self, Self::Free { .. })
    }

    pub(super) fn is_committed(&self) -> bool {
        matches!(self, Self::Committed { .. })
    }

    pub(super) fn is_populated(&self) -> bool {
        matches!(self, Self::Committed { populated: true, .. })
    }

    pub(super) fn is_huge(&self) -> bool {
        matches!(self, Self::Committed { huge: true, .. })
    }
}

#[derive(Debug)]
pub(super) struct Region {
    start: NonNull<u8>,
    layout: Layout,
    page: usize,
    pages: Vec<Page>,
    /// Bytes of the whole mapping as `map` or `remap` last returned it; 0 for a reservation.
    pub(super) mapped: usize,
}

// SAFETY: the memory belongs to the region and its holder, and is bound to no thread.
unsafe impl Send for Region {}

impl Region {
    /// Memory for `size` bytes and `room` more behind it, all of it free.
    pub(super) fn new(size: usize, room: usize, align: usize, page: usize) -> Result<Self, AllocError> {
        let total = size.checked_add(room).ok_or(AllocError)?;
        let layout = Layout::from_size_align(total, align.max(page)).map_err(|_| AllocError)?;
        // SAFETY: the size is not zero: `Pages` asks for that, and the caller has checked it.
        let start = NonNull::new(unsafe { System.alloc(layout) }).ok_or(AllocError)?;
        let poisoned = total <= FILL_AT_MOST;
        if poisoned {
            // SAFETY: `start` has `total` bytes that nobody else knows of.
            unsafe { start.write_bytes(POISON, total) };
        }
        let pages = std::vec![Page::Free { poisoned }; total / page];
        Ok(Self { start, layout, page, pages, mapped: 0 })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = &Page> {
        self.pages.iter()
    }

    pub(super) fn is_free(&self) -> bool {
        !self.pages.iter().any(Page::is_held)
    }

    pub(super) fn summary(&self) -> String {
        let held = self.pages.iter().filter(|page| page.is_held()).count() * self.page;
        format!("{held} bytes of the {} at {:#x}", self.layout.size(), self.start.addr())
    }

    /// The indices of a page-aligned range's pages, if it lies within.
    pub(super) fn indices(&self, start: NonNull<u8>, size: usize) -> Option<core::ops::Range<usize>> {
        let offset = start.addr().get().checked_sub(self.start.addr().get())?;
        let end = offset.checked_add(size)?;
        (end <= self.layout.size()).then_some(offset / self.page..end / self.page)
    }

    pub(super) fn get(&self, index: usize) -> Option<Page> {
        self.pages.get(index).copied()
    }

    pub(super) fn set(&mut self, index: usize, page: Page) {
        self.pages[index] = page;
    }

    /// Holds a free page without access.
    pub(super) fn reserve(&mut self, index: usize) {
        if let Page::Free { poisoned } = self.pages[index] {
            self.pages[index] = Page::Reserved { poisoned };
        }
    }

    /// Makes a page that is not committed so, reading as zero.
    pub(super) fn commit(&mut self, index: usize) {
        if !self.pages[index].is_committed() {
            self.check_poison(index);
            self.fill(index, 0);
            self.pages[index] = Page::FRESH;
        }
    }

    /// Takes a page's contents and access, and the page itself unless `hold`.
    pub(super) fn withdraw(&mut self, index: usize, hold: bool) {
        let poisoned = match self.pages[index] {
            Page::Committed { .. } => {
                self.fill(index, POISON);
                true
            }
            Page::Free { poisoned } | Page::Reserved { poisoned } => {
                self.check_poison(index);
                poisoned
            }
        };
        self.pages[index] = if hold { Page::Reserved { poisoned } } else { Page::Free { poisoned } };
    }

    /// Fills a page.
    pub(super) fn fill(&mut self, index: usize, byte: u8) {
        // SAFETY: `index` is below the number of pages, as every look at `pages` here checks.
        let page = unsafe { self.start.add(index * self.page) };
        // SAFETY: the page lies in this region's memory, and its holder gave up its contents, or never had any.
        unsafe { page.write_bytes(byte, self.page) };
    }

    /// Panics if a page without access was written to.
    fn check_poison(&self, index: usize) {
        let (Page::Free { poisoned: true } | Page::Reserved { poisoned: true }) = self.pages[index] else {
            return;
        };
        // SAFETY: `index` was looked up in `pages`, so that the page lies in this region's memory.
        let page = unsafe { self.start.add(index * self.page) };
        // SAFETY: the page was initialised with the poison, and whoever writes to it now has broken a promise.
        let bytes = unsafe { core::slice::from_raw_parts(page.as_ptr(), self.page) };
        // Row by row: byte by byte is too slow without optimisation.
        for row in bytes.chunks(ROW.len()) {
            if row != &ROW[..row.len()] {
                let stray = row.iter().find(|&&byte| byte != POISON).unwrap_or(&POISON);
                panic!("a byte without access was written: {stray:p} holds {stray:#04x}");
            }
        }
    }

    /// Gives the memory back.
    pub(super) fn free(self) {
        assert!(self.is_free(), "a page is still held");
        for index in 0..self.pages.len() {
            self.check_poison(index);
        }
        // SAFETY: `start` came from `System` with this layout, and no page of it is held any more.
        unsafe { System.dealloc(self.start.as_ptr(), self.layout) };
    }
}
