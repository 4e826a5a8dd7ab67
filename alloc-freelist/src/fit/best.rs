//! Best fit, exact, in logarithmic expected time.
//!
//! Free blocks are the nodes of a binary search tree by size and address, which is a heap by a hash of the address (a
//! treap: Seidel and Aragon, 1996). The two links of a block are its children, and no other field is needed: the hash
//! is computed, and paths are walked from the root.

use super::Fit;
use crate::config::Config;
use crate::header::Header;
use crate::zone::Zone;

/// The smallest free block that suffices, and of several the one with the lowest address. Logarithmic expected time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Best;

const LOWER: usize = 0;
const HIGHER: usize = 4;

/// A link to a node: the root, or one of a node's two.
#[derive(Clone, Copy)]
enum Link {
    Root,
    Child(u32, usize),
}

fn priority(at: u32) -> u32 {
    let mixed = at.wrapping_mul(0x9e37_79b1);
    // Unique, as the product by an odd number is, so that the tree's shape depends on its blocks alone.
    mixed ^ mixed >> 15
}

fn get<C: Config>(zone: Zone<C>, link: Link) -> u32 {
    match link {
        Link::Root => zone.header().cursor.get(),
        Link::Child(node, side) => zone.field(node, C::Header::LINKS + side),
    }
}

fn set<C: Config>(zone: Zone<C>, link: Link, to: u32) {
    match link {
        Link::Root => zone.header().cursor.set(to),
        Link::Child(node, side) => zone.set_field(node, C::Header::LINKS + side, to),
    }
}

fn key<C: Config>(zone: Zone<C>, at: u32) -> (u32, u32) {
    (C::Header::free_size(zone, at), at)
}

/// Hangs two trees, of which all of `low` is below all of `high`, where `link` is.
fn join<C: Config>(zone: Zone<C>, mut link: Link, mut low: u32, mut high: u32) {
    loop {
        if low == 0 || high == 0 {
            return set(zone, link, low | high);
        }
        if priority(low) > priority(high) {
            set(zone, link, low);
            link = Link::Child(low, HIGHER);
            low = get(zone, link);
        } else {
            set(zone, link, high);
            link = Link::Child(high, LOWER);
            high = get(zone, link);
        }
    }
}

/// The smallest free block of at least `size` granules, the lowest of these, and the link that leads to it.
fn find<C: Config>(zone: Zone<C>, size: u32) -> Option<(u32, Link)> {
    let mut found = None;
    let mut link = Link::Root;
    loop {
        let at = get(zone, link);
        if at == 0 {
            return found;
        }
        if C::Header::free_size(zone, at) >= size {
            found = Some((at, link));
            link = Link::Child(at, LOWER);
        } else {
            link = Link::Child(at, HIGHER);
        }
    }
}

impl Fit for Best {
    const BINS: bool = false;
    const READS_EDGES: bool = false;
    const BY_ADDRESS: bool = false;
    const CURSOR: bool = false;

    fn table_bytes(_capacity: u32) -> usize {
        0
    }

    fn take<C: Config<Fit = Self>>(zone: Zone<C>, size: u32) -> Option<(u32, u32)> {
        let (mut at, mut link) = find(zone, size)?;
        if !Zone::<C>::suits(C::Header::free_size(zone, at), size) {
            (at, link) = find(zone, size + Zone::<C>::MORE)?;
        }
        join(zone, link, get(zone, Link::Child(at, LOWER)), get(zone, Link::Child(at, HIGHER)));
        Some((at, C::Header::free_size(zone, at)))
    }

    fn insert<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32) {
        let mine = (size, at);
        let mut link = Link::Root;
        let mut node = get(zone, link);
        while node != 0 && priority(node) > priority(at) {
            link = Link::Child(node, if key(zone, node) < mine { HIGHER } else { LOWER });
            node = get(zone, link);
        }
        set(zone, link, at);
        // What hung there is divided between the new node's two sides.
        let (mut low, mut high) = (Link::Child(at, LOWER), Link::Child(at, HIGHER));
        while node != 0 {
            if key(zone, node) < mine {
                set(zone, low, node);
                low = Link::Child(node, HIGHER);
                node = get(zone, low);
            } else {
                set(zone, high, node);
                high = Link::Child(node, LOWER);
                node = get(zone, high);
            }
        }
        set(zone, low, 0);
        set(zone, high, 0);
    }

    fn remove<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32) {
        let mine = (size, at);
        let mut link = Link::Root;
        loop {
            let node = get(zone, link);
            if node == 0 {
                debug_assert!(false, "a free block is missing in the tree");
                return;
            }
            if node == at {
                break;
            }
            link = Link::Child(node, if key(zone, node) < mine { HIGHER } else { LOWER });
        }
        join(zone, link, get(zone, Link::Child(at, LOWER)), get(zone, Link::Child(at, HIGHER)));
    }

    fn check<C: Config<Fit = Self>>(
        zone: Zone<C>,
        free: &mut dyn FnMut(u32, u32) -> bool,
    ) -> Result<usize, u32> {
        check(zone, get(zone, Link::Root), (0, 0), (u32::MAX, u32::MAX), u32::MAX, free)
    }
}

/// The tree at `node` lies between two keys and below a priority. Only tests recurse.
fn check<C: Config>(
    zone: Zone<C>,
    node: u32,
    above: (u32, u32),
    below: (u32, u32),
    limit: u32,
    free: &mut dyn FnMut(u32, u32) -> bool,
) -> Result<usize, u32> {
    if node == 0 {
        return Ok(0);
    }
    if node >= zone.size() {
        return Err(node);
    }
    let mine = key(zone, node);
    if !free(node, mine.0) || mine <= above || mine >= below || priority(node) > limit {
        return Err(node);
    }
    let low = check(zone, get(zone, Link::Child(node, LOWER)), above, mine, priority(node), free)?;
    let high = check(zone, get(zone, Link::Child(node, HIGHER)), mine, below, priority(node), free)?;
    Ok(low + high + 1)
}
