//! The default strategy as global allocator, and the documented precedence.

use alloc_select::{by_name, strategies};

#[cfg(feature = "_some")]
#[global_allocator]
static GLOBAL: alloc_select::Strata = alloc_select::Strata::new();

#[test]
fn features_compile_strategies_in_and_order_decides_the_default() {
    let order = [
        ("ptmalloc", cfg!(feature = "ptmalloc")),
        ("libc", cfg!(feature = "libc")),
        ("freelist", cfg!(feature = "freelist")),
        ("mem_io", cfg!(feature = "mem_io")),
        ("bump", cfg!(feature = "bump")),
        ("ptmalloc_classic", cfg!(feature = "ptmalloc")),
        ("ptmalloc_modern", cfg!(feature = "ptmalloc")),
    ];
    let expected: Vec<&str> = order.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let names: Vec<&str> = strategies().iter().map(|named| named.name).collect();
    assert_eq!(names, expected);
    #[cfg(feature = "_some")]
    assert_eq!(alloc_core::Inspect::name(GLOBAL.strategy()), expected[0]);
}

#[test]
fn each_name_leads_to_its_strategy() {
    use alloc_core::{Inspect, Strategy};
    let layout = std::alloc::Layout::new::<[u64; 8]>();
    for named in strategies() {
        let handle = by_name(named.name).unwrap();
        assert_eq!(handle.name(), named.name);
        let block = handle.allocate(layout).unwrap();
        // SAFETY: a live block of 64 bytes.
        unsafe { block.write_bytes(1, layout.size()) };
        // SAFETY: a live block with this layout.
        unsafe { handle.deallocate(block, layout) };
    }
}

#[test]
fn an_unknown_name_is_told_with_the_known_ones() {
    let known: Vec<&str> = strategies().iter().map(|named| named.name).collect();
    let known = if known.is_empty() {
        "none (enable a Cargo feature of alloc-select)".to_owned()
    } else {
        known.join(", ")
    };
    assert_eq!(
        by_name("ptmaloc").unwrap_err().to_string(),
        format!("unknown strategy `ptmaloc`; compiled in: {known}")
    );
}
