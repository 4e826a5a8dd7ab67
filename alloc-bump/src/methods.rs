//! The methods for values, slices and strings, stamped on every arena type: the types differ in how long a block lives,
//! which is part of a method's signature.

/// Methods for an `impl` block of a type that is a [`Strategy`](alloc_core::Strategy), or has one in a field:
/// `typed_methods!([self.arena] ['s] 's)` gives blocks the lifetime `'s` of the borrow, `typed_methods!([…] [] 'a)` the
/// lifetime `'a` of the type.
macro_rules! typed_methods {
    ($self:ident, [$arena:expr] [$($borrow:lifetime)?] $life:lifetime) => {
        /// Moves a value into the arena. It is not dropped there.
        ///
        /// # Panics
        /// When the arena is exhausted.
        #[inline(always)]
        pub fn alloc<$($borrow,)? T>(&$($borrow)? $self, value: T) -> &$life mut T {
            $self.alloc_with(move || value)
        }

        /// As [`alloc`](Self::alloc).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted. The value is dropped.
        #[inline(always)]
        pub fn try_alloc<$($borrow,)? T>(
            &$($borrow)? $self,
            value: T,
        ) -> Result<&$life mut T, alloc_core::AllocError> {
            $self.try_alloc_with(move || value)
        }

        /// Makes a value in the arena, which spares large ones the way over the stack.
        ///
        /// # Panics
        /// When the arena is exhausted.
        #[inline(always)]
        pub fn alloc_with<$($borrow,)? T>(&$($borrow)? $self, make: impl FnOnce() -> T) -> &$life mut T {
            let mut value = $crate::typed::value_or_panic(&$arena, make);
            // SAFETY: a value was written there, in a block that lives as long as the reference and that nobody else knows.
            unsafe { value.as_mut() }
        }

        /// As [`alloc_with`](Self::alloc_with).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted. `make` is then not called.
        #[inline(always)]
        pub fn try_alloc_with<$($borrow,)? T>(
            &$($borrow)? $self,
            make: impl FnOnce() -> T,
        ) -> Result<&$life mut T, alloc_core::AllocError> {
            let mut value = $crate::typed::value(&$arena, make)?;
            // SAFETY: a value was written there, in a block that lives as long as the reference and that nobody else knows.
            Ok(unsafe { value.as_mut() })
        }

        /// Copies a slice into the arena.
        ///
        /// # Panics
        /// When the arena is exhausted.
        #[inline(always)]
        pub fn alloc_slice_copy<$($borrow,)? T: Copy>(&$($borrow)? $self, values: &[T]) -> &$life mut [T] {
            $crate::fail::expect($self.try_alloc_slice_copy(values))
        }

        /// As [`alloc_slice_copy`](Self::alloc_slice_copy).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted.
        #[inline(always)]
        pub fn try_alloc_slice_copy<$($borrow,)? T: Copy>(
            &$($borrow)? $self,
            values: &[T],
        ) -> Result<&$life mut [T], alloc_core::AllocError> {
            let mut values = $crate::typed::slice_copy(&$arena, values)?;
            // SAFETY: all of it was written, in a block that lives as long as the reference and that nobody else knows.
            Ok(unsafe { values.as_mut() })
        }

        /// Clones a slice into the arena.
        ///
        /// # Panics
        /// When the arena is exhausted, or `clone` panics.
        #[inline]
        pub fn alloc_slice_clone<$($borrow,)? T: Clone>(&$($borrow)? $self, values: &[T]) -> &$life mut [T] {
            $crate::fail::expect($self.try_alloc_slice_clone(values))
        }

        /// As [`alloc_slice_clone`](Self::alloc_slice_clone).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted. Nothing is then cloned.
        #[inline]
        pub fn try_alloc_slice_clone<$($borrow,)? T: Clone>(
            &$($borrow)? $self,
            values: &[T],
        ) -> Result<&$life mut [T], alloc_core::AllocError> {
            $self.try_alloc_slice_fill_with(values.len(), |index| values[index].clone())
        }

        /// `length` values, each made from its index.
        ///
        /// # Panics
        /// When the arena is exhausted, or `make` panics.
        #[inline]
        pub fn alloc_slice_fill_with<$($borrow,)? T>(
            &$($borrow)? $self,
            length: usize,
            make: impl FnMut(usize) -> T,
        ) -> &$life mut [T] {
            $crate::fail::expect($self.try_alloc_slice_fill_with(length, make))
        }

        /// As [`alloc_slice_fill_with`](Self::alloc_slice_fill_with).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted. `make` is then not called.
        #[inline]
        pub fn try_alloc_slice_fill_with<$($borrow,)? T>(
            &$($borrow)? $self,
            length: usize,
            make: impl FnMut(usize) -> T,
        ) -> Result<&$life mut [T], alloc_core::AllocError> {
            let mut values = $crate::typed::slice_with(&$arena, length, make)?;
            // SAFETY: all of it was written, in a block that lives as long as the reference and that nobody else knows.
            Ok(unsafe { values.as_mut() })
        }

        /// `length` copies of a value.
        ///
        /// # Panics
        /// When the arena is exhausted.
        #[inline]
        pub fn alloc_slice_fill_copy<$($borrow,)? T: Copy>(
            &$($borrow)? $self,
            length: usize,
            value: T,
        ) -> &$life mut [T] {
            $crate::fail::expect($self.try_alloc_slice_fill_copy(length, value))
        }

        /// As [`alloc_slice_fill_copy`](Self::alloc_slice_fill_copy).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted.
        #[inline]
        pub fn try_alloc_slice_fill_copy<$($borrow,)? T: Copy>(
            &$($borrow)? $self,
            length: usize,
            value: T,
        ) -> Result<&$life mut [T], alloc_core::AllocError> {
            $self.try_alloc_slice_fill_with(length, |_| value)
        }

        /// The values of an iterator that knows how many it has. One that ends before that gives a shorter slice.
        ///
        /// # Panics
        /// When the arena is exhausted, or the iterator panics.
        #[inline]
        pub fn alloc_slice_fill_iter<$($borrow,)? T, I>(&$($borrow)? $self, values: I) -> &$life mut [T]
        where
            I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        {
            $crate::fail::expect($self.try_alloc_slice_fill_iter(values))
        }

        /// As [`alloc_slice_fill_iter`](Self::alloc_slice_fill_iter).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted. The iterator is then not run.
        #[inline]
        pub fn try_alloc_slice_fill_iter<$($borrow,)? T, I>(
            &$($borrow)? $self,
            values: I,
        ) -> Result<&$life mut [T], alloc_core::AllocError>
        where
            I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        {
            let mut values = $crate::typed::exact(&$arena, values.into_iter())?;
            // SAFETY: all of it was written, in a block that lives as long as the reference and that nobody else knows.
            Ok(unsafe { values.as_mut() })
        }

        /// The values of any iterator. The slice grows as they come, in place unless the iterator itself uses the arena.
        ///
        /// # Panics
        /// When the arena is exhausted, or the iterator panics.
        #[inline]
        pub fn alloc_iter<$($borrow,)? T>(
            &$($borrow)? $self,
            values: impl IntoIterator<Item = T>,
        ) -> &$life mut [T] {
            $crate::fail::expect($self.try_alloc_iter(values))
        }

        /// As [`alloc_iter`](Self::alloc_iter).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted. The values so far are then dropped.
        #[inline]
        pub fn try_alloc_iter<$($borrow,)? T>(
            &$($borrow)? $self,
            values: impl IntoIterator<Item = T>,
        ) -> Result<&$life mut [T], alloc_core::AllocError> {
            let mut values = $crate::typed::iter(&$arena, values)?;
            // SAFETY: all of it was written, in a block that lives as long as the reference and that nobody else knows.
            Ok(unsafe { values.as_mut() })
        }

        /// Copies a string into the arena.
        ///
        /// # Panics
        /// When the arena is exhausted.
        #[inline(always)]
        pub fn alloc_str<$($borrow)?>(&$($borrow)? $self, text: &str) -> &$life mut str {
            $crate::fail::expect($self.try_alloc_str(text))
        }

        /// As [`alloc_str`](Self::alloc_str).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted.
        #[inline(always)]
        pub fn try_alloc_str<$($borrow)?>(
            &$($borrow)? $self,
            text: &str,
        ) -> Result<&$life mut str, alloc_core::AllocError> {
            let bytes = $self.try_alloc_slice_copy(text.as_bytes())?;
            // SAFETY: a copy of a `str`.
            Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
        }

        /// Writes formatted text into the arena: `bump.alloc_fmt(format_args!("{x}"))`.
        ///
        /// # Panics
        /// When the arena is exhausted, or a formatting trait answers with an error.
        #[inline]
        pub fn alloc_fmt<$($borrow)?>(
            &$($borrow)? $self,
            arguments: core::fmt::Arguments<'_>,
        ) -> &$life mut str {
            $crate::fail::expect($self.try_alloc_fmt(arguments))
        }

        /// As [`alloc_fmt`](Self::alloc_fmt).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted, or a formatting trait answers with an error.
        #[inline]
        pub fn try_alloc_fmt<$($borrow)?>(
            &$($borrow)? $self,
            arguments: core::fmt::Arguments<'_>,
        ) -> Result<&$life mut str, alloc_core::AllocError> {
            let mut bytes = $crate::typed::format(&$arena, arguments)?;
            // SAFETY: all of it was written, in a block that lives as long as the reference and that nobody else knows.
            let bytes = unsafe { bytes.as_mut() };
            // SAFETY: pieces of `str`, whole and in order.
            Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
        }

        /// Room for `layout`, not initialised.
        ///
        /// # Panics
        /// When the arena is exhausted.
        #[inline(always)]
        pub fn alloc_layout(&$self, layout: core::alloc::Layout) -> core::ptr::NonNull<u8> {
            $crate::fail::expect($self.try_alloc_layout(layout))
        }

        /// As [`alloc_layout`](Self::alloc_layout).
        ///
        /// # Errors
        /// [`AllocError`](alloc_core::AllocError) when the arena is exhausted.
        #[inline(always)]
        pub fn try_alloc_layout(
            &$self,
            layout: core::alloc::Layout,
        ) -> Result<core::ptr::NonNull<u8>, alloc_core::AllocError> {
            alloc_core::Strategy::allocate(&$arena, layout)
        }
    };
}

pub(crate) use typed_methods;
