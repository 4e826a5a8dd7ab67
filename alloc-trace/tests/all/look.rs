//! Maps, accounts and what is known of an address, for several strategies.

use alloc_bump::Bump;
use alloc_core::{BlockState, Inspect, Libc, Ownership, Strategy};
use alloc_freelist::mem_io::MemIo;
use alloc_trace::look::{self, Colour};
use alloc_trace::{Guard, History, Settings, Traced, tracer};

use crate::support::{Scratch, heap, layout};

/// Blocks of many sizes, every third given back.
fn fill(heap: &impl Strategy) -> Vec<(std::ptr::NonNull<u8>, std::alloc::Layout)> {
    let mut live = Vec::new();
    for index in 0..500 {
        let layout = layout(index * 37 % 5000 + 1, 1 << (index % 7));
        live.push((heap.allocate(layout).unwrap(), layout));
    }
    let mut index = 0;
    live.retain(|&(block, layout)| {
        index += 1;
        if index % 3 == 0 {
            // SAFETY: the block came from the heap, with this layout.
            unsafe { heap.deallocate(block, layout) };
        }
        index % 3 != 0
    });
    live
}

fn give_back(heap: &impl Strategy, live: Vec<(std::ptr::NonNull<u8>, std::alloc::Layout)>) {
    for (block, layout) in live {
        // SAFETY: the block came from the heap, with this layout.
        unsafe { heap.deallocate(block, layout) };
    }
}

fn check(heap: &impl Strategy) {
    let live = fill(heap);
    let asked: usize = live.iter().map(|(_, layout)| layout.size()).sum();
    let account = look::account(heap).unwrap();
    assert!(account.adds_up(), "{account:?}");
    assert!(account.by_state[0] + account.by_state[3] >= asked as u64, "{account:?}");
    let mut text = String::new();
    assert_eq!(look::terminal(heap, Colour::Never, &mut text), Ok(Some(account)));
    assert!(text.contains("every byte is accounted for"), "{text}");
    let cells = text.chars().filter(|c| "▁▂▃▄▅▆▇█.cm-!".contains(*c)).count();
    assert!(cells as u64 >= account.bytes / 4096 / 64, "{cells} cells\n{text}");
    let mut picture = String::new();
    assert_eq!(look::svg(heap, &mut picture), Ok(Some(account)));
    assert_eq!(picture.matches("<rect ").count(), picture.matches("</rect>").count());
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    for state in ["used", "free", "cached", "mapped", "corrupted", "metadata", "between"] {
        assert!(picture.contains(&format!(">{state}</text>")), "the legend lacks {state}");
    }
    let mut page = String::new();
    assert_eq!(look::html(heap, &mut page), Ok(Some(account)));
    assert!(page.contains(&format!("<td>{}</td>", account.by_state[0])));
    give_back(heap, live);
}

#[test]
fn every_byte_of_every_strategy_is_accounted_for() {
    check(&heap());
    check(&Bump::new());
    check(&MemIo::new());
    check(&Guard::sized(heap()).quarantine(1 << 16).pages_every(11));
    static HISTORY: History = History::new();
    assert!(HISTORY.start(64));
    check(&Traced::new(heap(), &HISTORY));
}

#[test]
fn a_strategy_that_cannot_be_walked_says_so() {
    let mut text = String::new();
    assert_eq!(look::terminal(&Libc, Colour::Never, &mut text), Ok(None));
    assert_eq!(text, "libc: this strategy's memory cannot be walked\n");
    let mut page = String::new();
    assert_eq!(look::html(&Libc, &mut page), Ok(None));
    assert!(page.contains("cannot be walked") && page.contains("</html>"));
    let mut picture = String::new();
    assert_eq!(look::svg(&Libc, &mut picture), Ok(None));
    assert!(
        picture.starts_with("<svg ") && picture.contains("cannot be walked") && picture.ends_with("</svg>\n")
    );
}

#[test]
fn an_address_is_told_with_its_neighbours_and_its_past() {
    static HISTORY: History = History::new();
    assert!(HISTORY.start(100));
    let heap = Traced::new(heap(), &HISTORY);
    let layout = layout(48, 16);
    let [first, middle, last] = [(); 3].map(|()| heap.allocate(layout).unwrap());
    for (block, byte) in [(first, b'A'), (middle, b'B'), (last, b'C')] {
        // SAFETY: 48 bytes of a live block.
        unsafe { block.write_bytes(byte, 48) };
    }
    let address = middle.addr().get() + 5;
    let about = look::about(&heap, address);
    assert_eq!((about.strategy, about.ownership), ("freelist", Ownership::Mine));
    let block = about.block.unwrap();
    assert_eq!((block.address, block.state), (middle.addr().get(), BlockState::Used));
    assert!(about.previous.unwrap().address < block.address && about.next.unwrap().address > block.address);
    let mut text = String::new();
    look::explain(&heap, address, Some(&HISTORY), Colour::Never, &mut text).unwrap();
    assert!(text.contains("5 bytes into it"), "{text}");
    assert!(
        text.contains(&format!("allocated at {:#x}, 48 bytes aligned to 16", middle.addr().get())),
        "{text}"
    );
    assert!(text.contains("BBBBBBBBBBBBBBBB| uuuuuuuuuuuuuuuu"), "{text}");
    assert!(text.contains(" 42[42]42 "), "{text}");
    assert_eq!(text.matches("=>").count(), 1);
    let mut coloured = String::new();
    look::hexdump(&heap, address, Colour::Always, &mut coloured).unwrap();
    assert!(coloured.contains("\x1b[32m42\x1b[0m"), "{coloured}");
    let outside = look::about(&heap, (&raw const text).addr());
    assert!(outside.zone.is_none() && outside.block.is_none());
    assert_ne!(heap.owns(std::ptr::NonNull::from(&text).cast()), Ownership::Mine);
    give_back(&heap, [first, middle, last].map(|block| (block, layout)).to_vec());
}

/// The line of an explanation that has the block's header.
fn told_header(heap: &impl Inspect, address: usize) -> String {
    let mut text = String::new();
    look::explain(heap, address, None, Colour::Never, &mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("    header: "));
    line.unwrap_or_else(|| panic!("no header in\n{text}")).to_owned()
}

#[test]
fn a_blocks_header_is_decoded() {
    let layout = layout(100, 16);
    let mem_io = MemIo::new();
    let block = mem_io.allocate(layout).unwrap();
    let line = told_header(&mem_io, block.addr().get());
    assert!(
        line.starts_with("magic 0xdeadbeef, no FREE, USED, no CORRUPTED, no CACHED, size 128, prev "),
        "{line}"
    );
    assert!(line.ends_with(", requested 100"), "{line}");
    // What was written over shows: the flags, the second word of 24 bytes.
    // SAFETY: the header lies in the heap's memory, which no other thread uses.
    let flags = unsafe { block.sub(20) }.cast::<u32>();
    // SAFETY: as above.
    let before = unsafe { flags.read() };
    // SAFETY: as above.
    unsafe { flags.write(5) };
    let line = told_header(&mem_io, block.addr().get());
    assert!(line.contains(", FREE, no USED, CORRUPTED, "), "{line}");
    // SAFETY: as above.
    unsafe { flags.write(before) };
    give_back(&mem_io, vec![(block, layout)]);

    let sized = heap();
    let block = sized.allocate(layout).unwrap();
    assert_eq!(told_header(&sized, block.addr().get() + 50), "size 112, USED, no CACHED");
    give_back(&sized, vec![(block, layout)]);

    let guarded = Guard::sized(heap()).quarantine(1 << 16);
    let block = guarded.allocate(layout).unwrap();
    let line = told_header(&guarded, block.addr().get());
    assert_eq!(line, "size 100, align 16, LIVE, no FREED, canary before, canaries behind");
    // SAFETY: behind the block lie its canaries.
    let canary = unsafe { block.add(100) };
    // SAFETY: as above.
    let byte = unsafe { canary.read() };
    // SAFETY: as above.
    unsafe { canary.write(!byte) };
    let line = told_header(&guarded, block.addr().get());
    assert_eq!(line, "size 100, align 16, LIVE, no FREED, canary before, no canaries behind");
    // SAFETY: as above.
    unsafe { canary.write(byte) };
    give_back(&guarded, vec![(block, layout)]);
    let line = told_header(&guarded, block.addr().get());
    assert_eq!(line, "size 100, align 16, no LIVE, FREED, canary before, canaries behind");
}

#[test]
fn maps_are_drawn_to_files_by_their_names() {
    let heap = heap();
    let live = fill(&heap);
    for (name, start, end) in [
        ("map.svg", "<svg ", "</svg>"),
        ("map.html", "<!doctype html>", "</html>"),
        ("map.txt", "freelist: ", "for"),
    ] {
        let file = Scratch::new(name);
        let mut settings = Settings::default();
        settings.set(b"STRATA_MAP", file.path().as_os_str().as_encoded_bytes(), 1).unwrap();
        tracer::draw(&heap, &settings.map.unwrap()).unwrap();
        let text = file.text();
        assert!(text.starts_with(start) && text.trim_end().ends_with(end), "{name}: {text}");
    }
    let mut settings = Settings::default();
    settings.set(b"STRATA_MAP", b"/dev/full", 1).unwrap();
    let refused = tracer::draw(&heap, &settings.map.unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), "no space left on the device");
    settings.set(b"STRATA_MAP", b"/nowhere/at/all.svg", 1).unwrap();
    assert_eq!(tracer::draw(&heap, &settings.map.unwrap()).unwrap_err().to_string(), "no such folder");
    give_back(&heap, live);
}
