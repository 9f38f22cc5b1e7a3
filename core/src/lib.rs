//! The MQTT broker as a value: facts in, orders out.
//!
//! This crate does no IO. It never reads a socket, a clock, a random source or a disk; drivers do, and tell it what
//! happened. It builds without `std` and contains no `unsafe` code.
#![no_std]

extern crate alloc;

pub mod codec;
pub mod id;
pub mod packet;
pub mod reason;
pub mod time;
pub mod timer;
pub mod topic;
