//! Eight bytes that know the block's size.

use core::ptr::NonNull;

use alloc_core::{Block, BlockState, Field, Peek, peek_u32};

use super::{Header, none};
use crate::config::Config;
use crate::zone::Zone;

/// Blocks in use carry their size in eight bytes, so that they can be freed, measured and resized by pointer alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sized;

const SIZE: usize = 0;
const STATE: usize = 4;

const USED: u32 = 1;
const CACHED: u32 = 2;

/// A word of the header in front of a payload.
///
/// # Safety
/// The payload is a block's.
#[inline(always)]
unsafe fn word(payload: NonNull<u8>, offset: usize) -> NonNull<u32> {
    // SAFETY: the header stands right before the payload, and is aligned to 8 as that is to 16.
    unsafe { payload.sub(Sized::BYTES - offset) }.cast()
}

impl Header for Sized {
    const BYTES: usize = 8;

    fn show(block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        let word = |offset| peek_u32(peek, block.address.wrapping_sub(Self::BYTES) + offset);
        // A free block has its links there.
        let (false, Some(size), Some(state)) = (block.state == BlockState::Free, word(SIZE), word(STATE))
        else {
            return;
        };
        show(Field::number("size", u64::from(size) * Self::GRANULE as u64));
        show(Field::flag("USED", state == USED));
        show(Field::flag("CACHED", state == CACHED));
    }

    const MIN: u32 = 1;
    const MAPS: usize = 1;
    const SIZED: bool = true;
    const TRUSTED: bool = false;
    const LINKS: usize = 0;

    #[inline(always)]
    fn free_size<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        none::free_size(zone, at)
    }

    #[inline(always)]
    fn free_before<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        none::free_before(zone, at)
    }

    #[inline(always)]
    fn become_free<C: Config<Header = Self>>(zone: Zone<C>, at: u32, size: u32) {
        none::become_free(zone, at, size);
    }

    #[inline(always)]
    fn become_used<C: Config<Header = Self>>(zone: Zone<C>, at: u32, size: u32, _requested: usize) {
        zone.set_field(at, SIZE, size);
        zone.set_field(at, STATE, USED);
    }

    #[inline(always)]
    fn become_cached<C: Config<Header = Self>>(zone: Zone<C>, at: u32) {
        zone.set_field(at, STATE, CACHED);
    }

    #[inline(always)]
    fn leave_cache<C: Config<Header = Self>>(zone: Zone<C>, at: u32, _requested: usize) {
        zone.set_field(at, STATE, USED);
    }

    #[inline(always)]
    fn used_size<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        zone.field(at, SIZE)
    }

    fn is_cached<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> bool {
        zone.field(at, STATE) == CACHED
    }

    #[inline(always)]
    unsafe fn note_cached(payload: NonNull<u8>) {
        // SAFETY: the caller's promise is the callee's.
        let word = unsafe { word(payload, STATE) };
        // SAFETY: a word of a header that nobody else uses.
        unsafe { word.write(CACHED) };
    }

    #[inline(always)]
    unsafe fn note_used(payload: NonNull<u8>) {
        // SAFETY: the caller's promise is the callee's.
        let word = unsafe { word(payload, STATE) };
        // SAFETY: a word of a header that nobody else uses.
        unsafe { word.write(USED) };
    }

    #[inline(always)]
    unsafe fn noted_size(payload: NonNull<u8>) -> u32 {
        // SAFETY: the caller's promise is the callee's; in front of a wide block are zeros (`heap::wide`).
        let word = unsafe { word(payload, SIZE) };
        // SAFETY: written when the block was handed out.
        unsafe { word.read() }
    }
}
