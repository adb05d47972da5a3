//! Captures written as text, and what is found in them. Each table is one family of hangs with its look-alikes.

mod attached;
mod files;
mod ipc;
mod limits;
mod locks;
mod memory;
mod pipes;
mod polling;
mod primitives;
mod processes;
mod queues;
mod random;
mod scene;
mod signals;
mod sockets;
mod tasks;
