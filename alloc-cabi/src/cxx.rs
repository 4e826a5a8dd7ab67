//! `operator delete` in all its forms. `operator new` stays with the C++ library: it calls the new-handler and throws, and
//! gets its memory from our `malloc`.
//!
//! The names are those of the Itanium C++ ABI. Of the parameters, sizes are looked at where checks are on.

use core::ffi::c_void;

use crate::c;

/// One function for each name, with the parameters after the pointer.
macro_rules! deletes {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal($($parameter:ident: $type:ty),*) => $free:ident($($argument:ident),*);)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// `pointer` is null or a live block of `operator new` of the same form.
        #[cfg_attr(not(test), unsafe(export_name = $symbol))]
        pub unsafe extern "C" fn $name(pointer: *mut c_void, $($parameter: $type),*) {
            // SAFETY: blocks of `operator new` are those of `malloc` and its family.
            unsafe { c::$free(pointer, $($argument),*) };
        }
    )*};
}

deletes! {
    /// `delete(void*)`
    delete = "_ZdlPv"() => give_back();
    /// `delete[](void*)`
    delete_array = "_ZdaPv"() => give_back();
    /// `delete(void*, size_t)`
    delete_sized = "_ZdlPvm"(size: usize) => give_back_sized(size);
    /// `delete[](void*, size_t)`
    delete_array_sized = "_ZdaPvm"(size: usize) => give_back_sized(size);
    /// `delete(void*, align_val_t)`
    delete_aligned = "_ZdlPvSt11align_val_t"(_align: usize) => give_back();
    /// `delete[](void*, align_val_t)`
    delete_array_aligned = "_ZdaPvSt11align_val_t"(_align: usize) => give_back();
    /// `delete(void*, size_t, align_val_t)`
    delete_sized_aligned = "_ZdlPvmSt11align_val_t"(size: usize, _align: usize) => give_back_sized(size);
    /// `delete[](void*, size_t, align_val_t)`
    delete_array_sized_aligned = "_ZdaPvmSt11align_val_t"(size: usize, _align: usize) => give_back_sized(size);
    /// `delete(void*, const nothrow_t&)`
    delete_nothrow = "_ZdlPvRKSt9nothrow_t"(_nothrow: *const c_void) => give_back();
    /// `delete[](void*, const nothrow_t&)`
    delete_array_nothrow = "_ZdaPvRKSt9nothrow_t"(_nothrow: *const c_void) => give_back();
    /// `delete(void*, align_val_t, const nothrow_t&)`
    delete_aligned_nothrow = "_ZdlPvSt11align_val_tRKSt9nothrow_t"(_align: usize, _nothrow: *const c_void) => give_back();
    /// `delete[](void*, align_val_t, const nothrow_t&)`
    delete_array_aligned_nothrow = "_ZdaPvSt11align_val_tRKSt9nothrow_t"(_align: usize, _nothrow: *const c_void) => give_back();
}
