//! Traces made smaller for keeping: afterwards, so that the traced process has no work with it.
//!
//! DEFLATE rather than LZ4, though it takes longer: differences as varints hardly repeat, so that what can be gained is in
//! the frequency of bytes, which LZ4 does not look at. Of the trace of `examples/work`, DEFLATE takes off a third, LZ4 a
//! seventh.

use std::borrow::Cow;
use std::vec::Vec;

use super::Unreadable;
use super::trace::{Part, header, parts};
use crate::format::{BlockHeader, FILE_HEADER, checksum};

/// More than this, a payload was never: what says so is damage.
const LARGEST: usize = 1 << 20;

/// The trace with each block compressed by itself, where that makes it shorter. Reports read it as they do the trace, and
/// [`expand`] makes it what it was. What is damaged or cut stays as it is.
///
/// # Errors
/// When the file is no trace of this version.
pub fn compress(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    rewrite(bytes, |header, payload| {
        if header.expanded != 0 || payload.len() > LARGEST {
            return None;
        }
        let packed = miniz_oxide::deflate::compress_to_vec(payload, 6);
        (packed.len() < payload.len()).then_some((payload.len() as u32, packed))
    })
}

/// The trace that [`compress`] was given, byte for byte.
///
/// # Errors
/// When the file is no trace of this version.
pub fn expand(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    rewrite(bytes, |header, payload| match expanded(header, payload)? {
        Cow::Owned(payload) => Some((0, payload)),
        Cow::Borrowed(_) => None,
    })
}

/// A block's payload as it was written. `None` where it cannot be.
pub(super) fn expanded<'a>(header: &BlockHeader, payload: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let length = header.expanded as usize;
    if length == 0 {
        return Some(Cow::Borrowed(payload));
    }
    if length > LARGEST {
        return None;
    }
    let payload = miniz_oxide::inflate::decompress_to_vec_with_limit(payload, length).ok()?;
    (payload.len() == length).then_some(Cow::Owned(payload))
}

/// Blocks for which `change` has another payload get that, and what it was before it was compressed.
fn rewrite(
    bytes: &[u8],
    change: impl Fn(&BlockHeader, &[u8]) -> Option<(u32, Vec<u8>)>,
) -> Result<Vec<u8>, Unreadable> {
    header(bytes)?;
    let mut out = bytes.get(..FILE_HEADER).unwrap_or(bytes).to_vec();
    for part in parts(bytes) {
        match part {
            Part::Block(header, payload) => match change(&header, payload) {
                Some((expanded, payload)) => {
                    let (length, checksum) = (payload.len() as u32, checksum(&payload));
                    out.extend(BlockHeader { length, expanded, checksum, ..header }.to_bytes());
                    out.extend(payload);
                }
                None => {
                    out.extend(header.to_bytes());
                    out.extend(payload);
                }
            },
            Part::Damaged(bytes) | Part::Cut(bytes) => out.extend(bytes),
        }
    }
    Ok(out)
}
