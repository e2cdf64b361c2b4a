//! Reads the query of an address: [`Parameters`].
//!
//! Invariant: nothing in a query is passed over. What is unknown, stands twice or can't be decoded is refused by its name,
//! since a filter that is left out without a word finds what nobody asked for.

use http::Uri;

use crate::error::ApiError;
use crate::http::request::number;

/// How unlike a known name may be and still be suggested.
const LIKENESS_MIN: f64 = 0.7;
/// Characters of an unknown name that are repeated to the caller.
const NAME_SHOWN_MAX: usize = 64;

/// The decoded parameters of a query.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(&'static str, String)>);

/// The parameters that a path takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// At most once each.
    pub(super) once: &'static [&'static str],
    /// As often as one likes.
    pub(super) repeated: &'static [&'static str],
}

impl Parameters {
    /// Reads the query of an address.
    ///
    /// # Errors
    /// Names a parameter that is unknown (and one that it may be meant for), stands twice, or can't be decoded.
    pub(super) fn of(uri: &Uri, known: Known) -> Result<Self, ApiError> {
        let mut parameters = Vec::new();
        let query = uri.query().unwrap_or_default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name).ok_or_else(|| {
                ApiError::field("query", "the name of a parameter is not UTF-8 in percent-encoding")
            })?;
            let Some(name) = known.all().find(|known| *known == name) else {
                return Err(unknown(&name, known));
            };
            if known.once.contains(&name) && parameters.iter().any(|(before, _)| *before == name) {
                return Err(ApiError::field(name, "it stands twice"));
            }
            let value = decoded(value)
                .ok_or_else(|| ApiError::field(name, "it is not UTF-8 in percent-encoding"))?;
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// A parameter that stands once.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of a parameter, in their order.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number.
    ///
    /// # Errors
    /// Where it is none.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.text(name).map(|text| number(name, text)).transpose()
    }
}

impl Known {
    fn all(self) -> impl Iterator<Item = &'static str> {
        self.once.iter().chain(self.repeated).copied()
    }
}

fn unknown(name: &str, known: Known) -> ApiError {
    let likeness = |candidate: &&str| strsim::jaro_winkler(name, candidate);
    let best = known.all().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
    let mut error = match best.filter(|best| likeness(best) >= LIKENESS_MIN) {
        Some(best) => ApiError::field(
            "query",
            format_args!("there is no parameter {shown:?}; is {best:?} meant?"),
        ),
        None if known.all().next().is_none() => ApiError::field(
            "query",
            format_args!("there is no parameter {shown:?}: the path takes none"),
        ),
        None => {
            let all = known.all().collect::<Vec<_>>().join(", ");
            let what = format_args!("there is no parameter {shown:?}; there are {all}");
            ApiError::field("query", what)
        }
    };
    error.field = Some(shown);
    error
}

/// Undoes percent-encoding, with `+` as a space; `None` where it is malformed or not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex_digit(bytes.next()?)?, hex_digit(bytes.next()?)?);
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(plain).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { once: &["actor", "limit"], repeated: &["session"] };

    fn parse(query: &str) -> Result<Parameters, ApiError> {
        let uri = format!("/v1/records?{query}").parse().unwrap();
        Parameters::of(&uri, KNOWN)
    }

    #[test]
    fn parameters_are_decoded_and_kept_in_order() {
        let parsed = parse("session=a%3Db&actor=agent%3a7+x&&session=c").unwrap();
        assert_eq!(parsed.text("actor"), Some("agent:7 x"));
        assert_eq!(parsed.all("session").collect::<Vec<_>>(), ["a=b", "c"]);
        assert_eq!(parsed.text("limit"), None);
        let none = Parameters::of(&"/v1/records".parse().unwrap(), KNOWN).unwrap();
        assert_eq!(none.text("actor"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, field) in [
            ("actor=a&actor=b", "actor"),
            ("actor=%ff", "actor"),
            ("actor=%4", "actor"),
            ("actor=%+1", "actor"),
            ("actr=a", "actr"),
            ("%ff=a", "query"),
        ] {
            assert_eq!(parse(query).unwrap_err().field.as_deref(), Some(field), "{query}");
        }
        assert!(parse("actr=a").unwrap_err().message.contains("is \"actor\" meant?"));
        assert!(!parse("zzzzz=a").unwrap_err().message.contains("meant"));
    }

    #[test]
    fn a_number_is_digits_within_64_bits() {
        for (query, number) in [("limit=0", 0), ("limit=18446744073709551615", u64::MAX)] {
            assert_eq!(parse(query).unwrap().number("limit").unwrap(), Some(number));
        }
        for query in [
            "limit=",
            "limit=00",
            "limit=07",
            "limit=%2B1",
            "limit=-1",
            "limit=1.0",
            "limit=18446744073709551616",
        ] {
            let error = parse(query).unwrap().number("limit").unwrap_err();
            assert_eq!(error.field.as_deref(), Some("limit"), "{query}");
        }
    }
}
