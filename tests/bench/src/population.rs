//! Shoppers with profiles: what the simulator's shop has on its log after some days.

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt as _};
use foretide_events::{Currency, EpochMs, EventId, Intake, ShopperId, SourceId, native};
use foretide_features::{FoldRules, Profile};
use foretide_ports::{Log, NewRecord, PROFILES, TopicPartition, partition_for, shopper_key};
use foretide_privacy::Pseudonymiser;
use foretide_simulator::{Identity, Names, Settings, Simulator, Temperament};

/// Actions simulated and folded at once.
const BATCH: usize = 500;
/// Profiles appended at once.
const PORTION: usize = 5_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A shopper, or one of a shopper's devices that nobody has signed in on.
pub struct Resident {
    /// Who was seen first under this pseudonym.
    pub identity: Identity,
    /// What the shopper is like.
    pub temperament: Temperament,
    /// What the actions folded to.
    pub profile: Profile,
}

/// The profiles of a simulated shop.
pub struct Population {
    /// In the order of the pseudonyms.
    pub residents: Vec<Resident>,
    /// Actions that were folded.
    pub actions: u64,
    /// What its shoppers are called.
    pub names: Names,
}

impl Population {
    /// What `shoppers` shoppers did in the `days` days before `until`, under pseudonyms by `pseudonymiser`.
    pub fn simulate(
        pseudonymiser: &Pseudonymiser,
        shoppers: u32,
        days: i64,
        until: EpochMs,
    ) -> anyhow::Result<Self> {
        let opening = until.plus(-days * DAY_MS);
        let mut simulator = Simulator::new(Settings::new(7, shoppers, opening));
        let (rules, source) = (FoldRules::default(), SourceId::new("key:bench")?);
        let mut residents: HashMap<ShopperId, Resident> = HashMap::with_capacity(shoppers as usize);
        let mut actions = 0;
        let mut body = Vec::new();
        loop {
            let batch = simulator.next_batch(until, BATCH).actions;
            if batch.is_empty() {
                break;
            }
            body.clear();
            body.extend_from_slice(br#"{"actions":["#);
            for action in &batch {
                simulator.write_native(action, &mut body);
            }
            body.extend_from_slice(b"]}");
            let mut make_id = || EventId::new("made").unwrap_or_else(|_| unreachable!("short"));
            let mut intake = Intake {
                pseudonymiser,
                received_at: until,
                source: &source,
                default_currency: Currency::EUR,
                make_id: &mut make_id,
                timings: None,
            };
            let receipts = native::parse_json(&body, &mut intake)?;
            for (event, action) in receipts.into_iter().zip(&batch) {
                let event = event.map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
                let resident = residents.entry(event.shopper).or_insert_with(|| Resident {
                    identity: action.identity,
                    temperament: simulator.truth(action.identity.shopper, until).temperament,
                    profile: Profile::new(event.shopper),
                });
                let _ = resident.profile.apply(&event, actions, &rules);
                actions += 1;
            }
        }
        let mut residents: Vec<Resident> = residents.into_values().collect();
        residents.sort_by_key(|resident| resident.profile.shopper());
        Ok(Self {
            residents,
            actions,
            names: simulator.names().clone(),
        })
    }

    /// Appends the profiles to `log`, as a processor publishes them.
    pub async fn publish(&self, log: &dyn Log, partitions: u32) -> anyhow::Result<()> {
        let rules = FoldRules::default();
        for portion in self.residents.chunks(PORTION) {
            let records = portion.iter().map(|resident| {
                let mut value = Vec::with_capacity(512);
                resident.profile.encode(&rules, &mut value);
                let key = shopper_key(&resident.profile.shopper());
                NewRecord {
                    at: TopicPartition {
                        topic: PROFILES,
                        partition: partition_for(&key, partitions),
                    },
                    key: Bytes::copy_from_slice(&key),
                    value: Some(value.into()),
                }
            });
            log.append(records.collect()).await?;
        }
        Ok(())
    }

    /// How a question names a resident: the inside of a JSON object.
    pub fn named(&self, resident: &Resident) -> String {
        match resident.identity {
            Identity {
                device: Some(device),
                user: false,
                shopper,
            } => format!(r#""anonymous_id":"{}""#, self.names.device(shopper, device)),
            Identity { shopper, .. } => format!(r#""user_id":"{}""#, self.names.user(shopper)),
        }
    }
}
