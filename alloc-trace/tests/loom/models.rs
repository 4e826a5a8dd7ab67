//! The models, over any way of mounting the files.

macro_rules! tree_models {
    ($name:ident, $files:path) => {
        mod $name {
            use $files as files;

            use files::intern::{Place, StackId, Tree};
            use loom::sync::Arc;
            use loom::thread;

            const OUTER: usize = 0x1000;
            const INNER: usize = 0x2000;

            fn stack(tree: &Tree) -> StackId {
                tree.child(tree.child(StackId(0), OUTER), INNER)
            }

            /// Two threads name the same two frames at once.
            pub(crate) fn equal_stacks() {
                let tree = Arc::new(Tree::new());
                let other = {
                    let tree = Arc::clone(&tree);
                    thread::spawn(move || stack(&tree))
                };
                let mine = stack(&tree);
                assert_eq!(mine, other.join().unwrap(), "two numbers for one stack");
                assert!(tree.addresses(mine).eq([INNER, OUTER]), "not the frames that were named");
                assert_eq!(tree.refused(), 0);
                // What lost a race stands for nothing, and stops nobody who goes through the nodes.
                let places = (1..=tree.last()).map(|number| tree.place(number));
                assert_eq!(places.filter(|place| matches!(place, Place::Frame { .. })).count(), 2);
            }

            /// One thread names a frame; another that finds it, by name or by number, finds all of it.
            pub(crate) fn found_nodes_are_whole() {
                let tree = Arc::new(Tree::new());
                let other = {
                    let tree = Arc::clone(&tree);
                    thread::spawn(move || {
                        let outer = tree.child(StackId(0), OUTER);
                        tree.child(outer, INNER);
                    })
                };
                // As the writer of a trace does.
                for number in 1..=tree.last() {
                    if let Place::Frame { parent, address } = tree.place(number) {
                        let expected = if number == 1 { (StackId(0), OUTER) } else { (StackId(1), INNER) };
                        assert_eq!((parent, address), expected, "not the frame that was named");
                    }
                }
                let found = tree.child(StackId(0), OUTER);
                let frame = tree.frame(found);
                assert_eq!(frame, Some((StackId(0), OUTER)), "not the frame that was named");
                // Who knows a number writes it out, and the frames up to it before.
                assert!(tree.last() >= found.0, "not the frame: a number beyond the last");
                other.join().unwrap();
            }
        }
    };
}

macro_rules! buffer_models {
    ($name:ident, $files:path) => {
        mod $name {
            use $files as files;

            use alloc_core::sync::atomic::{AtomicU8, Ordering};
            use files::pending::{CAPACITY, Pending, Taken};
            use loom::sync::{Arc, Mutex};
            use loom::thread;

            use crate::format::event::{Last, Record};
            use crate::format::{BLOCK_HEADER, TIME_SHIFT};

            struct Shared(Pending);

            // SAFETY: as `Thread`'s: only the owner uses the cells.
            unsafe impl Sync for Shared {}
            // SAFETY: as above.
            unsafe impl Send for Shared {}

            /// The owner appends, writes a block out, and appends again, while another thread copies.
            ///
            /// The other thread is the one that is spawned: loom runs it last at first, and then goes back to each store
            /// that one of its reads might have come before. The other way round it would look no further: it remembers
            /// the last access to a place only, and the owner reads a length before it changes it.
            pub(crate) fn copied_events_are_whole() {
                let shared = Arc::new(Shared(Pending::new()));
                shared.0.begin(1, 0);
                let other = {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || copy(&shared.0))
                };
                shared.0.append(0, None, &Record::Free { address: 0x10 });
                shared.0.write_out(64, |label, _| assert_eq!(label.number, 0));
                shared.0.append(64, None, &Record::Free { address: 0x20 });
                other.join().unwrap();
            }

            /// The owner, which knew the trace to be on, writes a block out while the end of the trace takes what is there: by one of
            /// the two the block's event is written, and once. `asks_again`: whether the end does where it finds the owner about
            /// to write; `is_asked`: whether the owner asks if it is still to.
            pub(crate) fn blocks_are_written_once(asks_again: bool, is_asked: bool) {
                /// Under its lock: how often the block was written, while the file was open.
                #[derive(Default)]
                struct File {
                    written: u32,
                    is_closed: bool,
                }
                let shared = Arc::new((Shared(Pending::new()), Mutex::new(File::default())));
                shared.0.0.begin(1, 0);
                shared.0.0.append(0, None, &Record::Free { address: 0x10 });
                let end = {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        let (pending, file) = (&shared.0.0, &shared.1);
                        let copy: Vec<AtomicU8> = (0..CAPACITY).map(|_| AtomicU8::new(0)).collect();
                        loop {
                            let mut file = file.lock().unwrap();
                            match pending.take(1, &copy) {
                                Taken::Events(label) => {
                                    file.written += u32::from(label.number == 0);
                                    break;
                                }
                                Taken::Turning if asks_again => {}
                                _ => break,
                            }
                            drop(file);
                            thread::yield_now();
                        }
                        // Other threads' blocks come between.
                        file.lock().unwrap().is_closed = true;
                    })
                };
                shared.0.0.write_out(64, |label, _| {
                    let mut file = shared.1.lock().unwrap();
                    if !file.is_closed && (!is_asked || shared.0.0.is_wanted(1)) {
                        assert_eq!(label.number, 0);
                        file.written += 1;
                    }
                });
                end.join().unwrap();
                assert_eq!(shared.1.lock().unwrap().written, 1, "a block that is written twice or never");
            }

            fn copy(pending: &Pending) {
                let copy: Vec<AtomicU8> = (0..CAPACITY).map(|_| AtomicU8::new(0)).collect();
                let Taken::Events(label) = pending.take(1, &copy) else { return };
                let bytes: Vec<u8> = copy[BLOCK_HEADER..label.length]
                    .iter()
                    .map(|byte| byte.load(Ordering::Relaxed))
                    .collect();
                let mut rest = bytes.as_slice();
                let mut last = Last { time: label.base >> TIME_SHIFT, ..Last::default() };
                let event = last.decode(&mut rest);
                let number = u64::from(label.number);
                let expected = (2 * number, Record::Free { address: 0x10 + 0x10 * number });
                assert_eq!(event, Some(expected), "torn: {label:?} {bytes:?}");
                assert!(rest.is_empty(), "torn: {label:?} {bytes:?}");
                crate::COPIED[label.number as usize].store(true, core::sync::atomic::Ordering::Relaxed);
            }
        }
    };
}

macro_rules! table_models {
    ($name:ident, $files:path) => {
        mod $name {
            use $files as files;

            use files::live::Live;
            use files::tally::{Figures, Row, Share};
            use loom::sync::Arc;
            use loom::thread;

            use crate::stack::StackId;

            /// Two threads want the same block, beside one of their own.
            pub(crate) fn taken_out_once() {
                let live = Arc::new(Live::new());
                live.insert(1, 100, StackId(1));
                let other = {
                    let live = Arc::clone(&live);
                    thread::spawn(move || {
                        live.insert(2, 200, StackId(2));
                        live.remove(1)
                    })
                };
                live.insert(3, 300, StackId(3));
                let mine = live.remove(1);
                let found = [mine, other.join().unwrap()].into_iter().flatten().collect::<Vec<_>>();
                assert_eq!(found, [(100, StackId(1))], "twice or never");
                assert_eq!(live.remove(2), Some((200, StackId(2))), "twice or never");
                assert_eq!(live.remove(3), Some((300, StackId(3))), "twice or never");
                assert_eq!(live.remove(1), None, "twice or never");
            }

            /// Blocks come on two threads: the most blocks are those that the most bytes were in.
            pub(crate) fn figures_agree() {
                let shared = Arc::new((Figures::default(), Row::default()));
                let share = |bytes| Share { blocks: 1, bytes };
                let other = {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        shared.0.came(&shared.1, share(10), || 1);
                        shared.0.left(&shared.1, share(10));
                    })
                };
                shared.0.came(&shared.1, share(100), || 2);
                other.join().unwrap();
                let (whole, row) = (shared.0.whole(), shared.1.figures());
                assert_eq!((whole.live, row.live), (share(100), share(100)), "a sum that never was");
                assert_eq!(row.allocated, Share { blocks: 2, bytes: 110 }, "a sum that never was");
                let alone = share(100);
                let both = Share { blocks: 2, bytes: 110 };
                assert!([alone, both].contains(&whole.most), "a peak that never was: {whole:?}");
                assert_eq!(row.most, whole.most, "a peak that never was: {row:?}");
            }
        }
    };
}
