//! What the service keeps of one token: [`TokenEntry`], one line of the file.

use indelible::Glob;
use indelible::format::chain::Hash;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::auth::role::Role;
use crate::config::Grant;

/// Most letters of a token's name.
const NAME_LETTERS_MAX: usize = 64;

/// One token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenEntry {
    /// Its name; the principal is called `token:` and that.
    pub name: String,
    /// The SHA-256 of the token.
    pub digest: Hash,
    /// What it may do, unless a `[[principal]]` of the configuration has its name.
    pub grants: Vec<Grant>,
    /// Which actors it may claim, likewise; any, where empty.
    pub actors: Vec<Glob>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; never, where `None`.
    pub expires: Option<Timestamp>,
}

/// A line is no entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenEntryError {
    /// It is not the JSON that it should be.
    #[error("it is no line of a token file: {0}")]
    Json(serde_json::Error),
    /// The name is none.
    #[error("name: a token's name is 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`")]
    Name,
    /// The digest is none.
    #[error("sha256: it must be 64 hex digits")]
    Digest,
    /// A pattern is none.
    #[error("actors: {0}")]
    Actor(indelible::GlobError),
    /// A time is none.
    #[error("created, expires: they must be times, such as 2027-01-31T00:00:00Z")]
    Time,
    /// It may do nothing.
    #[error("it has no role on any log")]
    NoRole,
}

/// The line as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    sha256: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    append: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    read: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    admin: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actors: Vec<String>,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

fn time(text: &str) -> Result<Timestamp, TokenEntryError> {
    text.parse().map_err(|_reason| TokenEntryError::Time)
}

impl TokenEntry {
    /// An entry for the token with this digest.
    ///
    /// # Errors
    /// [`TokenEntryError`]: the name is none, or there is no grant.
    pub fn new(
        name: impl Into<String>,
        digest: Hash,
        grants: Vec<Grant>,
        created: Timestamp,
    ) -> Result<Self, TokenEntryError> {
        let (actors, expires) = (Vec::new(), None);
        let entry = Self { name: name.into(), digest, grants, actors, created, expires };
        entry.check().map(|()| entry)
    }

    fn check(&self) -> Result<(), TokenEntryError> {
        let taken = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !(1..=NAME_LETTERS_MAX).contains(&self.name.len()) || !self.name.bytes().all(taken) {
            return Err(TokenEntryError::Name);
        }
        if self.grants.is_empty() { Err(TokenEntryError::NoRole) } else { Ok(()) }
    }

    /// Whether its time is over at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Reads one line of a token file.
    ///
    /// # Errors
    /// [`TokenEntryError`]; the digest is not repeated.
    pub fn from_line(line: &str) -> Result<Self, TokenEntryError> {
        let line: Line = serde_json::from_str(line).map_err(TokenEntryError::Json)?;
        let log = |name: String| (name != "*").then_some(name);
        let roles =
            [(Role::Append, line.append), (Role::Read, line.read), (Role::Admin, line.admin)];
        let grants = roles
            .into_iter()
            .flat_map(|(role, logs)| logs.into_iter().map(move |name| Grant::new(role, log(name))));
        let actors = line.actors.iter().map(|actor| actor.parse().map_err(TokenEntryError::Actor));
        let digest = Hash::parse_hex(line.sha256.as_bytes()).ok_or(TokenEntryError::Digest)?;
        let entry = Self {
            name: line.name,
            digest,
            grants: grants.collect(),
            actors: actors.collect::<Result<_, _>>()?,
            created: time(&line.created)?,
            expires: line.expires.as_deref().map(time).transpose()?,
        };
        entry.check().map(|()| entry)
    }

    /// The line of a token file that says it, without its LF.
    ///
    /// # Errors
    /// None that is known: an entry is always JSON.
    pub fn to_line(&self) -> Result<String, TokenEntryError> {
        let logs = |role: Role| {
            let granted = self.grants.iter().filter(|grant| grant.role == role);
            granted.map(|grant| grant.log.clone().unwrap_or_else(|| "*".to_owned())).collect()
        };
        let line = Line {
            name: self.name.clone(),
            sha256: self.digest.to_string(),
            append: logs(Role::Append),
            read: logs(Role::Read),
            admin: logs(Role::Admin),
            actors: self.actors.iter().map(Glob::to_string).collect(),
            created: self.created.to_string(),
            expires: self.expires.map(|expires| expires.to_string()),
        };
        serde_json::to_string(&line).map_err(TokenEntryError::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> TokenEntry {
        let grants = vec![
            Grant::new(Role::Append, Some("default".to_owned())),
            Grant::new(Role::Read, None),
        ];
        let mut entry =
            TokenEntry::new("agent-7", Hash::ZERO, grants, Timestamp::UNIX_EPOCH).unwrap();
        entry.actors = vec!["agent:7*".parse().unwrap()];
        entry.expires = Some(Timestamp::UNIX_EPOCH);
        entry
    }

    #[test]
    fn a_line_says_an_entry_and_is_read_again() {
        let line = entry().to_line().unwrap();
        let zeros = "0".repeat(64);
        assert_eq!(
            line,
            format!(
                r#"{{"name":"agent-7","sha256":"{zeros}","append":["default"],"read":["*"],"actors":["agent:7*"],"created":"1970-01-01T00:00:00Z","expires":"1970-01-01T00:00:00Z"}}"#
            )
        );
        assert_eq!(TokenEntry::from_line(&line).unwrap(), entry());
    }

    #[test]
    fn a_line_that_is_not_exactly_an_entry_is_refused() {
        let line = entry().to_line().unwrap();
        for (from, to) in [
            ("agent-7", "agent 7"),
            ("agent-7", ""),
            ("\"read\"", "\"reed\""),
            ("000", "00"),
            (r#""append":["default"],"read":["*"],"#, ""),
            ("agent:7*", "agent:7\\\\"),
            (r#""created":"1970-01-01T00:00:00Z","#, ""),
        ] {
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line, "{from}");
            assert!(TokenEntry::from_line(&changed).is_err(), "{changed}");
        }
    }
}
