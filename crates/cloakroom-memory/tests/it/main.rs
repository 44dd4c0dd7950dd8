//! The memory store: what is particular to it.

mod bounds;
mod index;
mod model;
mod threads;
mod world;
