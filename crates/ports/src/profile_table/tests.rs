use std::{
    collections::HashMap,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use foretide_events::EventId;
use foretide_features::{IdHash, Link};
use proptest::prelude::*;

use super::*;
use crate::MemoryCold;

fn shopper(n: u8) -> ShopperId {
    ShopperId([n; 16])
}

#[test]
fn a_profile_is_made_by_its_first_update_and_found_again() {
    let table = ProfileTable::new(4);
    assert_eq!(table.read(&shopper(1), Profile::shopper), None);
    assert_eq!(
        table.update(&shopper(1), |profile| profile.shopper()),
        shopper(1)
    );
    assert_eq!(table.read(&shopper(1), Profile::shopper), Some(shopper(1)));
    assert_eq!(table.len(), 1);
    assert!(table.remove(&shopper(1)).is_some());
    assert!(table.is_empty());
}

#[test]
fn each_profile_is_visited_once_in_the_partition_of_its_shopper() {
    let table = ProfileTable::new(3);
    (0..=255).for_each(|n| table.insert(Profile::new(shopper(n))));
    let mut seen = Vec::new();
    for partition in 0..3 {
        table.for_each(partition, |profile| {
            assert_eq!(table.partition_of(&profile.shopper()), partition);
            seen.push(profile.shopper());
        });
    }
    seen.sort();
    assert_eq!(seen, (0..=255).map(shopper).collect::<Vec<_>>());
}

#[test]
fn the_shoppers_of_a_partition_are_listed_and_no_lock_is_kept() {
    let table = ProfileTable::new(2);
    (0..=255).for_each(|n| table.insert(Profile::new(shopper(n))));
    let mut seen = Vec::new();
    for partition in 0..3 {
        for piece in table.shoppers(partition) {
            for shopper in &piece {
                assert_eq!(table.partition_of(shopper), partition);
                assert!(table.remove(shopper).is_some());
            }
            seen.extend(piece);
        }
    }
    seen.sort();
    assert_eq!(seen, (0..=255).map(shopper).collect::<Vec<_>>());
}

#[test]
fn freshness_never_goes_back() {
    let table = ProfileTable::new(1);
    for (said, known) in [(-5, -5), (7, 7), (3, 7), (8, 8)] {
        table.set_fresh(0, EpochMs(said));
        assert_eq!(table.fresh_as_of(0), Some(EpochMs(known)));
    }
}

#[test]
fn clearing_a_partition_leaves_the_others_and_ends_its_freshness() {
    let table = ProfileTable::new(2);
    (0..=255).for_each(|n| table.insert(Profile::new(shopper(n))));
    for partition in 0..2 {
        assert_eq!(table.fresh_as_of(partition), None);
        table.set_fresh(partition, EpochMs(7));
    }
    table.clear_partition(0);
    table.for_each(0, |profile| panic!("{:?} was kept", profile.shopper()));
    assert_eq!(
        (table.fresh_as_of(0), table.fresh_as_of(1)),
        (None, Some(EpochMs(7)))
    );
    assert!(!table.is_empty() && table.len() < 256);
}

/// Has the profile of `shopper` applied everything before `next_offset`.
fn bring(table: &ProfileTable, shopper: &ShopperId, next_offset: u64) {
    let link = Link {
        at: EpochMs(5),
        id: IdHash::of(EventId::new("e").unwrap().as_str()),
        known: ShopperId([0xfe; 16]),
    };
    table.update(shopper, |profile| profile.apply_link(link, next_offset - 1));
}

fn spilling(in_memory: usize, cold: Arc<dyn ColdProfiles>) -> Arc<ProfileTable> {
    ProfileTable::spilling(1, in_memory, cold, FoldRules::default())
}

proptest! {
    #[test]
    fn which_profiles_are_in_memory_changes_nothing(
        deeds in prop::collection::vec((0..7_u8, 0..4_u8), 1..200),
    ) {
        let cold = Arc::new(MemoryCold::default());
        let table = spilling(1, cold.clone());
        let mut known: HashMap<ShopperId, u64> = HashMap::new();
        for (next_offset, (deed, n)) in (1..).zip(deeds) {
            // All under one lock.
            let shopper = shopper(n * 16);
            match deed {
                0..4 => {
                    bring(&table, &shopper, next_offset);
                    known.insert(shopper, next_offset);
                }
                4 => {
                    let removed = table.remove(&shopper).map(|profile| profile.next_offset());
                    prop_assert_eq!(removed, known.remove(&shopper));
                    prop_assert!(cold.get(0, &shopper).unwrap().is_none(), "what is erased is on no disk");
                }
                5 => {
                    table.insert(Profile::new(shopper));
                    known.insert(shopper, 0);
                }
                _ => {
                    let read = table.read(&shopper, Profile::next_offset);
                    prop_assert_eq!(read, known.get(&shopper).copied());
                }
            }
            prop_assert_eq!(table.len(), known.len());
            prop_assert!(table.len() - table.cold() <= 1);
        }
        let mut seen = HashMap::new();
        table.for_each(0, |profile| {
            seen.insert(profile.shopper(), profile.next_offset());
        });
        prop_assert_eq!(&seen, &known);
        let (mut walk, mut walked) = (ProfileWalk::over(0), HashMap::new());
        while !table.look_on(&mut walk, 1, |profile| {
            walked.insert(profile.shopper(), profile.next_offset());
        }) {}
        prop_assert_eq!(&walked, &known);
        table.clear_partition(0);
        prop_assert!(table.is_empty() && cold.is_empty());
        prop_assert_eq!(table.trouble(), None);
    }
}

#[test]
fn a_walk_reads_no_more_from_disk_at_once_than_it_is_told() {
    let table = spilling(1, Arc::new(MemoryCold::default()));
    (0..=255).for_each(|n| bring(&table, &shopper(n), 1));
    let (cold, mut walk, mut steps) = (table.cold(), ProfileWalk::over(0), 1);
    let mut seen = 0;
    while !table.look_on(&mut walk, 10, |_| seen += 1) {
        steps += 1;
    }
    assert_eq!(seen, 256);
    assert!(cold > 200 && steps >= cold / 10, "{steps} steps for {cold}");
    let in_memory = ProfileTable::new(1);
    (0..=255).for_each(|n| in_memory.insert(Profile::new(shopper(n))));
    let (mut walk, mut seen) = (ProfileWalk::over(0), 0);
    assert!(in_memory.look_on(&mut walk, 1, |_| seen += 1), "one step");
    assert_eq!(seen, 256);
}

/// While one reads and changes profiles, others see each as it was at some time, later ones later.
#[test]
fn profiles_that_come_and_go_are_never_seen_as_they_were_before() {
    let table = spilling(32, Arc::new(MemoryCold::default()));
    let writing = Arc::new(AtomicBool::new(true));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (table, writing) = (table.clone(), writing.clone());
            thread::spawn(move || {
                let mut seen = [0; 64];
                while writing.load(Ordering::Relaxed) {
                    for (n, seen) in (0..).zip(&mut seen) {
                        let read = table.read(&shopper(n), Profile::next_offset).unwrap_or(0);
                        assert!(read >= *seen, "{read} after {seen}");
                        *seen = read;
                    }
                }
            })
        })
        .collect();
    for round in 1..=100 {
        for n in 0..64 {
            bring(&table, &shopper(n), round);
        }
    }
    writing.store(false, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    for n in 0..64 {
        let read = table.read(&shopper(n), Profile::next_offset);
        assert_eq!(read, Some(100));
    }
    assert!(table.cold() > 0);
}

/// A disk that waits to be let go on, each time.
struct SlowCold {
    inner: MemoryCold,
    came: Sender<&'static str>,
    go_on: Mutex<Receiver<()>>,
}

impl SlowCold {
    fn wait(&self, what: &'static str) {
        self.came.send(what).unwrap();
        self.go_on.lock().recv().unwrap();
    }
}

impl ColdProfiles for SlowCold {
    fn put(&self, partition: u32, shopper: &ShopperId, profile: &[u8]) -> Result<(), ColdError> {
        self.wait("put");
        self.inner.put(partition, shopper, profile)
    }

    fn get(&self, partition: u32, shopper: &ShopperId) -> Result<Option<Vec<u8>>, ColdError> {
        self.wait("get");
        self.inner.get(partition, shopper)
    }

    fn remove(&self, partition: u32, shopper: &ShopperId) -> Result<(), ColdError> {
        self.inner.remove(partition, shopper)
    }

    fn clear(&self, partition: u32) -> Result<(), ColdError> {
        self.inner.clear(partition)
    }
}

#[test]
fn nobody_waits_for_the_disk_who_does_not_ask_for_what_lies_there() {
    let ((came, coming), (let_go, go_on)) = (channel(), channel());
    let cold = SlowCold {
        inner: MemoryCold::default(),
        came,
        go_on: Mutex::new(go_on),
    };
    let table = spilling(1, Arc::new(cold));
    // All of one lock.
    let [one, another] = [16, 32].map(shopper);
    bring(&table, &one, 1);
    let apart = |work: fn(&ProfileTable) -> Option<u64>| {
        let table = table.clone();
        thread::spawn(move || work(&table))
    };
    // One has to leave.
    let writer = apart(|table| {
        bring(table, &shopper(32), 2);
        None
    });
    assert_eq!(coming.recv(), Ok("put"));
    assert_eq!(table.read(&another, Profile::next_offset), Some(2));
    let_go.send(()).unwrap();
    writer.join().unwrap();
    assert_eq!(table.cold(), 1);

    let reader = apart(|table| table.read(&shopper(16), Profile::next_offset));
    assert_eq!(coming.recv(), Ok("get"));
    bring(&table, &another, 3);
    assert_eq!(table.read(&another, Profile::next_offset), Some(3));
    let_go.send(()).unwrap();
    assert_eq!(reader.join().unwrap(), Some(1));
}

#[test]
fn a_profile_that_changes_while_it_is_put_on_disk_stays_in_memory() {
    let ((came, coming), (let_go, go_on)) = (channel(), channel());
    let cold = SlowCold {
        inner: MemoryCold::default(),
        came,
        go_on: Mutex::new(go_on),
    };
    let table = spilling(1, Arc::new(cold));
    bring(&table, &shopper(16), 1);
    let writer = {
        let table = table.clone();
        thread::spawn(move || bring(&table, &shopper(32), 2))
    };
    assert_eq!(coming.recv(), Ok("put"));
    bring(&table, &shopper(16), 3);
    let_go.send(()).unwrap();
    // The other one leaves in its place.
    assert_eq!(coming.recv(), Ok("put"));
    let_go.send(()).unwrap();
    writer.join().unwrap();
    assert_eq!(table.cold(), 1);
    assert_eq!(table.read(&shopper(16), Profile::next_offset), Some(3));
}
