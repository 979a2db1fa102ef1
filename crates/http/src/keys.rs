//! Who calls: the write key, the admin key, or nobody we know.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use foretide_runtime::Secret;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

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

/// The keys of the process. Holds only their SHA-256 digests: comparing those takes one time whatever is presented.
#[derive(Clone)]
pub struct Keys {
    write: [u8; 32],
    admin: [u8; 32],
}

impl Keys {
    /// Knows these keys from now on.
    pub fn new(write: &Secret, admin: &Secret) -> Self {
        Self {
            write: digest(write.expose()),
            admin: digest(admin.expose()),
        }
    }

    /// Lets `presented` pass if it is the key for `role`.
    pub fn check(&self, presented: &str, role: Role) -> Result<(), Problem> {
        let presented = digest(presented);
        let [write, admin] =
            [&self.write, &self.admin].map(|key| bool::from(key.ct_eq(&presented)));
        let (right, other) = match role {
            Role::Write => (write, admin),
            Role::Admin => (admin, write),
        };
        match (right, other) {
            (true, _) => Ok(()),
            (false, true) => Err(Problem::new(ProblemCode::KeyNotAllowed, wanted(role))),
            (false, false) => Err(Problem::new(
                ProblemCode::WrongKey,
                "the key is not known here",
            )),
        }
    }

    /// Lets a request with these `headers` pass if they carry the key for `role`, as Basic user name or Bearer token.
    pub fn require(&self, headers: &HeaderMap, role: Role) -> Result<(), Problem> {
        match presented_key(headers)? {
            Some(key) => self.check(&key, role),
            None => Err(missing_key()),
        }
    }

    /// Names the write key without giving it away: the first 8 hexadecimal digits of its SHA-256.
    pub fn write_fingerprint(&self) -> String {
        let [first, second, third, fourth, ..] = self.write;
        format!("{:08x}", u32::from_be_bytes([first, second, third, fourth]))
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn wanted(role: Role) -> &'static str {
    match role {
        Role::Write => "the admin key does not send actions: use the write key",
        Role::Admin => "the write key only sends actions: use the admin key",
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
pub fn presented_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
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
        user
    } else if scheme.eq_ignore_ascii_case("bearer") {
        rest.trim().to_owned()
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
                Ok(Some("w".to_owned())),
                "{header}"
            );
            assert_eq!(
                keys().require(&with(header), Role::Write),
                Ok(()),
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
        assert_eq!(code("w", Role::Write), Ok(()));
        assert_eq!(code("a", Role::Admin), Ok(()));
        assert_eq!(code("a", Role::Write), Err(ProblemCode::KeyNotAllowed));
        assert_eq!(code("w", Role::Admin), Err(ProblemCode::KeyNotAllowed));
        assert_eq!(code("x", Role::Write), Err(ProblemCode::WrongKey));
    }

    #[test]
    fn the_fingerprint_is_the_beginning_of_the_sha_256() {
        // printf w | sha256sum
        assert_eq!(keys().write_fingerprint(), "50e721e4");
    }
}
