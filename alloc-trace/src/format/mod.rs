//! The trace file: what is in it, byte for byte. Pure; used by the tracer, which writes, and the decoder, which reads.
//!
//! ```text
//! file header | block | block | ...
//! ```
//!
//! All numbers are little-endian. A file header is 64 bytes:
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | `STRATATR` |
//! | 8..12 | version, 2 |
//! | 12..16 | process |
//! | 16..20 | mode: 1 exact, 2 aggregate, 3 sampled |
//! | 20..24 | 0 |
//! | 24..32 | ticks when the trace began |
//! | 32..40 | nanoseconds then, of the monotonic clock |
//! | 40..48 | nanoseconds then, since 1970 |
//! | 48..56 | mean bytes between samples; 0 where nothing is sampled |
//! | 56..64 | 0 |
//!
//! A block is a header of 56 bytes and its payload. A reader that finds a block cut, or with another checksum, keeps what
//! came before: each block can be read by itself.
//!
//! | bytes | content |
//! |---|---|
//! | 0..4 | `SBK1` |
//! | 4..8 | kind: 1 events, 2 frames, 3 modules, 4 counts by stack, 5 end |
//! | 8..12 | thread |
//! | 12..16 | number of the block among the thread's, from 0 |
//! | 16..20 | bytes of payload |
//! | 20..24 | bytes of the payload before it was compressed; 0: it is not |
//! | 24..32 | checksum of the payload |
//! | 32..40 | ticks from which the payload's times are counted |
//! | 40..48 | ticks when the block was written |
//! | 48..56 | nanoseconds then |
//!
//! * *Events*: see [`event`]. Times are counted in units of 32 ticks. An event may have the time of the thread's event before it,
//!   32 in a row at most, and none that is over ten milliseconds older than its own.
//! * *Frames*: the number of the first, then for each the zigzag difference of its return address from the one before, and
//!   the difference of its number from its parent's; 0 there marks a number that stands for nothing.
//! * *Modules*: lowest address, end, bias (8 bytes each), length and bytes of the build id (1 + n), and of the path (2 + n).
//! * *Counts*: for each stack, varints: number, blocks and bytes allocated, blocks and bytes live, the most bytes it had
//!   live at once, blocks then.
//! * *End*: varints: stacks that were cut. Counts have more: the most bytes that were live at once, blocks then, nanoseconds
//!   from the start then and in all, requests that failed. A write that fails ends the trace, so that one with lost blocks has
//!   no such end.
//!
//! The traced process compresses nothing. Whoever does afterwards (`strata-trace compress`) makes each payload a
//! stream of DEFLATE by itself, where that is shorter; lengths and checksums are those of the bytes in the file.

#![forbid(unsafe_code)]

pub mod event;
pub mod varint;

/// What a file begins with.
pub const MAGIC: [u8; 8] = *b"STRATATR";
/// The version that this describes.
pub const VERSION: u32 = 2;
/// Bytes of the file header.
pub const FILE_HEADER: usize = 64;
/// What a block begins with.
pub const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"SBK1");
/// Bytes of a block's header.
pub const BLOCK_HEADER: usize = 56;
/// Ticks in a unit of the events' times, as a power of two.
pub const TIME_SHIFT: u32 = 5;

/// What a trace holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every event.
    Exact = 1,
    /// Counts by stack.
    Aggregate = 2,
    /// Counts by stack, estimated from samples.
    Sampled = 3,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Events of one thread.
    Events = 1,
    /// Nodes of the tree of stacks.
    Frames = 2,
    /// Loaded modules.
    Modules = 3,
    /// Counts by stack.
    Counts = 4,
    /// The trace was ended, and is whole.
    End = 5,
}

impl Kind {
    /// The kind of this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Events,
            2 => Self::Frames,
            3 => Self::Modules,
            4 => Self::Counts,
            5 => Self::End,
            _ => return None,
        })
    }
}

/// A file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// The traced process.
    pub process: u32,
    /// What the trace holds.
    pub mode: Mode,
    /// Ticks when the trace began.
    pub ticks: u64,
    /// Nanoseconds then, of the monotonic clock.
    pub nanos: u64,
    /// Nanoseconds then, since 1970.
    pub epoch_nanos: u64,
    /// Mean bytes between samples; 0 where nothing is sampled.
    pub rate: u64,
}

/// A block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// What the block holds.
    pub kind: Kind,
    /// The kernel's number of the thread that it is about; 0 for none.
    pub thread: u32,
    /// The block's number among the thread's.
    pub number: u32,
    /// Bytes of payload.
    pub length: u32,
    /// Bytes of the payload before it was compressed; 0 where it is not.
    pub expanded: u32,
    /// [`checksum`] of the payload.
    pub checksum: u64,
    /// Ticks from which the payload's times are counted.
    pub base: u64,
    /// Ticks when the block was written.
    pub ticks: u64,
    /// Nanoseconds then.
    pub nanos: u64,
}

/// Puts numbers side by side.
struct Fields<const N: usize>([u8; N], usize);

impl<const N: usize> Fields<N> {
    const fn new() -> Self {
        Self([0; N], 0)
    }

    fn put(mut self, bytes: &[u8]) -> Self {
        for (slot, &byte) in self.0.iter_mut().skip(self.1).zip(bytes) {
            *slot = byte;
        }
        self.1 += bytes.len();
        self
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl FileHeader {
    /// The header's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; FILE_HEADER] {
        Fields::new()
            .put(&MAGIC)
            .put(&VERSION.to_le_bytes())
            .put(&self.process.to_le_bytes())
            .put(&(self.mode as u32).to_le_bytes())
            .put(&[0; 4])
            .put(&self.ticks.to_le_bytes())
            .put(&self.nanos.to_le_bytes())
            .put(&self.epoch_nanos.to_le_bytes())
            .put(&self.rate.to_le_bytes())
            .0
    }

    /// Reads a header; `None` for other files and versions.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < FILE_HEADER || !bytes.starts_with(&MAGIC) || u32_at(bytes, 8)? != VERSION {
            return None;
        }
        let mode = match u32_at(bytes, 16)? {
            1 => Mode::Exact,
            2 => Mode::Aggregate,
            3 => Mode::Sampled,
            _ => return None,
        };
        Some(Self {
            process: u32_at(bytes, 12)?,
            mode,
            ticks: u64_at(bytes, 24)?,
            nanos: u64_at(bytes, 32)?,
            epoch_nanos: u64_at(bytes, 40)?,
            rate: u64_at(bytes, 48)?,
        })
    }
}

impl BlockHeader {
    /// The header's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BLOCK_HEADER] {
        Fields::new()
            .put(&BLOCK_MAGIC.to_le_bytes())
            .put(&(self.kind as u32).to_le_bytes())
            .put(&self.thread.to_le_bytes())
            .put(&self.number.to_le_bytes())
            .put(&self.length.to_le_bytes())
            .put(&self.expanded.to_le_bytes())
            .put(&self.checksum.to_le_bytes())
            .put(&self.base.to_le_bytes())
            .put(&self.ticks.to_le_bytes())
            .put(&self.nanos.to_le_bytes())
            .0
    }

    /// Reads a header; `None` where no block begins.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if u32_at(bytes, 0)? != BLOCK_MAGIC {
            return None;
        }
        Some(Self {
            kind: Kind::from_number(u32_at(bytes, 4)?)?,
            thread: u32_at(bytes, 8)?,
            number: u32_at(bytes, 12)?,
            length: u32_at(bytes, 16)?,
            expanded: u32_at(bytes, 20)?,
            checksum: u64_at(bytes, 24)?,
            base: u64_at(bytes, 32)?,
            ticks: u64_at(bytes, 40)?,
            nanos: u64_at(bytes, 48)?,
        })
    }
}

/// A sum that tells cut and damaged payloads from whole ones: eight bytes at a time, so that it costs little beside the
/// write. Not for anything that an adversary made.
#[must_use]
pub fn checksum(payload: &[u8]) -> u64 {
    let step = |sum: u64, word: u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let mut words = payload.chunks_exact(8);
    let sum = words
        .by_ref()
        .fold(payload.len() as u64, |sum, chunk| step(sum, chunk.try_into().map_or(0, u64::from_le_bytes)));
    words.remainder().iter().fold(sum, |sum, &byte| step(sum, byte.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were() {
        let file = FileHeader {
            process: 7,
            mode: Mode::Sampled,
            ticks: 1,
            nanos: 2,
            epoch_nanos: u64::MAX,
            rate: 1 << 19,
        };
        assert_eq!(FileHeader::from_bytes(&file.to_bytes()), Some(file));
        let block = BlockHeader {
            kind: Kind::Frames,
            thread: 1,
            number: 2,
            length: 3,
            expanded: 8,
            checksum: 4,
            base: 5,
            ticks: 6,
            nanos: u64::MAX,
        };
        assert_eq!(BlockHeader::from_bytes(&block.to_bytes()), Some(block));
        for length in 0..BLOCK_HEADER {
            assert_eq!(BlockHeader::from_bytes(block.to_bytes().get(..length).unwrap()), None);
        }
    }

    #[test]
    fn the_checksum_sees_every_byte() {
        let payload = [7_u8; 100];
        let sum = checksum(&payload);
        for index in 0..payload.len() {
            let mut other = payload;
            other[index] ^= 1;
            assert_ne!(checksum(&other), sum, "{index}");
        }
        assert_ne!(checksum(&payload[..99]), sum);
    }
}
