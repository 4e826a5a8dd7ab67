//! First and next fit, exact, in logarithmic time.
//!
//! The zone is divided into windows of 4 KiB. A complete binary tree over them holds the size of the largest free block
//! that starts below each node, and each window the place of its first one. The lowest block that suffices starts in
//! the leftmost window whose largest one does; there, free blocks are followed through the edge map. The same placement
//! as a walk over a list sorted by address, without the walk.
//!
//! ```text
//!   tables:  | tree: u32, 2 * W, the root at 1, leaves from W on | first block within each window: u8, W |
//! ```

use super::Fit;
use crate::config::Config;
use crate::header::Header;
use crate::zone::Zone;

/// The free block with the lowest address that suffices. Logarithmic time. It keeps the upper end of the heap free, which
/// serves `trim` and later growth, at the price of a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct First;

/// As [`First`], from where the last search ended, and around. Logarithmic time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Next;

/// log2 of the granules in a window.
const WINDOW: u32 = 8;

/// Windows of a zone, rounded up to a power of two.
fn windows(capacity: u32) -> u32 {
    ((capacity >> WINDOW) + 1).next_power_of_two()
}

fn table_bytes(capacity: u32) -> usize {
    (windows(capacity) as usize * 9).next_multiple_of(8)
}

/// The tables of a zone.
struct Windows<C: Config> {
    zone: Zone<C>,
    place: usize,
    count: u32,
}

impl<C: Config> Windows<C> {
    fn of(zone: Zone<C>) -> Self {
        Self { zone, place: zone.fit_tables(), count: windows(zone.header().covered.get()) }
    }

    fn node(&self, index: u32) -> u32 {
        self.zone.read(self.place + index as usize * 4)
    }

    fn set_node(&self, index: u32, value: u32) {
        self.zone.write(self.place + index as usize * 4, value);
    }

    fn first(&self, window: u32) -> u32 {
        let offset = self.zone.read_byte(self.place + self.count as usize * 8 + window as usize);
        (window << WINDOW) + u32::from(offset)
    }

    fn set_first(&self, at: u32) {
        let window = at >> WINDOW;
        self.zone.write_byte(self.place + self.count as usize * 8 + window as usize, at as u8);
    }

    /// The next free block after the one at `at`, if it starts in the same window.
    fn following(&self, at: u32, size: u32) -> Option<u32> {
        let end = ((at >> WINDOW) + 1) << WINDOW;
        // The bit at the block's end is its own.
        self.zone.edges().next(at + size + 1, end.min(self.zone.size()))
    }

    fn set_leaf(&self, window: u32, largest: u32) {
        let mut index = self.count + window;
        self.set_node(index, largest);
        while index > 1 {
            let parent = index / 2;
            let value = self.node(index).max(self.node(index ^ 1));
            if self.node(parent) == value {
                return;
            }
            self.set_node(parent, value);
            index = parent;
        }
    }

    fn insert(&self, at: u32, size: u32) {
        let window = at >> WINDOW;
        let largest = self.node(self.count + window);
        if largest == 0 || at < self.first(window) {
            self.set_first(at);
        }
        if size > largest {
            self.set_leaf(window, size);
        }
    }

    fn remove(&self, at: u32, size: u32) {
        let window = at >> WINDOW;
        let mut block = self.first(window);
        if block == at {
            match self.following(at, size) {
                Some(after) => {
                    self.set_first(after);
                    block = after;
                }
                None => return self.set_leaf(window, 0),
            }
        }
        if self.node(self.count + window) != size {
            return;
        }
        let mut largest = 0;
        let mut next = Some(block);
        while let Some(block) = next {
            let found = C::Header::free_size(self.zone, block);
            if block != at {
                largest = largest.max(found);
            }
            next = self.following(block, found);
        }
        self.set_leaf(window, largest);
    }

    /// The leftmost window from `from` on whose largest block has `size` granules or more.
    fn leftmost(&self, from: u32, size: u32) -> Option<u32> {
        if from >= self.count {
            return None;
        }
        let mut index = self.count + from;
        // Up, to the first subtree right of the path that has one.
        while self.node(index) < size {
            while index % 2 == 1 {
                if index == 1 {
                    return None;
                }
                index /= 2;
            }
            index += 1;
        }
        while index < self.count {
            index *= 2;
            if self.node(index) < size {
                index += 1;
            }
        }
        Some(index - self.count)
    }

    /// The first block of a window at or after `from` with `size` granules or more.
    fn within(&self, window: u32, from: u32, size: u32) -> Option<(u32, u32)> {
        let mut next = Some(self.first(window));
        while let Some(at) = next {
            let found = C::Header::free_size(self.zone, at);
            if at >= from && found >= size {
                return Some((at, found));
            }
            next = self.following(at, found);
        }
        None
    }

    /// The lowest block at or after `from` with `size` granules or more.
    fn find(&self, from: u32, size: u32) -> Option<(u32, u32)> {
        let window = self.leftmost(from >> WINDOW, size)?;
        self.within(window, from, size).or_else(|| {
            let window = self.leftmost(window + 1, size)?;
            self.within(window, from, size)
        })
    }

    fn check(&self, free: &mut dyn FnMut(u32, u32) -> bool) -> Result<usize, u32> {
        let mut count = 0;
        for window in 0..self.count {
            let mut largest = 0;
            let filled = self.node(self.count + window) != 0;
            let mut next = filled.then(|| self.first(window));
            while let Some(at) = next {
                let size = C::Header::free_size(self.zone, at);
                if !free(at, size) {
                    return Err(at);
                }
                largest = largest.max(size);
                count += 1;
                next = self.following(at, size);
            }
            if self.node(self.count + window) != largest {
                return Err(window << WINDOW);
            }
        }
        for index in 1..self.count {
            if self.node(index) != self.node(index * 2).max(self.node(index * 2 + 1)) {
                return Err(index);
            }
        }
        Ok(count)
    }
}

impl Fit for First {
    const BINS: bool = false;
    const READS_EDGES: bool = true;
    const BY_ADDRESS: bool = true;
    const CURSOR: bool = false;

    fn table_bytes(capacity: u32) -> usize {
        table_bytes(capacity)
    }

    fn take<C: Config<Fit = Self>>(zone: Zone<C>, size: u32) -> Option<(u32, u32)> {
        let windows = Windows::of(zone);
        let (at, found) = windows.find(0, size)?;
        windows.remove(at, found);
        Some((at, found))
    }

    fn insert<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32) {
        Windows::of(zone).insert(at, size);
    }

    fn remove<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32) {
        Windows::of(zone).remove(at, size);
    }

    fn check<C: Config<Fit = Self>>(
        zone: Zone<C>,
        free: &mut dyn FnMut(u32, u32) -> bool,
    ) -> Result<usize, u32> {
        Windows::of(zone).check(free)
    }
}

impl Fit for Next {
    const BINS: bool = false;
    const READS_EDGES: bool = true;
    const BY_ADDRESS: bool = false;
    const CURSOR: bool = true;

    fn table_bytes(capacity: u32) -> usize {
        table_bytes(capacity)
    }

    fn take<C: Config<Fit = Self>>(zone: Zone<C>, size: u32) -> Option<(u32, u32)> {
        let windows = Windows::of(zone);
        let cursor = &zone.header().cursor;
        let (at, found) = match windows.find(cursor.get(), size) {
            Some(block) => block,
            None => windows.find(0, size)?,
        };
        windows.remove(at, found);
        cursor.set(at + size);
        Some((at, found))
    }

    fn insert<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32) {
        // A block that grew downwards over the cursor starts below it, and is found from its start.
        let cursor = &zone.header().cursor;
        if at < cursor.get() && cursor.get() < at + size {
            cursor.set(at);
        }
        Windows::of(zone).insert(at, size);
    }

    fn remove<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32) {
        Windows::of(zone).remove(at, size);
    }

    fn check<C: Config<Fit = Self>>(
        zone: Zone<C>,
        free: &mut dyn FnMut(u32, u32) -> bool,
    ) -> Result<usize, u32> {
        Windows::of(zone).check(free)
    }
}
