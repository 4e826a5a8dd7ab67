//! What a strategy keeps beside a block, decoded.

/// One field, or one flag, of a block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name that the strategy's documentation has for it.
    pub name: &'static str,
    /// What it holds.
    pub value: u64,
    /// What that is.
    pub form: Form,
}

/// What the value of a [`Field`] is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A number, such as bytes.
    Number = 0,
    /// An address, or a word of bits.
    Word = 1,
    /// A flag, 0 or 1.
    Flag = 2,
}

/// Reads memory that may be gone: fills the bytes from an address, or answers false.
pub type Peek<'a> = &'a dyn Fn(usize, &mut [u8]) -> bool;

impl Field {
    /// A number.
    #[must_use]
    pub const fn number(name: &'static str, value: u64) -> Self {
        Self { name, value, form: Form::Number }
    }

    /// A word.
    #[must_use]
    pub const fn word(name: &'static str, value: u64) -> Self {
        Self { name, value, form: Form::Word }
    }

    /// A flag.
    #[must_use]
    pub const fn flag(name: &'static str, value: bool) -> Self {
        Self { name, value: value as u64, form: Form::Flag }
    }
}

/// The 32 bits at an address.
#[must_use]
pub fn peek_u32(peek: Peek<'_>, address: usize) -> Option<u32> {
    let mut bytes = [0; 4];
    peek(address, &mut bytes).then(|| u32::from_ne_bytes(bytes))
}

/// The 64 bits at an address.
#[must_use]
pub fn peek_u64(peek: Peek<'_>, address: usize) -> Option<u64> {
    let mut bytes = [0; 8];
    peek(address, &mut bytes).then(|| u64::from_ne_bytes(bytes))
}
