//! The texts that many observations have in common.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use foretide_events::Category;
use xxhash_rust::xxh3::xxh3_64;

use super::Topic;
use crate::State;

/// Where observations take categories from, so that not each keeps a copy of its own.
pub(crate) trait Source {
    /// The topic of `category`.
    fn topic(&mut self, category: &str) -> Option<Topic>;
}

/// Makes each text anew, but for those that a state keeps already.
pub(super) struct Kept<'a>(pub(super) &'a State);

impl Source for Kept<'_> {
    fn topic(&mut self, category: &str) -> Option<Topic> {
        let hash = xxh3_64(category.as_bytes());
        self.0
            .kept_topic(hash)
            .cloned()
            .or_else(|| topic(hash, category))
    }
}

/// Texts seen before, kept for the observations to come: a shop has few categories, and every profile mentions some.
#[derive(Debug, Default)]
pub struct Texts {
    topics: HashMap<u64, Topic, BuildHasherDefault<AsItIs>>,
}

/// What is a hash already needs no other.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Texts {
    /// So many are kept. Beyond, all are dropped and it begins anew: what is mentioned often is soon there again.
    const LIMIT: usize = 8192;
}

impl Source for Texts {
    fn topic(&mut self, category: &str) -> Option<Topic> {
        let hash = xxh3_64(category.as_bytes());
        match self.topics.get(&hash) {
            Some(known) if known.category.as_str() == category => Some(known.clone()),
            _ => {
                let topic = topic(hash, category)?;
                if self.topics.len() >= Self::LIMIT {
                    self.topics.clear();
                }
                self.topics.insert(hash, topic.clone());
                Some(topic)
            }
        }
    }
}

/// A topic of which nothing is known yet. `None` cannot come of an event, whose categories are checked.
fn topic(hash: u64, category: &str) -> Option<Topic> {
    let category = Category::new(category).ok()?;
    Some(Topic { hash, category })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_no_more_than_so_many_are() {
        let mut texts = Texts::default();
        let (one, again) = (texts.topic("shoes").unwrap(), texts.topic("shoes").unwrap());
        assert_eq!(
            one.category.as_str().as_ptr(),
            again.category.as_str().as_ptr()
        );
        for number in 0..2 * Texts::LIMIT {
            let name = format!("shoes/{number}");
            assert_eq!(texts.topic(&name).unwrap().category.as_str(), name);
            assert!(texts.topics.len() <= Texts::LIMIT);
        }
    }
}
