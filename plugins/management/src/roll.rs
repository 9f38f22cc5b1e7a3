//! The roll: all sessions in the order in which they were made, so that a page of them is found by its number without a
//! look at the others. Kept by a hook; what it does in the broker's turn is small.
//!
//! Members stand in blocks, oldest first. To find the n-th one counts through the blocks, then through one block.

use sanderling_core::hooks::{Context, HookSet, Hooks, Notice};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The roll, shared between the hook and those who read it.
#[derive(Clone, Default)]
pub(crate) struct Roll(Arc<Mutex<Members>>);

impl fmt::Debug for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roll").finish_non_exhaustive()
    }
}

/// One session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Member {
    pub(crate) client_id: Arc<str>,
    pub(crate) came_by: CameBy,
}

/// Where its last connection came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CameBy {
    pub(crate) listener: u16,
    pub(crate) remote: Option<SocketAddr>,
}

/// A block has no more members than this.
const BLOCK_MAX: usize = 512;
/// One with fewer is put together with one beside it, if both fit.
const BLOCK_MIN: usize = 128;

#[derive(Default)]
struct Members {
    /// By the number of their first member.
    blocks: BTreeMap<u64, Vec<(u64, Member)>>,
    /// The number of each; the first one ever was 0.
    numbers: HashMap<Arc<str>, u64>,
    next: u64,
}

impl Roll {
    /// Up to `count` members after the first `skip`, oldest first, and how many there are in all.
    pub(crate) fn page(&self, skip: usize, count: usize) -> (Vec<Member>, usize) {
        let members = self.lock();
        (members.page(skip, count), members.numbers.len())
    }

    /// The member with this client identifier.
    pub(crate) fn find(&self, client_id: &str) -> Option<Member> {
        self.lock().find(client_id)
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        // A panic in here would be a bug of ours; the roll then misses one session at most.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn add(&mut self, client_id: &str, came_by: CameBy) {
        self.remove(client_id);
        let client_id: Arc<str> = client_id.into();
        let number = self.next;
        self.next += 1;
        self.numbers.insert(Arc::clone(&client_id), number);
        let member = (number, Member { client_id, came_by });
        match self.blocks.last_entry() {
            Some(mut block) if block.get().len() < BLOCK_MAX => block.get_mut().push(member),
            _ => {
                self.blocks.insert(number, vec![member]);
            }
        }
    }

    fn remove(&mut self, client_id: &str) {
        let Some(number) = self.numbers.remove(client_id) else {
            return;
        };
        let Some((&first, block)) = self.blocks.range_mut(..=number).next_back() else {
            return;
        };
        block.retain(|(other, _)| *other != number);
        match block.len() {
            0 => {
                self.blocks.remove(&first);
            }
            len if len < BLOCK_MIN => {
                self.merge(first);
                let before = self.blocks.range(..first).next_back();
                if let Some((&before, _)) = before {
                    self.merge(before);
                }
            }
            _ => {}
        }
    }

    /// Puts the block that begins with `first` together with the next one, so that blocks stay fewer than members.
    fn merge(&mut self, first: u64) {
        let len = self.blocks.get(&first).map_or(0, Vec::len);
        let next = self.blocks.range(first + 1..).next();
        let Some(second) = next
            .filter(|(_, next)| len + next.len() <= BLOCK_MAX)
            .map(|(&second, _)| second)
        else {
            return;
        };
        let more = self.blocks.remove(&second).unwrap_or_default();
        if let Some(block) = self.blocks.get_mut(&first) {
            block.extend(more);
        }
    }

    fn came_again(&mut self, client_id: &str, came_by: CameBy) {
        let Some(&number) = self.numbers.get(client_id) else {
            // It was made before there was a roll.
            return self.add(client_id, came_by);
        };
        if let Some((_, member)) = self.slot(number) {
            member.came_by = came_by;
        }
    }

    fn slot(&mut self, number: u64) -> Option<&mut (u64, Member)> {
        let (_, block) = self.blocks.range_mut(..=number).next_back()?;
        let at = block.binary_search_by_key(&number, |(other, _)| *other);
        block.get_mut(at.ok()?)
    }

    fn find(&self, client_id: &str) -> Option<Member> {
        let number = self.numbers.get(client_id)?;
        let (_, block) = self.blocks.range(..=number).next_back()?;
        let at = block.binary_search_by_key(number, |(other, _)| *other);
        Some(block[at.ok()?].1.clone())
    }

    fn page(&self, mut skip: usize, count: usize) -> Vec<Member> {
        let mut page = Vec::new();
        for block in self.blocks.values() {
            if skip >= block.len() {
                skip -= block.len();
                continue;
            }
            let room = count - page.len();
            let some = block.iter().skip(skip).take(room);
            page.extend(some.map(|(_, member)| member.clone()));
            skip = 0;
            if page.len() == count {
                break;
            }
        }
        page
    }
}

/// Keeps the roll.
pub(crate) struct Keeper(pub(crate) Roll);

impl Hooks for Keeper {
    fn wants(&self) -> HookSet {
        HookSet::NOTICE
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        let came_by = |link: &sanderling_core::broker::Link| CameBy {
            listener: link.listener,
            remote: link.remote,
        };
        match notice {
            Notice::SessionCreated { client } => {
                let mut members = self.0.lock();
                members.add(client.client_id, came_by(client.link));
            }
            Notice::SessionResumed { client } => {
                let mut members = self.0.lock();
                members.came_again(client.client_id, came_by(client.link));
            }
            Notice::SessionEnded { session, .. } => self.0.lock().remove(session.client_id()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: CameBy = CameBy {
        listener: 0,
        remote: None,
    };

    fn names(members: &Members, skip: usize, count: usize) -> Vec<String> {
        let page = members.page(skip, count).into_iter();
        page.map(|one| one.client_id.to_string()).collect()
    }

    #[test]
    fn m03_pages_are_in_the_order_of_creation() {
        let mut members = Members::default();
        for number in 0..5000 {
            members.add(&number.to_string(), HERE);
        }
        assert_eq!(names(&members, 4998, 20), ["4998", "4999"]);
        assert_eq!(names(&members, 1022, 3), ["1022", "1023", "1024"]);
        assert!(names(&members, 5000, 20).is_empty());
        assert!(names(&members, 0, 0).is_empty());
        members.remove("0");
        members.add("1", HERE);
        assert_eq!(names(&members, 0, 2), ["2", "3"]);
        assert_eq!(
            names(&members, 4997, 9),
            ["4999", "1"],
            "a new session is the last"
        );
    }

    #[test]
    fn a54_churn_leaves_no_blocks_behind() {
        let mut members = Members::default();
        for number in 0..100_000 {
            members.add(&number.to_string(), HERE);
        }
        for number in (0..100_000).filter(|number| number % 100 != 0) {
            members.remove(&number.to_string());
        }
        assert_eq!(members.numbers.len(), 1000);
        assert!(
            members.blocks.len() <= 1000 / BLOCK_MIN + 2,
            "{}",
            members.blocks.len()
        );
        let expected: Vec<_> = (0..100_000).step_by(100).map(|n| n.to_string()).collect();
        assert_eq!(names(&members, 0, 5000), expected);
        for number in (0..100_000).step_by(100) {
            members.remove(&number.to_string());
        }
        assert!(members.blocks.is_empty() && members.numbers.is_empty());
    }

    #[test]
    fn the_last_connection_of_a_session_is_known() {
        let mut members = Members::default();
        let there = CameBy {
            listener: 3,
            remote: Some(([127, 0, 0, 1], 9).into()),
        };
        members.add("a", HERE);
        members.add("b", HERE);
        members.came_again("a", there);
        members.came_again("c", there);
        assert_eq!(names(&members, 0, 9), ["a", "b", "c"]);
        let by = |client_id| members.find(client_id).map(|one| one.came_by);
        assert_eq!(
            [by("a"), by("b"), by("c"), by("d")],
            [Some(there), Some(HERE), Some(there), None]
        );
    }
}
