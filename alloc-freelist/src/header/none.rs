//! Blocks without a header.

use super::Header;
use crate::config::Config;
use crate::zone::{Zone, bytes};

/// Blocks in use carry nothing: their size comes with the layout at free. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct None;

/// Where a free block's size stands, after two links; it stands in its last four bytes too, which in the smallest block
/// are the ones after these.
const SIZE: usize = 8;
const FOOT: usize = 4;

#[inline(always)]
pub(super) fn free_size<C: Config>(zone: Zone<C>, at: u32) -> u32 {
    zone.field(at, SIZE)
}

#[inline(always)]
pub(super) fn free_before<C: Config>(zone: Zone<C>, at: u32) -> u32 {
    zone.read(bytes::<C>(at) - FOOT)
}

#[inline(always)]
pub(super) fn become_free<C: Config>(zone: Zone<C>, at: u32, size: u32) {
    zone.set_field(at, SIZE, size);
    zone.write(bytes::<C>(at + size) - FOOT, size);
}

impl Header for None {
    const BYTES: usize = 0;
    const MIN: u32 = 1;
    const MAPS: usize = 1;
    const SIZED: bool = false;
    const TRUSTED: bool = false;
    const LINKS: usize = 0;

    #[inline(always)]
    fn free_size<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        free_size(zone, at)
    }

    #[inline(always)]
    fn free_before<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        free_before(zone, at)
    }

    #[inline(always)]
    fn become_free<C: Config<Header = Self>>(zone: Zone<C>, at: u32, size: u32) {
        become_free(zone, at, size);
    }
}
