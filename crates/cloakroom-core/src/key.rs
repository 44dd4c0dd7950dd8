//! Names of values, with their types.

use std::fmt;
use std::marker::PhantomData;

/// The name of a value together with its type.
///
/// ```
/// use cloakroom_core::Key;
///
/// const VISITS: Key<u32> = Key::new("visits");
/// assert_eq!(VISITS.name(), "visits");
/// ```
pub struct Key<T: ?Sized> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T: ?Sized> Key<T> {
    /// The key called `name`, 1 to 128 bytes long.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: ?Sized> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Key<T> {}

impl<T: ?Sized> AsRef<str> for Key<T> {
    fn as_ref(&self) -> &str {
        self.name
    }
}

impl<T: ?Sized> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}

/// What may name a value of type `T`: a [`Key<T>`], or plain text for any type.
pub trait SessionKey<T: ?Sized>: sealed::Sealed {
    /// The name.
    fn name(&self) -> &str;
}

impl<T: ?Sized> SessionKey<T> for Key<T> {
    fn name(&self) -> &str {
        self.name
    }
}

impl<T: ?Sized> SessionKey<T> for &str {
    fn name(&self) -> &str {
        self
    }
}

impl<T: ?Sized> SessionKey<T> for String {
    fn name(&self) -> &str {
        self
    }
}

impl<T: ?Sized> SessionKey<T> for &String {
    fn name(&self) -> &str {
        self
    }
}

mod sealed {
    #[allow(unnameable_types, reason = "nobody else may name it: that is the seal")]
    pub trait Sealed {}
    impl<T: ?Sized> Sealed for super::Key<T> {}
    impl Sealed for &str {}
    impl Sealed for String {}
    impl Sealed for &String {}
}
