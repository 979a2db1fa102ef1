use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const TOPIC: TopicName = "t";

fn assigned(change: Option<Change>) -> Vec<u32> {
    match change {
        Some(Change::Assigned(partitions)) => partitions,
        other => panic!("{other:?}"),
    }
}

fn revoked(change: Option<Change>) -> Vec<u32> {
    match change {
        Some(Change::Revoked(partitions)) => partitions,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lone_member_gets_everything_at_once() {
    let groups = Groups::new();
    let mut member = groups.join("g", TOPIC, 3, "a");
    assert_eq!(assigned(member.next_change().unwrap()), [0, 1, 2]);
    assert_eq!(member.next_change().unwrap(), None);
}

#[test]
fn a_newcomer_gets_its_share_only_after_the_release() {
    let groups = Groups::new();
    let mut first = groups.join("g", TOPIC, 3, "a");
    assigned(first.next_change().unwrap());
    let mut second = groups.join("g", TOPIC, 3, "b");
    assert_eq!(second.next_change().unwrap(), None);
    let leaving = revoked(first.next_change().unwrap());
    assert_eq!(leaving.len(), 1);
    assert_eq!(second.next_change().unwrap(), None);
    first.release(&leaving);
    assert_eq!(assigned(second.next_change().unwrap()), leaving);
}

#[test]
fn a_partition_waits_for_the_commit_that_is_on_its_way() {
    let groups = Groups::new();
    let mut first = groups.join("g", TOPIC, 1, "a");
    assigned(first.next_change().unwrap());
    let permit = first.permit([0]).unwrap();
    let mut next = groups.join("g", TOPIC, 1, "a");
    assert_eq!(next.next_change().unwrap(), None);
    drop(permit);
    assert_eq!(assigned(next.next_change().unwrap()), [0]);
}

#[test]
fn a_former_self_is_refused_and_learns_what_it_lost() {
    let groups = Groups::new();
    let mut former = groups.join("g", TOPIC, 2, "a");
    assigned(former.next_change().unwrap());
    let mut next = groups.join("g", TOPIC, 2, "a");
    assert_eq!(assigned(next.next_change().unwrap()), [0, 1]);
    assert!(matches!(former.permit([0]), Err(LogError::Fenced(_))));
    assert_eq!(
        former.next_change().unwrap(),
        Some(Change::Lost(vec![0, 1]))
    );
    assert!(matches!(former.next_change(), Err(LogError::Fenced(_))));
    drop(former);
    assert!(
        next.permit([0, 1]).is_ok(),
        "the former self's end does not disturb the next"
    );
}

#[test]
fn a_revocation_that_is_not_needed_any_more_is_not_told() {
    let groups = Groups::new();
    let mut first = groups.join("g", TOPIC, 2, "a");
    assigned(first.next_change().unwrap());
    drop(groups.join("g", TOPIC, 2, "b"));
    assert_eq!(first.next_change().unwrap(), None);
}

/// What may happen to a group, in any order.
#[derive(Clone, Debug)]
enum Step {
    Join(u8),
    Leave(u8),
    Poll(u8),
    Release(u8),
    Commit(u8),
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let member = 0..5_u8;
    let step = prop_oneof![
        member.clone().prop_map(Step::Join),
        member.clone().prop_map(Step::Leave),
        member.clone().prop_map(Step::Poll),
        member.clone().prop_map(Step::Poll),
        member.clone().prop_map(Step::Release),
        member.prop_map(Step::Commit),
        Just(Step::Settle),
    ];
    proptest::collection::vec(step, 0..60)
}

/// One life of a member as the test knows it.
struct Player {
    life: usize,
    membership: Membership,
    owns: BTreeSet<u32>,
    leaving: BTreeSet<u32>,
}

/// A commit on its way: whose, of what.
struct Commit {
    life: usize,
    partitions: BTreeSet<u32>,
    _permit: Permit,
}

impl Player {
    fn poll(&mut self, commits: &[Commit]) -> bool {
        match self.membership.next_change().unwrap() {
            Some(Change::Assigned(partitions)) => {
                for commit in commits.iter().filter(|commit| commit.life != self.life) {
                    let pending = partitions.iter().any(|p| commit.partitions.contains(p));
                    assert!(
                        !pending,
                        "handed over while a commit of the former owner is on its way"
                    );
                }
                self.owns.extend(partitions);
            }
            Some(Change::Revoked(partitions)) => self.leaving.extend(partitions),
            Some(Change::Lost(_)) => panic!("only a former self loses partitions"),
            None => return false,
        }
        true
    }

    fn release(&mut self) -> bool {
        let leaving: Vec<u32> = std::mem::take(&mut self.leaving).into_iter().collect();
        self.owns.retain(|partition| !leaving.contains(partition));
        self.membership.release(&leaving);
        !leaving.is_empty()
    }

    fn commit(&self) -> Commit {
        let permit = self.membership.permit(self.owns.iter().copied()).unwrap();
        Commit {
            life: self.life,
            partitions: self.owns.clone(),
            _permit: permit,
        }
    }
}

proptest! {
    #[test]
    fn owners_never_overlap_and_shares_even_out(partitions in 1..9_u32, steps in steps()) {
        let groups = Groups::new();
        let mut players: BTreeMap<u8, Player> = BTreeMap::new();
        let mut commits: Vec<Commit> = Vec::new();
        for (life, step) in steps.into_iter().enumerate() {
            match step {
                Step::Join(name) => {
                    let membership = groups.join("g", TOPIC, partitions, &name.to_string());
                    let (owns, leaving) = (BTreeSet::new(), BTreeSet::new());
                    players.insert(name, Player { life, membership, owns, leaving });
                }
                Step::Leave(name) => drop(players.remove(&name)),
                Step::Poll(name) => {
                    players.get_mut(&name).map(|player| player.poll(&commits));
                }
                Step::Release(name) => {
                    players.get_mut(&name).map(Player::release);
                }
                Step::Commit(name) => commits.extend(players.get(&name).map(Player::commit)),
                Step::Settle => commits.clear(),
            }
            let mut all = BTreeSet::new();
            for partition in players.values().flat_map(|player| &player.owns) {
                prop_assert!(all.insert(*partition), "partition {} has two owners", partition);
            }
        }
        commits.clear();
        while players.values_mut().any(|player| player.poll(&[]) || player.release()) {}
        let sizes: Vec<usize> = players.values().map(|player| player.owns.len()).collect();
        if let (Some(least), Some(most)) = (sizes.iter().min(), sizes.iter().max()) {
            prop_assert_eq!(sizes.iter().sum::<usize>(), partitions as usize);
            prop_assert!(most - least <= 1, "{:?}", sizes);
        }
    }
}
