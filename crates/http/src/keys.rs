//! Who calls: one with a write key, one with an admin key, or nobody we know.

use std::{borrow::Cow, fmt, sync::Arc};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use foretide_runtime::Secret;
use parking_lot::RwLock;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::{Problem, ProblemCode};

/// Base64 with or without padding: clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sending actions, and nothing else.
    Write,
    /// Reading, deciding, erasing.
    Admin,
}

/// Names a key without giving it away: the first 8 hexadecimal digits of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyFingerprint([u8; 4]);

impl KeyFingerprint {
    /// The fingerprint of the key with this SHA-256 digest.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        let [first, second, third, fourth, ..] = *digest;
        Self([first, second, third, fourth])
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFingerprint({self})")
    }
}

/// A key as it is held: what it is for, and its SHA-256 digest.
type HeldKey = (Role, [u8; 32]);

/// The keys of the process: the two it was started with, and those that were handed out since. Clones share one set, so that
/// a key handed out or withdrawn counts everywhere from then on.
///
/// Holds only SHA-256 digests, and compares a presented key with every one of them in one time whatever is presented.
#[derive(Clone)]
pub struct Keys {
    write: [u8; 32],
    admin: [u8; 32],
    stored: Arc<RwLock<Arc<[HeldKey]>>>,
}

impl Keys {
    /// Knows these keys from now on.
    pub fn new(write: &Secret, admin: &Secret) -> Self {
        Self {
            write: key_digest(write.expose()),
            admin: key_digest(admin.expose()),
            stored: Arc::new(RwLock::new(Arc::new([]))),
        }
    }

    /// Knows `keys`, by their SHA-256 digests, from now on beside the two it was made with, and no others.
    pub fn replace_stored(&self, keys: Vec<(Role, [u8; 32])>) {
        self.replace_stored_with(|| keys);
    }

    /// The same with the keys that `newest` tells. It is asked one at a time, so that of two callers the later never puts
    /// back what the earlier took away.
    pub fn replace_stored_with(&self, newest: impl FnOnce() -> Vec<(Role, [u8; 32])>) {
        let mut stored = self.stored.write();
        *stored = newest().into();
    }

    /// Knows the key with this SHA-256 digest no more, if it is one that was handed out.
    pub fn withdraw(&self, digest: &[u8; 32]) {
        let mut stored = self.stored.write();
        *stored = stored
            .iter()
            .filter(|(_, held)| held != digest)
            .copied()
            .collect();
    }

    /// Lets `presented` pass if it is a key for `role`, and names it.
    pub fn check(&self, presented: &str, role: Role) -> Result<KeyFingerprint, Problem> {
        let presented = key_digest(presented);
        let configured = [(Role::Write, self.write), (Role::Admin, self.admin)];
        let stored = self.stored.read();
        let (mut right, mut other) = (Choice::from(0), Choice::from(0));
        for (of, key) in configured.iter().chain(stored.iter()) {
            let same = are_same(key, &presented);
            if *of == role {
                right |= same;
            } else {
                other |= same;
            }
        }
        drop(stored);
        match (right.into(), other.into()) {
            (true, _) => Ok(KeyFingerprint::of_digest(&presented)),
            (false, true) => Err(Problem::new(ProblemCode::KeyNotAllowed, wanted(role))),
            (false, false) => Err(Problem::new(
                ProblemCode::WrongKey,
                "the key is not known here",
            )),
        }
    }

    /// Lets a request with these `headers` pass if they carry a key for `role`, as Basic user name or Bearer token, and names
    /// it.
    pub fn require(&self, headers: &HeaderMap, role: Role) -> Result<KeyFingerprint, Problem> {
        match presented_key(headers)? {
            Some(key) => self.check(&key, role),
            None => Err(missing_key()),
        }
    }

    /// Names the write key that the process was started with.
    pub fn write_fingerprint(&self) -> KeyFingerprint {
        KeyFingerprint::of_digest(&self.write)
    }
}

/// Whether two digests are the same, found in one time whatever they are.
fn are_same(one: &[u8; 32], other: &[u8; 32]) -> Choice {
    // Word by word: 32 single bytes take several times as long.
    let (one, _) = one.as_chunks::<8>();
    let (other, _) = other.as_chunks::<8>();
    let differences = one.iter().zip(other).fold(0, |differences, (one, other)| {
        differences | (u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other))
    });
    differences.ct_eq(&0)
}

/// The SHA-256 digest of a key, by which it is known.
pub fn key_digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn wanted(role: Role) -> &'static str {
    match role {
        Role::Write => "an admin key does not send actions: use a write key",
        Role::Admin => "a write key only sends actions: use an admin key",
    }
}

/// The refusal of a request that came without a key.
pub fn missing_key() -> Problem {
    Problem::new(
        ProblemCode::MissingKey,
        "send the key as the Basic user name (empty password) or as a Bearer token",
    )
}

/// The key in the `Authorization` header: the user name of Basic, or the token of Bearer. `None` when there is no such header,
/// or it names nobody (an empty user name).
pub fn presented_key(headers: &HeaderMap) -> Result<Option<Cow<'_, str>>, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let unreadable = || {
        Problem::new(
            ProblemCode::WrongKey,
            "the header is neither Basic nor Bearer authorization",
        )
        .at("Authorization")
    };
    let (scheme, rest) = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().split_once(' '))
        .ok_or_else(unreadable)?;
    let key = if scheme.eq_ignore_ascii_case("basic") {
        let pair = BASE64
            .decode(rest.trim())
            .ok()
            .and_then(|pair| String::from_utf8(pair).ok());
        let mut user = pair.ok_or_else(unreadable)?;
        user.truncate(user.find(':').unwrap_or(user.len()));
        Cow::Owned(user)
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Cow::Borrowed(rest.trim())
    } else {
        return Err(unreadable());
    };
    Ok(Some(key).filter(|key| !key.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new(&Secret::new("w"), &Secret::new("a"))
    }

    fn fingerprint(key: &str) -> KeyFingerprint {
        KeyFingerprint::of_digest(&key_digest(key))
    }

    fn with(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())])
    }

    #[test]
    fn the_key_comes_as_basic_user_name_or_bearer_token() {
        for header in [
            "Basic dzo=",
            "Basic dzo",
            "basic dw==",
            "Basic dzppZ25vcmVk",
            "Bearer w",
            "bearer  w ",
        ] {
            assert_eq!(
                presented_key(&with(header)),
                Ok(Some("w".into())),
                "{header}"
            );
            assert_eq!(
                keys().require(&with(header), Role::Write),
                Ok(fingerprint("w")),
                "{header}"
            );
        }
    }

    #[test]
    fn no_header_and_an_empty_user_name_are_no_key() {
        assert_eq!(presented_key(&HeaderMap::new()), Ok(None));
        assert_eq!(presented_key(&with("Basic Og==")), Ok(None));
        let refusal = keys().require(&HeaderMap::new(), Role::Admin).unwrap_err();
        assert_eq!(refusal.code(), ProblemCode::MissingKey);
    }

    #[test]
    fn another_scheme_or_broken_base64_is_a_wrong_key() {
        for header in ["Digest w", "Basic !!", "w", "Basic /w=="] {
            let refusal = presented_key(&with(header)).unwrap_err();
            assert_eq!(refusal.code(), ProblemCode::WrongKey, "{header}");
        }
    }

    #[test]
    fn each_key_opens_its_own_doors_only() {
        let code = |key, role| keys().check(key, role).map_err(|refusal| refusal.code());
        assert_eq!(code("w", Role::Write), Ok(fingerprint("w")));
        assert_eq!(code("a", Role::Admin), Ok(fingerprint("a")));
        assert_eq!(code("a", Role::Write), Err(ProblemCode::KeyNotAllowed));
        assert_eq!(code("w", Role::Admin), Err(ProblemCode::KeyNotAllowed));
        assert_eq!(code("x", Role::Write), Err(ProblemCode::WrongKey));
    }

    #[test]
    fn one_key_may_have_both_roles() {
        let keys = Keys::new(&Secret::new("both"), &Secret::new("both"));
        for role in [Role::Write, Role::Admin] {
            assert_eq!(keys.check("both", role), Ok(fingerprint("both")));
        }
    }

    #[test]
    fn a_key_handed_out_counts_in_every_clone_until_it_is_withdrawn() {
        let keys = keys();
        let clone = keys.clone();
        let code = |key, role| clone.check(key, role).map_err(|refusal| refusal.code());
        keys.replace_stored(vec![
            (Role::Write, key_digest("w2")),
            (Role::Admin, key_digest("a2")),
        ]);
        assert_eq!(code("w2", Role::Write), Ok(fingerprint("w2")));
        assert_eq!(code("a2", Role::Admin), Ok(fingerprint("a2")));
        assert_eq!(code("w2", Role::Admin), Err(ProblemCode::KeyNotAllowed));
        keys.replace_stored(vec![(Role::Admin, key_digest("a2"))]);
        assert_eq!(code("w2", Role::Write), Err(ProblemCode::WrongKey));
        assert_eq!(code("a2", Role::Admin), Ok(fingerprint("a2")));
        assert_eq!(code("w", Role::Write), Ok(fingerprint("w")));
    }

    #[test]
    fn a_key_that_is_withdrawn_opens_nothing_and_those_of_the_start_stay() {
        let keys = keys();
        keys.replace_stored(vec![
            (Role::Write, key_digest("w2")),
            (Role::Admin, key_digest("a2")),
        ]);
        for key in ["w2", "a"] {
            keys.withdraw(&key_digest(key));
        }
        assert!(keys.check("w2", Role::Write).is_err());
        assert!(keys.check("a2", Role::Admin).is_ok());
        assert!(keys.check("a", Role::Admin).is_ok());
    }

    #[test]
    fn the_fingerprint_is_the_beginning_of_the_sha_256() {
        // printf w | sha256sum
        assert_eq!(keys().write_fingerprint().to_string(), "50e721e4");
        // printf 39 | sha256sum: the leading zero stays
        assert_eq!(fingerprint("39").to_string(), "0b918943");
    }
}
