//! What a hook may see and use while it is asked or told.

use super::{ClientData, Orders};
use crate::broker::{Command, View};

/// The surroundings of a hook: what the program keeps with the client, the state of the broker, and a way to give orders.
#[derive(Debug)]
pub struct Context<'a> {
    /// What the program keeps with the client that this is about; empty and forgotten if it is about none.
    pub data: &'a mut ClientData,
    /// The broker as it is now.
    pub view: View<'a>,
    orders: &'a mut Orders,
}

impl<'a> Context<'a> {
    pub(crate) fn new(data: &'a mut ClientData, view: View<'a>, orders: &'a mut Orders) -> Self {
        Self { data, view, orders }
    }

    /// Has `command` carried out after the current event, in the order in which hooks give them; its answer is lost.
    ///
    /// # Errors
    /// Gives it back if hooks gave [`hook_commands_max`](crate::config::Limits::hook_commands_max) during this event already,
    /// those because of other orders among them: whoever orders because of what it causes comes to an end.
    pub fn order(&mut self, command: Command) -> Result<(), Command> {
        self.orders.push(command)
    }
}
