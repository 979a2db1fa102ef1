//! What must come of events, whatever happened.

use std::{
    fs,
    sync::{Mutex, OnceLock, PoisonError},
};

use serde_json::Value;

use super::{Arrival, Feed, KEY, Sent, Shop, seed};
use crate::server::{Server, eventually};

/// What everything sent with the write key is counted under.
const SOURCE: &str = "key:04c0218b";

/// A shop, and what its events come to where nothing disturbs anything.
pub struct Undisturbed {
    /// What happened there.
    pub shop: Shop,
    /// What `foretide digest` says.
    pub digest: Value,
}

/// The usual shop of the tests of this process, made once.
pub fn undisturbed() -> &'static Undisturbed {
    static MADE: OnceLock<Undisturbed> = OnceLock::new();
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    MADE.get_or_init(|| {
        let shop = Shop::new(seed());
        let digest = shop.digest_in_order();
        Undisturbed { shop, digest }
    })
}

impl Shop {
    /// The digest of a server to which all events are sent in order, once each.
    fn digest_in_order(&self) -> Value {
        let mut calm = Server::embedded();
        calm.use_key(KEY);
        calm.start();
        let in_order = Arrival {
            events: self.events.clone(),
            unique: self.events.len(),
        };
        let mut feed = Feed::new(calm.address(), &in_order);
        feed.send_rest();
        assert_fates(&calm, feed.sent, in_order.unique);
        calm.stop();
        let digest = calm.digest();
        assert_eq!(digest["events"], self.events.len());
        digest
    }
}

impl Server {
    /// Gives an embedded server that has not started yet the pseudonym key `key`.
    pub fn use_key(&self, key: &[u8]) {
        let data = self.directory().join("data");
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("pseudonym.key"), key).unwrap();
    }
}

/// What became of the events sent with the write key, once all of them have a fate.
pub fn source_counts(server: &Server) -> Value {
    let mut told = Value::Null;
    let complete = || {
        told = server
            .get(&format!("/v1/sources/{SOURCE}?wait_ms=15000"))
            .body;
        told["complete"] == true
    };
    assert!(
        eventually(complete),
        "not all has a fate: {told}\n{}",
        server.log_tail()
    );
    told
}

/// Every copy that was stored has one fate: each event is folded once, every further copy is a duplicate, nothing is late.
fn assert_fates(server: &Server, sent: Sent, unique: usize) {
    let told = source_counts(server);
    let count = |name: &str| told[name].as_u64().unwrap();
    let stored = count("folded") + count("duplicate") + count("late");
    let resent = stored.checked_sub(sent.accepted);
    assert!(
        resent.is_some_and(|resent| resent <= sent.uncertain),
        "accepted + resent = folded + duplicate + late: {sent:?} but {told}"
    );
    assert_eq!(
        (count("folded"), count("late")),
        (unique as u64, 0),
        "{told}"
    );
}

/// Checks the fates of everything sent, stops the server, and compares its profiles to the undisturbed ones.
pub fn assert_exact(server: &mut Server, sent: Sent, expected: &Undisturbed) {
    assert_fates(server, sent, expected.shop.events.len());
    server.stop();
    assert_eq!(server.digest(), expected.digest, "{}", server.log_tail());
}
