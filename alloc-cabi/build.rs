//! Link arguments of the shared library alone.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in [
        // Every symbol is bound before the first call, so that no allocation ends in the loader's resolver.
        "-Wl,-z,now",
        // Blocks outlive a `dlclose` of the library, and so must the code that frees them.
        "-Wl,-z,nodelete",
        // Before all other libraries' constructors: their fork handlers are registered after ours, and so run outside of the
        // time in which the heap is locked for a fork.
        "-Wl,-z,initfirst",
        "-Wl,-soname,libstrata.so",
    ] {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
}
