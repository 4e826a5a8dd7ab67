//! Libraries of every kind, made on the spot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use strata_preload::allocator_library;

const MALLOC: &str = "void *malloc(unsigned long n) { return (void *)n; }";

/// Compiles a file of one line.
fn compiled(name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("libraries-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (file, library) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&file, source).unwrap();
    let status = Command::new("cc").arg(&file).args(arguments).arg("-o").arg(&library).status().unwrap();
    assert!(status.success());
    library
}

#[track_caller]
fn refused(path: &Path) -> String {
    allocator_library(path).unwrap_err().to_string()
}

#[test]
fn a_library_with_malloc_is_taken() {
    let library = compiled("good.so", MALLOC, &["-shared", "-fPIC", "-fno-builtin"]);
    assert_eq!(allocator_library(&library).unwrap(), library.canonicalize().unwrap());
}

#[test]
fn what_cannot_serve_is_refused_with_its_reason() {
    assert_eq!(refused(Path::new("/no/such/library.so")), "No such file or directory (os error 2)");
    let none = compiled("none.so", "int nothing;", &["-shared", "-fPIC"]);
    assert_eq!(refused(&none), "it defines no malloc");
    let calls = "void *malloc(unsigned long); void *f(void) { return malloc(8); }";
    let calls = compiled("calls.so", calls, &["-shared", "-fPIC", "-fno-builtin"]);
    assert_eq!(refused(&calls), "it defines no malloc");
    let hidden = compiled("hidden.so", MALLOC, &["-shared", "-fPIC", "-fno-builtin", "-fvisibility=hidden"]);
    assert_eq!(refused(&hidden), "it defines no malloc");
    let source = format!("{MALLOC} int main(void) {{ return 0; }}");
    for (name, kind) in [("program", "-no-pie"), ("pie", "-pie")] {
        let program = compiled(name, &source, &["-fno-builtin", "-rdynamic", "-fPIE", kind]);
        assert_eq!(refused(&program), "it is no ELF shared object", "{kind}");
    }
    let spaced = compiled("with space.so", MALLOC, &["-shared", "-fPIC", "-fno-builtin"]);
    assert_eq!(refused(&spaced), "its path has a space or a colon in it, where the loader divides lists");
}

#[test]
fn damaged_files_are_survived() {
    let library = compiled("damaged.so", MALLOC, &["-shared", "-fPIC", "-fno-builtin"]);
    let bytes = fs::read(&library).unwrap();
    fs::write(&library, "text").unwrap();
    assert_eq!(refused(&library), "it is no ELF shared object");
    let mut other = bytes.clone();
    other[18] ^= 0x55;
    fs::write(&library, &other).unwrap();
    assert_eq!(refused(&library), "it is made for another kind of processor");
    for cut in (0..bytes.len()).step_by(97) {
        fs::write(&library, &bytes[..cut]).unwrap();
        // The table that says where everything is lies at the end.
        assert!(allocator_library(&library).is_err() || cut > bytes.len() / 2, "{cut} of {}", bytes.len());
        let mut flipped = bytes.clone();
        flipped[cut] ^= 0xff;
        fs::write(&library, &flipped).unwrap();
        let _ = allocator_library(&library);
    }
}
