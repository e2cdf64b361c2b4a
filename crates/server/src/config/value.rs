//! One value of the configuration, between the text or TOML that it came from and the field that it goes to.
//!
//! [`Kind`] knows forms and limits, [`Setting`] the fields. Neither knows which keys there are.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use indelible::Glob;
use indelible::format::identity::Origin;
use toml::de::DeValue;

use crate::config::fault::Problem;
use crate::config::suggest::closest;
use crate::config::{LogFormat, units};

/// A value, whatever it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Of a key that may have none.
    Unset,
    Number(u64),
    Time(Duration),
    Switch(bool),
    Text(String),
    Texts(Vec<String>),
}

/// Which values a key takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Bytes.
    Size {
        from: u64,
        to: u64,
    },
    /// A whole number.
    Count {
        from: u64,
        to: u64,
    },
    Time {
        from: Duration,
        to: Duration,
    },
    Switch,
    Text,
    /// A path; a relative one is relative to the file it stands in.
    Path,
    Texts,
    Choice(&'static [&'static str]),
}

impl Kind {
    /// What it takes, for people.
    pub(super) const fn form(self) -> &'static str {
        match self {
            Self::Size { .. } => "a size, such as \"64MiB\"",
            Self::Count { .. } => "a whole number",
            Self::Time { .. } => "a time, such as \"1s\"",
            Self::Switch => "true or false",
            Self::Text => "a text",
            Self::Path => "a path",
            Self::Texts => "a list of texts, such as [\"a\", \"b\"]",
            Self::Choice(_) => "a word",
        }
    }

    /// Its limits, for people; empty where it has none.
    pub(super) fn limits(self) -> String {
        match self {
            Self::Size { from, to: u64::MAX } => format!("at least {}", units::size_text(from)),
            Self::Size { from, to } => {
                format!("from {} to {}", units::size_text(from), units::size_text(to))
            }
            Self::Count { from, to } => format!("from {from} to {to}"),
            Self::Time { from, to } => {
                format!("from {} to {}", units::duration_text(from), units::duration_text(to))
            }
            Self::Choice(words) => words.join(", "),
            Self::Switch | Self::Text | Self::Path | Self::Texts => String::new(),
        }
    }

    /// Reads what a file has.
    pub(super) fn of_toml(self, found: &DeValue<'_>) -> Result<Value, Problem> {
        let wrong = || Problem::WrongType { expected: self.form(), found: type_name(found) };
        let read = match (self, found) {
            (Self::Size { .. } | Self::Count { .. }, DeValue::Integer(number)) => {
                let read = u64::from_str_radix(number.as_str(), number.radix());
                let given = || Problem::NotANumber { given: number.to_string() };
                Value::Number(read.map_err(|_negative_or_too_large| given())?)
            }
            (
                Self::Size { .. } | Self::Time { .. } | Self::Text | Self::Path | Self::Choice(_),
                DeValue::String(text),
            ) => self.of_words(text)?,
            (Self::Switch, DeValue::Boolean(on)) => Value::Switch(*on),
            (Self::Texts, DeValue::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                Value::Texts(texts.collect::<Option<_>>().ok_or_else(wrong)?)
            }
            _ => return Err(wrong()),
        };
        self.within_limits(read, || match found {
            DeValue::Integer(number) => number.to_string(),
            DeValue::String(text) => text.to_string(),
            DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => type_name(found).to_owned(),
        })
    }

    /// Reads what the environment or a flag has.
    pub(super) fn of_text(self, text: &str) -> Result<Value, Problem> {
        let read = self.of_words(text)?;
        self.within_limits(read, || text.to_owned())
    }

    fn of_words(self, text: &str) -> Result<Value, Problem> {
        let given = || text.to_owned();
        Ok(match self {
            Self::Size { .. } => Value::Number(units::size(text)?),
            Self::Count { .. } => {
                let number = text.trim().parse();
                Value::Number(number.map_err(|_reason| Problem::NotANumber { given: given() })?)
            }
            Self::Time { .. } => Value::Time(units::duration(text)?),
            Self::Switch => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Value::Switch(true),
                "false" | "no" | "off" | "0" => Value::Switch(false),
                _ => return Err(Problem::NotASwitch { given: given() }),
            },
            Self::Text | Self::Path | Self::Choice(_) if text.is_empty() => {
                return Err(Problem::Empty);
            }
            Self::Text | Self::Path | Self::Choice(_) => Value::Text(given()),
            Self::Texts => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Texts(items.map(str::to_owned).collect())
            }
        })
    }

    /// Takes a value that was given in these words.
    fn within_limits(self, value: Value, given: impl FnOnce() -> String) -> Result<Value, Problem> {
        let fits = match (self, &value) {
            (Self::Size { from, to } | Self::Count { from, to }, Value::Number(number)) => {
                (from..=to).contains(number)
            }
            (Self::Time { from, to }, Value::Time(time)) => (from..=to).contains(time),
            (Self::Choice(words), Value::Text(text)) if !words.contains(&text.as_str()) => {
                return Err(Problem::NotAChoice {
                    given: text.clone(),
                    choices: words.join(", "),
                    suggestion: closest(text, words.iter().copied()),
                });
            }
            _ => true,
        };
        if fits {
            return Ok(value);
        }
        Err(Problem::OutsideLimits { given: given(), limit: self.limits() })
    }

    /// A value as a person writes it.
    pub(super) fn text(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Unset) => "none".to_owned(),
            (Self::Size { .. }, Value::Number(bytes)) => units::size_text(*bytes),
            (_, Value::Number(number)) => number.to_string(),
            (_, Value::Time(time)) => units::duration_text(*time),
            (_, Value::Switch(on)) => on.to_string(),
            (_, Value::Text(text)) => text.clone(),
            (_, Value::Texts(texts)) => texts.join(", "),
        }
    }

    /// A value as TOML.
    pub(super) fn toml(self, value: &Value) -> String {
        match value {
            Value::Number(_) if matches!(self, Self::Count { .. }) => self.text(value),
            Value::Switch(on) => on.to_string(),
            Value::Texts(texts) => {
                let texts = texts.iter().map(|text| quoted(text)).collect::<Vec<_>>();
                format!("[{}]", texts.join(", "))
            }
            Value::Unset | Value::Number(_) | Value::Time(_) | Value::Text(_) => {
                quoted(&self.text(value))
            }
        }
    }
}

/// A text as TOML has it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A field that a value goes to.
pub(super) trait Setting {
    fn value(&self) -> Value;
    /// Takes a value of the key's kind.
    fn set(&mut self, value: &Value) -> Result<(), Problem>;
}

/// The texts of a value, for fields that are made of text.
fn texts(value: &Value) -> &[String] {
    match value {
        Value::Text(text) => std::slice::from_ref(text),
        Value::Texts(texts) => texts,
        Value::Unset | Value::Number(_) | Value::Time(_) | Value::Switch(_) => &[],
    }
}

fn one_text(value: &Value) -> &str {
    texts(value).first().map(String::as_str).unwrap_or_default()
}

fn address(text: &str) -> Result<SocketAddr, Problem> {
    text.parse().map_err(|_reason| Problem::NotAnAddress { given: text.to_owned() })
}

/// Fields that hold a number; a kind's limits keep what does not fit away from them.
macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            fn value(&self) -> Value {
                u64::try_from(*self).map_or(Value::Number(u64::MAX), Value::Number)
            }
            fn set(&mut self, value: &Value) -> Result<(), Problem> {
                if let Value::Number(number) = value {
                    *self = Self::try_from(*number).unwrap_or(Self::MAX);
                }
                Ok(())
            }
        }
    )*};
}
numbers!(usize, u32, u64);

impl Setting for Option<u32> {
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Unset, Setting::value)
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        if *value == Value::Unset {
            *self = None;
            return Ok(());
        }
        self.insert(0).set(value)
    }
}

impl Setting for Duration {
    fn value(&self) -> Value {
        Value::Time(*self)
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        if let Value::Time(time) = value {
            *self = *time;
        }
        Ok(())
    }
}

impl Setting for bool {
    fn value(&self) -> Value {
        Value::Switch(*self)
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        if let Value::Switch(on) = value {
            *self = *on;
        }
        Ok(())
    }
}

impl Setting for String {
    fn value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        one_text(value).clone_into(self);
        Ok(())
    }
}

impl Setting for Option<String> {
    fn value(&self) -> Value {
        self.clone().map_or(Value::Unset, Value::Text)
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        *self = texts(value).first().cloned();
        Ok(())
    }
}

impl Setting for Vec<String> {
    fn value(&self) -> Value {
        Value::Texts(self.clone())
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        *self = texts(value).to_vec();
        Ok(())
    }
}

impl Setting for PathBuf {
    fn value(&self) -> Value {
        Value::Text(self.to_string_lossy().into_owned())
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        *self = Self::from(one_text(value));
        Ok(())
    }
}

impl Setting for Option<PathBuf> {
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Unset, Setting::value)
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        *self = texts(value).first().map(PathBuf::from);
        Ok(())
    }
}

impl Setting for Vec<SocketAddr> {
    fn value(&self) -> Value {
        Value::Texts(self.iter().map(SocketAddr::to_string).collect())
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        *self = texts(value).iter().map(|text| address(text)).collect::<Result<_, _>>()?;
        Ok(())
    }
}

impl Setting for Option<SocketAddr> {
    fn value(&self) -> Value {
        self.map_or(Value::Unset, |address| Value::Text(address.to_string()))
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        *self = texts(value).first().map(|text| address(text)).transpose()?;
        Ok(())
    }
}

impl Setting for Vec<Glob> {
    fn value(&self) -> Value {
        Value::Texts(self.iter().map(Glob::to_string).collect())
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        let glob = |text: &String| {
            text.parse().map_err(|cause| Problem::NotAPattern { given: text.clone(), cause })
        };
        *self = texts(value).iter().map(glob).collect::<Result<_, _>>()?;
        Ok(())
    }
}

impl Setting for Option<Origin> {
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Unset, |origin| Value::Text(origin.to_string()))
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        let origin = |text: &String| {
            text.parse().map_err(|_reason| Problem::NotAnOrigin { given: text.clone() })
        };
        *self = texts(value).first().map(origin).transpose()?;
        Ok(())
    }
}

impl Setting for tracing::Level {
    fn value(&self) -> Value {
        Value::Text(self.to_string().to_ascii_lowercase())
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        if let Ok(level) = one_text(value).parse() {
            *self = level;
        }
        Ok(())
    }
}

impl Setting for LogFormat {
    fn value(&self) -> Value {
        let word = match self {
            Self::Text => "text",
            Self::Json => "json",
        };
        Value::Text(word.to_owned())
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        *self = if one_text(value) == "json" { Self::Json } else { Self::Text };
        Ok(())
    }
}

/// The permission bits of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode(pub(super) u32);

impl Setting for Mode {
    fn value(&self) -> Value {
        Value::Text(format!("{:04o}", self.0))
    }

    fn set(&mut self, value: &Value) -> Result<(), Problem> {
        let given = one_text(value);
        let digits = given.len() >= 3 && given.bytes().all(|b| b.is_ascii_digit());
        let mode = u32::from_str_radix(given, 8).ok().filter(|mode| digits && *mode <= 0o777);
        self.0 = mode.ok_or_else(|| Problem::NotAMode { given: given.to_owned() })?;
        Ok(())
    }
}
