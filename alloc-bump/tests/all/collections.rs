//! Collections in an arena, through the adapters.

#[test]
fn a_vector_grows_in_place() {
    use allocator_api2_04::vec::Vec;

    let bump = alloc_bump::Bump::new();
    let mut numbers = Vec::with_capacity_in(1, &bump);
    numbers.push(0_u64);
    let start = numbers.as_ptr();
    numbers.extend(1..100_000);
    assert_eq!(numbers.as_ptr(), start, "filling up, the last block never moves");
    assert!(numbers.iter().enumerate().all(|(index, &number)| number == index as u64));
    numbers.truncate(10);
    numbers.shrink_to_fit();
    let after = Vec::<u64, _>::with_capacity_in(1, &bump);
    assert_eq!(after.as_ptr(), start.wrapping_add(10), "what it gave back is used again");
}

#[test]
fn vectors_share_an_arena() {
    use allocator_api2_04::{boxed::Box, vec::Vec};

    let bump = alloc_bump::Bump::<alloc_bump::Pages, alloc_bump::Down>::default();
    let mut rows: Vec<Vec<usize, _>, _> = Vec::new_in(&bump);
    for row in 0..100 {
        rows.push(Vec::new_in(&bump));
        for column in 0..row {
            rows[row].push(column);
            rows[row / 2].push(column);
            rows[row / 2].pop();
        }
    }
    assert!(rows.iter().enumerate().all(|(row, columns)| columns.iter().copied().eq(0..row)));
    assert_eq!(*Box::new_in(5, &bump), 5);
    assert_eq!(bump.check(), Ok(()));
}

#[test]
fn the_older_adapter_works_as_well() {
    use allocator_api2_02::vec::Vec;

    let bump = alloc_bump::SyncBump::new();
    let numbers = std::thread::scope(|scope| {
        let threads = [0, 1].map(|thread| {
            let bump = &bump;
            scope.spawn(move || {
                let mut numbers = Vec::new_in(bump);
                numbers.extend((0..50_000_u64).map(|number| number * 2 + thread));
                numbers
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    for (thread, numbers) in numbers.iter().enumerate() {
        assert!(numbers.iter().enumerate().all(|(index, &number)| number == (index * 2 + thread) as u64));
    }
}
