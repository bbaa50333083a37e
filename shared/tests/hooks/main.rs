//! Hooks and data of a product. A program of its own, because a process runs one product: the other tests have none.

mod changes;
mod creation;
mod data;
mod product;
mod sign_in;
