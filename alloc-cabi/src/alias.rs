//! glibc's inner names, which a few programs call.

use core::ffi::{c_int, c_void};

use crate::{aligned, c};

/// One function for each name, that does as the function it stands for.
macro_rules! aliases {
    ($($symbol:ident = $module:ident::$function:ident($($parameter:ident: $type:ty),*) $(-> $answer:ty)?;)*) => {$(
        /// The function of this name without the prefix.
        ///
        /// # Safety
        /// As for the function that it stands for.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        pub unsafe extern "C" fn $symbol($($parameter: $type),*) $(-> $answer)? {
            // SAFETY: the caller's promises are the callee's.
            #[allow(unused_unsafe, reason = "some of them are safe to call")]
            unsafe {
                $module::$function($($parameter),*)
            }
        }
    )*};
}

aliases! {
    __libc_malloc = c::allocate(size: usize) -> *mut c_void;
    __libc_free = c::give_back(pointer: *mut c_void);
    __libc_calloc = c::allocate_zeroed(count: usize, size: usize) -> *mut c_void;
    __libc_realloc = c::resize(pointer: *mut c_void, size: usize) -> *mut c_void;
    __libc_reallocarray = c::resize_array(pointer: *mut c_void, count: usize, size: usize) -> *mut c_void;
    __libc_memalign = aligned::at(align: usize, size: usize) -> *mut c_void;
    __libc_valloc = aligned::on_page(size: usize) -> *mut c_void;
    __libc_pvalloc = aligned::pages(size: usize) -> *mut c_void;
    __posix_memalign = aligned::store_at(place: *mut *mut c_void, align: usize, size: usize) -> c_int;
}
