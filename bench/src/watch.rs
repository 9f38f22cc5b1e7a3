//! How a run is watched: what is measured, when it is given up, and readings of both sides' clocks and memory.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::failure::Failure;
use crate::strace::Strace;
use crate::usage::{self, Cpu};
use crate::workload::Tick;

/// How a run is watched; none of this changes what is sent.
pub(crate) struct Watch<'a> {
    /// Measure CPU and memory of this process: the broker.
    pub(crate) broker_pid: Option<u32>,
    /// Lost QoS 0 messages are counted and are no violation.
    pub(crate) loss_allowed: bool,
    /// Nothing moved for so long: the run ends.
    pub(crate) stall: Duration,
    pub(crate) progress: Option<Progress<'a>>,
    /// Count the broker's system calls, which makes all times worthless.
    pub(crate) count_calls: bool,
    /// To be interrupted means to publish no more, and not to have failed.
    pub(crate) stops_gently: bool,
    /// Set by a signal: stop.
    pub(crate) interrupted: &'a AtomicBool,
}

/// Who is told how a run goes.
#[derive(Clone, Copy)]
pub(crate) struct Progress<'a> {
    pub(crate) every: Duration,
    pub(crate) tell: &'a dyn Fn(&Tick),
}

impl Watch<'_> {
    /// Begins to count system calls, if that is asked for.
    pub(crate) fn strace(&self) -> Result<Option<Strace>, Failure> {
        let pid = self.broker_pid.filter(|_| self.count_calls);
        pid.map(Strace::attach).transpose()
    }
}

/// What the clocks of both sides said.
pub(crate) struct Reading {
    pub(crate) own_ns: u64,
    pub(crate) broker: Option<Cpu>,
}

impl Reading {
    pub(crate) fn take(watch: &Watch<'_>) -> Result<Self, Failure> {
        let broker = watch.broker_pid.map(usage::cpu).transpose();
        Ok(Self {
            own_ns: usage::own_thread_cpu_ns().map_err(Failure::io("CPU time of the generator"))?,
            broker: broker.map_err(Failure::io("CPU time of the broker"))?,
        })
    }
}

/// The broker's resident set now, if its process is known.
pub(crate) fn resident_bytes(watch: &Watch<'_>) -> Result<Option<u64>, Failure> {
    let bytes = watch.broker_pid.map(usage::resident_bytes).transpose();
    bytes.map_err(Failure::io("memory of the broker"))
}
