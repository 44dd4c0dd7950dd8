//! The memory store: what is particular to it.

mod bounds;
mod index;
mod laws;
mod model;
mod people;
mod threads;
mod world;
