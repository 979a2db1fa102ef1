//! Consumer groups of a log that lives in this process: who owns which partition, and how partitions change hands.
//!
//! # How it stays exact
//!
//! Every partition of a group's topic has at most one owner. It goes from one to the next only through *free*:
//!
//! ```text
//!   free ──▶ given ──▶ held ──▶ asked ──▶ leaving ──▶ free
//!            (told: Assigned)   (told: Revoked)  (release)
//! ```
//!
//! A commit holds a [`Permit`] from the moment it was found to be the owner's until its outcome is settled, and a free
//! partition is not given away while a permit on it is out. So a new owner that reads the committed offsets after it was
//! told *Assigned* sees the last commit of the former owner, and no commit of the former owner can come true later.
//!
//! A member is known by its name. Whoever joins with the name of a present member is that member, started again: the
//! former self is out at once, its commits are refused and its partitions are free.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{LogError, TopicName};

/// What identifies one life of a member; rises with every join.
type MemberId = u64;

/// All groups of one log.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Mutex<BTreeMap<(String, TopicName), Arc<Group>>>,
}

#[derive(Debug)]
struct Group {
    name: String,
    state: Mutex<State>,
    /// Told of every change, so that members look again.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    next_id: MemberId,
    members: BTreeMap<String, MemberId>,
    slots: Vec<Slot>,
}

/// A partition of the group's topic.
#[derive(Clone, Debug)]
struct Slot {
    holding: Holding,
    /// Commits on their way that the partition waits for before it is given away.
    permits: u32,
}

/// Whose a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holding {
    /// Nobody's.
    Free,
    /// The member's, who has not been told yet.
    Given(MemberId),
    /// The member's.
    Held(MemberId),
    /// The member's, who is to be told to let go.
    Asked(MemberId),
    /// The member's, who was told to let go.
    Leaving(MemberId),
}

/// What a member is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These partitions are its own from now on.
    Assigned(Vec<u32>),
    /// It is to let go of these, and say so by [`Membership::release`].
    Revoked(Vec<u32>),
    /// These have gone.
    Lost(Vec<u32>),
}

impl Groups {
    /// No groups yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `member` into `group` on `topic`, which has `partitions` partitions. A present member of that name is out.
    pub fn join(&self, group: &str, topic: TopicName, partitions: u32, member: &str) -> Membership {
        let group = Arc::clone(
            self.groups
                .lock()
                .entry((group.to_owned(), topic))
                .or_insert_with(|| Arc::new(Group::new(group, partitions))),
        );
        let changed = group.changed.subscribe();
        let id = group.change(|state| state.join(member));
        Membership {
            group,
            id,
            member: member.to_owned(),
            held: BTreeSet::new(),
            changed,
        }
    }
}

impl Group {
    fn new(name: &str, partitions: u32) -> Self {
        let slot = Slot {
            holding: Holding::Free,
            permits: 0,
        };
        let slots = vec![slot; partitions as usize];
        Self {
            name: name.to_owned(),
            state: Mutex::new(State {
                next_id: 0,
                members: BTreeMap::new(),
                slots,
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Changes the state, spreads the partitions anew and tells the members.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state);
        state.spread();
        drop(state);
        self.changed.send_replace(());
        result
    }
}

impl State {
    fn join(&mut self, member: &str) -> MemberId {
        let id = self.next_id;
        self.next_id += 1;
        if let Some(former) = self.members.insert(member.to_owned(), id) {
            self.free_all_of(former);
        }
        id
    }

    fn leave(&mut self, member: &str, id: MemberId) {
        if self.members.get(member) == Some(&id) {
            self.members.remove(member);
            self.free_all_of(id);
        }
    }

    fn free_all_of(&mut self, id: MemberId) {
        for slot in &mut self.slots {
            if slot.holding.owner() == Some(id) {
                slot.holding = Holding::Free;
            }
        }
    }

    /// The partitions that the member has and is not about to lose.
    fn count(&self, id: MemberId) -> usize {
        let keeps =
            |slot: &&Slot| slot.holding == Holding::Given(id) || slot.holding == Holding::Held(id);
        self.slots.iter().filter(keeps).count()
    }

    /// Moves as few partitions as make the members' shares even.
    fn spread(&mut self) {
        let mut members: Vec<MemberId> = self.members.values().copied().collect();
        if members.is_empty() {
            return;
        }
        // Who has most now keeps one more, if the partitions do not come out even.
        members.sort_by_key(|id| std::cmp::Reverse(self.count(*id)));
        let (share, over) = (
            self.slots.len() / members.len(),
            self.slots.len() % members.len(),
        );
        let quota = |place: usize| share + usize::from(place < over);
        for (place, id) in members.iter().enumerate() {
            self.take_from(*id, quota(place));
        }
        for (place, id) in members.iter().enumerate() {
            self.give_to(*id, quota(place));
        }
    }

    /// Takes partitions from a member that has more than `quota`, those first that it does not know of yet.
    fn take_from(&mut self, id: MemberId, quota: usize) {
        let mut surplus = self.count(id).saturating_sub(quota);
        for (from, to) in [
            (Holding::Given(id), Holding::Free),
            (Holding::Held(id), Holding::Asked(id)),
        ] {
            for slot in self.slots.iter_mut().rev() {
                if surplus > 0 && slot.holding == from {
                    slot.holding = to;
                    surplus -= 1;
                }
            }
        }
    }

    /// Gives partitions to a member that has fewer than `quota`, those first that it was about to be asked for.
    fn give_to(&mut self, id: MemberId, quota: usize) {
        let mut missing = quota.saturating_sub(self.count(id));
        for (from, to) in [
            (Holding::Asked(id), Holding::Held(id)),
            (Holding::Free, Holding::Given(id)),
        ] {
            for slot in &mut self.slots {
                if missing > 0
                    && slot.holding == from
                    && (from != Holding::Free || slot.permits == 0)
                {
                    slot.holding = to;
                    missing -= 1;
                }
            }
        }
    }

    /// Moves every partition that is `from` on to `to` and returns them.
    fn advance(&mut self, from: Holding, to: Holding) -> Vec<u32> {
        let mut moved = Vec::new();
        for (partition, slot) in (0..).zip(&mut self.slots) {
            if slot.holding == from {
                slot.holding = to;
                moved.push(partition);
            }
        }
        moved
    }
}

impl Holding {
    fn owner(self) -> Option<MemberId> {
        match self {
            Self::Free => None,
            Self::Given(id) | Self::Held(id) | Self::Asked(id) | Self::Leaving(id) => Some(id),
        }
    }

    /// Whether the member was told that the partition is its own and has not let go of it.
    fn is_known_to(self, id: MemberId) -> bool {
        matches!(self, Self::Held(own) | Self::Asked(own) | Self::Leaving(own) if own == id)
    }
}

/// One life of a member of a group. Dropping it is leaving.
#[derive(Debug)]
pub struct Membership {
    group: Arc<Group>,
    id: MemberId,
    member: String,
    /// What it was told to own and did not release.
    held: BTreeSet<u32>,
    changed: watch::Receiver<()>,
}

impl Membership {
    /// What the member is to be told next, if anything. [`LogError::Fenced`] once it is out and knows of it.
    pub fn next_change(&mut self) -> Result<Option<Change>, LogError> {
        self.changed.borrow_and_update();
        let id = self.id;
        let mut state = self.group.state.lock();
        if state.members.get(&self.member) != Some(&id) {
            if self.held.is_empty() {
                return Err(self.fenced());
            }
            return Ok(Some(Change::Lost(
                std::mem::take(&mut self.held).into_iter().collect(),
            )));
        }
        let asked = state.advance(Holding::Asked(id), Holding::Leaving(id));
        if !asked.is_empty() {
            return Ok(Some(Change::Revoked(asked)));
        }
        let given = state.advance(Holding::Given(id), Holding::Held(id));
        self.held.extend(&given);
        Ok((!given.is_empty()).then_some(Change::Assigned(given)))
    }

    /// Waits until there may be something to tell that [`Self::next_change`] has not seen.
    pub async fn changed(&mut self) {
        // The group, which `self` holds, holds the sender: this cannot fail.
        self.changed.changed().await.ok();
    }

    /// Lets go of revoked partitions.
    pub fn release(&mut self, partitions: &[u32]) {
        let id = self.id;
        self.held
            .retain(|partition| !partitions.contains(partition));
        self.group.change(|state| {
            for partition in partitions {
                if let Some(slot) = state.slots.get_mut(*partition as usize)
                    && slot.holding == Holding::Leaving(id)
                {
                    slot.holding = Holding::Free;
                }
            }
        });
    }

    /// The permit to commit offsets of `partitions`; [`LogError::Fenced`] unless all of them are the member's.
    pub fn permit(&self, partitions: impl IntoIterator<Item = u32>) -> Result<Permit, LogError> {
        let mut state = self.group.state.lock();
        if state.members.get(&self.member) != Some(&self.id) {
            return Err(self.fenced());
        }
        for partition in partitions {
            let slot = state.slots.get(partition as usize);
            if !slot.is_some_and(|slot| slot.holding.is_known_to(self.id)) {
                let why = format!("partition {partition} is not {}'s", self.member);
                return Err(LogError::Fenced(why));
            }
        }
        // Outputs may belong to any of its partitions: all of them wait for the commit.
        let mut held = Vec::new();
        for (partition, slot) in state.slots.iter_mut().enumerate() {
            if slot.holding.is_known_to(self.id) {
                slot.permits += 1;
                held.push(partition);
            }
        }
        drop(state);
        Ok(Permit {
            group: Arc::clone(&self.group),
            held,
        })
    }

    fn fenced(&self) -> LogError {
        let (member, group) = (&self.member, &self.group.name);
        LogError::Fenced(format!("another {member} joined the group {group}"))
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let (member, id) = (&self.member, self.id);
        self.group.change(|state| state.leave(member, id));
    }
}

/// The right to commit, kept until the outcome of the commit is settled: until it is dropped, none of the member's
/// partitions is given to another.
#[derive(Debug)]
pub struct Permit {
    group: Arc<Group>,
    held: Vec<usize>,
}

impl Permit {
    /// The group's name.
    pub fn group(&self) -> &str {
        &self.group.name
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let held = &self.held;
        self.group.change(|state| {
            for partition in held {
                state.slots[*partition].permits -= 1;
            }
        });
    }
}

#[cfg(test)]
mod tests;
