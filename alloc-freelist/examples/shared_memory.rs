//! A heap that two processes share: `cargo run -p alloc-freelist --example shared_memory`.
//!
//! Both map the same file, at addresses of their own, allocate from it and free each other's blocks. Blocks are passed
//! over a pipe, as offsets.

use std::alloc::Layout;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::ptr::NonNull;

use alloc_core::{Inspect, Strategy};
use alloc_freelist::SharedFreeList;

const BYTES: usize = 1 << 20;
const BLOCKS: usize = 500;

/// Maps a file of [`BYTES`] bytes for reading and writing, with other processes.
#[expect(clippy::disallowed_methods, reason = "the floor maps private memory only")]
fn map(file: &File) -> NonNull<[u8]> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at a place of the kernel's choice.
    let start =
        unsafe { libc::mmap(std::ptr::null_mut(), BYTES, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    assert_ne!(start, libc::MAP_FAILED, "the file can be mapped");
    NonNull::slice_from_raw_parts(NonNull::new(start.cast()).expect("not null"), BYTES)
}

fn layout(index: usize) -> Layout {
    Layout::from_size_align(16 + index * 37 % 900, 16).expect("a layout")
}

/// Fills a block with its number, after a look at whether the other process may have it too.
fn fill(block: NonNull<u8>, index: usize) {
    // SAFETY: the block is live and has so many bytes.
    unsafe { block.write_bytes(index as u8, layout(index).size()) };
}

fn verify(block: NonNull<u8>, index: usize) {
    let size = layout(index).size();
    // SAFETY: the block is live, its maker wrote all of it, and nobody writes it now.
    let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), size) };
    assert!(bytes.iter().all(|&byte| byte == index as u8), "block {index} is whole");
}

fn child(path: &str) {
    let file = File::options().read(true).write(true).open(path).expect("the parent made the file");
    // SAFETY: the parent created a heap there, which only the two of us use.
    let heap =
        unsafe { SharedFreeList::<alloc_freelist::Policy>::attach(map(&file)) }.expect("a heap is there");
    let (mut from, mut to) = (std::io::stdin(), std::io::stdout());
    for index in 0..BLOCKS {
        let mut offset = [0; 8];
        from.read_exact(&mut offset).expect("the parent sends a block");
        let theirs = heap.at(usize::from_le_bytes(offset)).expect("it lies in the memory");
        verify(theirs, index);
        let ours = heap.allocate(layout(index + 1)).expect("memory suffices");
        fill(ours, index + 1);
        // SAFETY: the parent gave the block over.
        unsafe { heap.deallocate(theirs, layout(index)) };
        to.write_all(&heap.offset_of(ours).to_le_bytes()).expect("the parent listens");
        to.flush().expect("the parent listens");
    }
}

fn main() {
    if let Some(path) = std::env::args().nth(1) {
        return child(&path);
    }
    let path = std::env::temp_dir().join(format!("strata-shared-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a new file");
    file.set_len(BYTES as u64).expect("room for the file");
    // SAFETY: the file is new: nobody else uses it before the child is told of it.
    let heap =
        unsafe { SharedFreeList::<alloc_freelist::Policy>::create(map(&file)) }.expect("room for a heap");
    let program = std::env::current_exe().expect("the path of this program");
    let mut other = Command::new(program)
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts again");
    let (mut to, mut from) = (other.stdin.take().expect("a pipe"), other.stdout.take().expect("a pipe"));
    for index in 0..BLOCKS {
        let ours = heap.allocate(layout(index)).expect("memory suffices");
        fill(ours, index);
        to.write_all(&heap.offset_of(ours).to_le_bytes()).expect("the child listens");
        // At the same time as the child.
        let extra = heap.allocate(layout(index * 3)).expect("memory suffices");
        let mut offset = [0; 8];
        from.read_exact(&mut offset).expect("the child answers");
        let theirs = heap.at(usize::from_le_bytes(offset)).expect("it lies in the memory");
        verify(theirs, index + 1);
        // SAFETY: the child gave its block over, and the other is ours.
        unsafe { heap.deallocate(theirs, layout(index + 1)) };
        // SAFETY: as above.
        unsafe { heap.deallocate(extra, layout(index * 3)) };
    }
    assert!(other.wait().expect("the child ends").success());
    std::fs::remove_file(&path).expect("the file is ours");
    heap.check().expect("a whole heap");
    let stats = heap.stats();
    assert_eq!((stats.live.get(), stats.free_blocks.get()), (Some(0), Some(1)));
    println!("{BLOCKS} blocks went each way between two processes; all came back: {} bytes free", stats.free);
}
