//! What a product registers with a part of Usher. It is part of the program, as its routes are: set once, before
//! anything runs, and the same everywhere in the process.

use std::sync::OnceLock;

/// What a product has registered with one part; nothing until it is set.
#[derive(Debug)]
pub struct Registered<T>(OnceLock<T>);

impl<T> Registered<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Only the first call counts: a process runs one product.
    pub(crate) fn set(&self, value: T) {
        drop(self.0.set(value));
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.get()
    }
}

impl<T> Registered<Vec<T>> {
    /// All that is registered.
    pub(crate) fn all(&self) -> &[T] {
        self.get().map_or(&[], Vec::as_slice)
    }
}
