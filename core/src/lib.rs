//! The MQTT broker as a value: facts in, orders out.
//!
//! This crate does no IO. It never reads a socket, a clock, a random source or a disk; drivers do, and tell it what
//! happened. It builds without `std` and contains no `unsafe` code.
//!
//! - [`broker`] is the machine: [`broker::Broker::handle`] takes one [`broker::Event`] and fills [`broker::Actions`].
//! - [`hooks`] let the program around it decide and observe; [`config`] bounds everything that grows.
//! - [`codec`] and [`packet`] are a packet library for clients and servers that stands alone; [`topic`] has names,
//!   filters, matching and the subscription index.
#![no_std]

extern crate alloc;

pub mod broker;
pub mod codec;
pub mod config;
mod connection;
pub mod hooks;
pub mod id;
mod message;
pub mod packet;
pub mod reason;
mod retained;
mod session;
mod shared;
pub mod stats;
pub mod time;
pub mod timer;
pub mod topic;
