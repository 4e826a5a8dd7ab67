//! What a tracer meets in Rust programs: panics that are caught, threads, a library that comes and goes, a fork. The argument is
//! a library to load.

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::mpsc;

unsafe extern "C" {
    fn dlopen(path: *const c_char, mode: c_int) -> *mut c_void;
    fn dlclose(library: *mut c_void) -> c_int;
    fn fork() -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
}

fn deep(depth: usize, text: &str) -> String {
    let mine = format!("{text}{depth}");
    if depth == 0 { std::panic::panic_any(mine) } else { deep(depth - 1, &mine) + &mine }
}

fn work(seed: usize) -> usize {
    let mut map: HashMap<usize, Vec<String>> = HashMap::new();
    let mut sum = 0;
    for i in 0..100 {
        map.entry(i * seed % 97).or_default().push("z".repeat(i % 70));
        let caught = std::panic::catch_unwind(|| deep(i % 40, "deep")).unwrap_err();
        sum += caught.downcast::<String>().unwrap().len();
    }
    sum + map.len()
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let library = CString::new(std::env::args().nth(1).unwrap()).unwrap();
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (1..6)
        .map(|seed| {
            let sender = sender.clone();
            std::thread::spawn(move || sender.send(work(seed)).unwrap())
        })
        .collect();
    drop(sender);
    for thread in threads {
        thread.join().unwrap();
    }
    for _ in 0..20 {
        // SAFETY: a library that may be loaded and unloaded.
        unsafe {
            let handle = dlopen(library.as_ptr(), 2);
            assert!(!handle.is_null());
            assert_eq!(dlclose(handle), 0);
        }
    }
    // SAFETY: the child, of a process with one thread, ends without running what is the parent's.
    unsafe {
        let child = fork();
        if child == 0 {
            _exit((work(2) > 0) as c_int * 5);
        }
        let mut status = 0;
        assert_eq!(waitpid(child, &mut status, 0), child);
        assert_eq!(status >> 8, 5);
    }
    println!("{}", receiver.iter().sum::<usize>());
}
