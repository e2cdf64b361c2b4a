//! All tokens that are let in at one time: [`TokenSet`].

use std::collections::HashMap;

use indelible::format::chain::Hash;
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use crate::auth::caller::{Caller, Lease};
use crate::auth::tokens::entry::TokenEntry;

/// Bytes of a digest by which entries are sorted into buckets. They tell who measures the time nothing of use: a token's
/// digest is as random as the token, and can't be chosen.
const BUCKET_BYTES: usize = 2;

/// The tokens of one version of the file.
#[derive(Debug, Default)]
pub(crate) struct TokenSet {
    buckets: HashMap<[u8; BUCKET_BYTES], Vec<(TokenEntry, Caller)>>,
    /// The SHA-256 of the file.
    digest: Option<Hash>,
    /// How many sets there were before it.
    generation: u64,
}

/// What is known of a token.
#[derive(Debug)]
pub(crate) enum Found<'s> {
    /// It is let in.
    Valid(&'s Caller),
    /// It was let in until its time was over.
    Expired,
    /// There is none like it.
    Unknown,
}

impl TokenSet {
    /// These tokens; `caller` gives the caller that each stands for.
    pub(crate) fn new(
        entries: Vec<TokenEntry>,
        digest: Hash,
        generation: u64,
        caller: impl Fn(&TokenEntry) -> Caller,
    ) -> Self {
        let mut buckets = HashMap::<_, Vec<_>>::new();
        for entry in entries {
            let lease = Lease { token: entry.digest, generation, expires: entry.expires };
            let caller = caller(&entry).on(lease);
            buckets.entry(bucket(&entry.digest)).or_default().push((entry, caller));
        }
        Self { buckets, digest: Some(digest), generation }
    }

    /// The SHA-256 of the file that the set was read from.
    pub(crate) fn digest(&self) -> Option<Hash> {
        self.digest
    }

    /// How many sets there were before it.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// What is known of a token at `now`, by its digest.
    pub(crate) fn find(&self, digest: &Hash, now: Timestamp) -> Found<'_> {
        let alike = self.buckets.get(&bucket(digest)).map(Vec::as_slice).unwrap_or_default();
        let mut found = Found::Unknown;
        // All of the bucket, whatever was found before.
        for (entry, caller) in alike {
            if bool::from(entry.digest.as_bytes().ct_eq(digest.as_bytes())) {
                found = if entry.is_expired(now) { Found::Expired } else { Found::Valid(caller) };
            }
        }
        found
    }
}

fn bucket(digest: &Hash) -> [u8; BUCKET_BYTES] {
    let [first, second, ..] = digest.as_bytes();
    [*first, *second]
}
