//! `indelible token`: makes, lists and revokes the tokens that the service takes.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indelible::{Clock as _, Glob, SystemClock};
use indelible_server::auth::role::Role;
use indelible_server::auth::tokens::{Token, TokenEntry, TokenFile};
use indelible_server::config::{Config, Grant, Override};
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use crate::exit::Exit;
use crate::flags::serving::Configuration;
use crate::hint::quote;
use crate::render::{self, Output};
use crate::table::{GAP, lay_out, share};
use crate::value::{self, Expiry};

const NEW_EXAMPLES: &str = "\
Examples:
  indelible token new --name agent-7 --role append --log default --expires 90d \\
    --actor 'agent:7*' > agent-7.token
  indelible token new --name auditor --role read --log '*' --expires never
  curl -H \"authorization: Bearer $(cat agent-7.token)\" …

Stdout gets the token and nothing else. It is shown this once: the file keeps
its SHA-256. A running service takes it in within a second or two.

Exit status: 0 made; 1 could not do it; 2 wrong usage.";

const LIST_EXAMPLES: &str = "\
Examples:
  indelible token list
  indelible token list --tokens /etc/indelible/tokens.jsonl

Exit status: 0 printed; 1 could not do it; 2 wrong usage.";

const REVOKE_EXAMPLES: &str = "\
Examples:
  indelible token revoke agent-7

A running service takes it in within a second or two, or at once on SIGHUP.

Exit status: 0 revoked; 1 could not do it; 2 wrong usage.";

const EXAMPLES: &str = "\
Examples:
  indelible token new --name agent-7 --role append --expires 90d > agent-7.token
  indelible token list
  indelible token revoke agent-7";

/// Make, list and revoke the tokens that the service takes
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Tokens {
    New(New),
    List(List),
    Revoke(Revoke),
}

/// Where the tokens are.
#[derive(Debug, Args)]
struct Place {
    /// The file of token digests, where it is not the configuration's `auth.tokens`
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    tokens: Option<String>,

    #[command(flatten)]
    configuration: Configuration,
}

/// Make a token, and print it
///
/// The token's roles stand with its digest in the token file. Where the configuration has a `[[principal]]` named
/// `token:NAME`, that one decides instead.
#[derive(Debug, Args)]
#[command(after_help = NEW_EXAMPLES)]
pub(crate) struct New {
    /// Its name; records that come with it say `recorded_by` `token:NAME`
    #[arg(long, value_name = "NAME")]
    name: String,

    /// What it may do: append, read, or admin, which is both
    #[arg(long, value_name = "ROLE", required = true, value_delimiter = ',')]
    role: Vec<Role>,

    /// With which log, `*` for all of them; the default log, unless named
    #[arg(long, value_name = "LOG", value_delimiter = ',')]
    log: Vec<String>,

    /// When it ends: in so much time (90d), at a time (2027-01-31T00:00:00Z), or never
    #[arg(long, value_name = "WHEN", value_parser = value::expiry)]
    expires: Expiry,

    /// The actors that it may claim, a pattern; any, unless named
    #[arg(long, value_name = "PATTERN", value_parser = value::pattern)]
    actor: Vec<Glob>,

    #[command(flatten)]
    place: Place,
}

/// List the tokens: names, roles, times, never the tokens themselves
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

/// Take a token back
#[derive(Debug, Args)]
#[command(after_help = REVOKE_EXAMPLES)]
pub(crate) struct Revoke {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    place: Place,
}

impl Tokens {
    /// Does what was asked for.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::New(new) => new.run()?,
            Self::List(list) => list.run()?,
            Self::Revoke(revoke) => revoke.run()?,
        }
        Ok(Exit::Fine)
    }
}

/// Why the tokens are not what was asked for.
#[derive(Debug)]
pub(crate) enum TokenMistake {
    /// Nobody says where they are.
    NoFile,
    /// There is one of that name.
    Taken { name: String },
    /// There is none of that name.
    Unknown { name: String, file: PathBuf },
    /// There is no such log.
    NoSuchLog { given: String, logs: Vec<String> },
}

impl fmt::Display for TokenMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str(
                "no file for tokens is named: neither --tokens nor auth.tokens in the configuration says which",
            ),
            Self::Taken { name } => write!(f, "there is a token {name:?} already"),
            Self::Unknown { name, file } => {
                write!(f, "{} has no token {name:?}", file.display())
            }
            Self::NoSuchLog { given, logs } => {
                write!(f, "--log: {given:?} is none of the logs ({})", logs.join(", "))
            }
        }
    }
}

impl std::error::Error for TokenMistake {}

impl TokenMistake {
    /// What to do instead.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoFile => "set auth.tokens in indelible.toml, or name the file with --tokens \
                             FILE, here and for `indelible serve`"
                .to_owned(),
            Self::Taken { name } => format!(
                "give it another name, so that records tell the two apart, or take the old one back: \
                 `indelible token revoke {name}`"
            ),
            Self::Unknown { .. } => "`indelible token list` names those that there are".to_owned(),
            Self::NoSuchLog { .. } => {
                "'*' is all of them; `indelible config show` names those that there are".to_owned()
            }
        }
    }
}

impl Place {
    fn load(&self) -> anyhow::Result<(PathBuf, Config)> {
        let tokens = self.tokens.iter();
        let flags = tokens.map(|path| Override::new("--tokens", "auth.tokens", path.as_str()));
        let config = self.configuration.load(flags.collect())?.config;
        let file = config.tokens.clone().ok_or(TokenMistake::NoFile)?;
        Ok((file, config))
    }
}

impl New {
    fn run(self) -> anyhow::Result<()> {
        let (file, config) = self.place.load()?;
        let logs = if self.log.is_empty() { vec![config.default_log.clone()] } else { self.log };
        let mut grants = Vec::new();
        for role in &self.role {
            for log in &logs {
                if log != "*" && !config.logs.iter().any(|known| known.name == *log) {
                    let logs = config.logs.iter().map(|log| log.name.clone()).collect();
                    return Err(TokenMistake::NoSuchLog { given: log.clone(), logs }.into());
                }
                grants.push(Grant::new(*role, (log != "*").then(|| log.clone())));
            }
        }
        let token = Token::random()?;
        let mut entry = TokenEntry::new(self.name, token.digest(), grants, now())?;
        entry.actors = self.actor;
        entry.expires = match self.expires {
            Expiry::Never => None,
            Expiry::At(time) => Some(time),
        };
        let name = entry.name.clone();
        TokenFile::change(&file, |entries| {
            if entries.iter().any(|other| other.name == entry.name) {
                return Err(anyhow::Error::from(TokenMistake::Taken { name: entry.name.clone() }));
            }
            entries.push(entry);
            Ok(())
        })?;
        let mut output = Output::of("the token");
        let printed = output.line(token.reveal().as_bytes()).and_then(|()| output.flush());
        printed.with_context(|| {
            format!("the token {name:?} is made and nobody has it: revoke it, and make another")
        })?;
        render::note(format_args!(
            "made the token {name:?}, kept in {}; whoever has it is token:{name}. It is not shown again",
            quote(&file)
        ));
        if config.principals.iter().any(|principal| principal.name == format!("token:{name}")) {
            render::warning(format_args!(
                "the configuration has a [[principal]] token:{name}: what that says decides, not the roles given here"
            ));
        }
        Ok(())
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let (file, _config) = self.place.load()?;
        let entries = TokenFile::read(&file)?.entries;
        let rows: Vec<Row> =
            std::iter::once(Row::head()).chain(entries.iter().map(Row::of)).collect();
        let (rows, widths) = fitting(&rows);
        let mut output = Output::of("the tokens");
        for row in rows {
            for line in lay_out(row, &widths) {
                output.line(line.as_bytes())?;
            }
        }
        Ok(output.flush()?)
    }
}

/// One token, as it is listed; several words of one cell.
#[derive(Debug)]
struct Row {
    name: String,
    roles: Vec<String>,
    actors: Vec<String>,
    created: Shown,
    expires: Shown,
    /// The digest's beginning tells the token from others, and says nothing of it.
    digest: String,
}

/// A time to the second, and its day.
#[derive(Debug)]
struct Shown {
    time: String,
    day: String,
}

impl Shown {
    fn word(word: &str) -> Self {
        Self { time: word.to_owned(), day: word.to_owned() }
    }

    fn of(time: Timestamp) -> Self {
        let shown = |form| time.strftime(form).to_string();
        Self { time: shown("%Y-%m-%dT%H:%M:%SZ"), day: shown("%Y-%m-%d") }
    }
}

impl Row {
    fn head() -> Self {
        Self {
            name: "NAME".to_owned(),
            roles: vec!["ROLES".to_owned()],
            actors: vec!["ACTORS".to_owned()],
            created: Shown::word("CREATED"),
            expires: Shown::word("EXPIRES"),
            digest: "SHA-256".to_owned(),
        }
    }

    fn of(entry: &TokenEntry) -> Self {
        let grant =
            |grant: &Grant| format!("{}:{}", grant.role, grant.log.as_deref().unwrap_or("*"));
        let mut actors: Vec<String> = entry.actors.iter().map(Glob::to_string).collect();
        if actors.is_empty() {
            actors.push("any".to_owned());
        }
        let mut expires = entry.expires.map_or_else(|| Shown::word("never"), Shown::of);
        if entry.is_expired(now()) {
            expires.time.push_str(" (expired)");
            expires.day.push_str(" (expired)");
        }
        Self {
            name: entry.name.clone(),
            roles: entry.grants.iter().map(grant).collect(),
            actors,
            created: Shown::of(entry.created),
            expires,
            digest: format!("{}…", entry.digest.to_string().get(..8).unwrap_or_default()),
        }
    }

    /// In one line, with times to the second.
    fn wide(&self) -> Vec<String> {
        let Self { name, roles, actors, created, expires, digest } = self;
        let (created, expires) = (created.time.clone(), expires.time.clone());
        vec![name.clone(), roles.join(","), actors.join(","), created, expires, digest.clone()]
    }

    /// With what there are several of under each other, and days.
    fn narrow(&self) -> Vec<String> {
        let Self { name, roles, actors, created, expires, digest } = self;
        let days = format!("{}\n{}", created.day, expires.day);
        vec![name.clone(), roles.join("\n"), actors.join("\n"), days, digest.clone()]
    }
}

/// The cells in the form that there is room for, and how wide their columns are.
fn fitting(rows: &[Row]) -> (Vec<Vec<String>>, Vec<usize>) {
    let wide: Vec<Vec<String>> = rows.iter().map(Row::wide).collect();
    let widths = widest(&wide);
    let gaps = |columns: &[usize]| columns.len().saturating_sub(1) * GAP;
    let room = render::width_said().unwrap_or(usize::MAX);
    if widths.iter().sum::<usize>() + gaps(&widths) <= room {
        return (wide, widths);
    }
    let narrow: Vec<Vec<String>> = rows.iter().map(Row::narrow).collect();
    let mut widths = widest(&narrow);
    let gaps = gaps(&widths);
    if let [name, roles, actors, days, digest] = widths.as_mut_slice() {
        let left = room.saturating_sub(*days + *digest + gaps);
        [*name, *roles, *actors] = share(left, [*name, *roles, *actors]);
    }
    (narrow, widths)
}

/// How wide each column would have to be.
fn widest(rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(row.len(), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.lines().map(UnicodeWidthStr::width).max().unwrap_or_default().max(*width);
        }
    }
    widths
}

impl Revoke {
    fn run(self) -> anyhow::Result<()> {
        let (file, _config) = self.place.load()?;
        let name = self.name;
        TokenFile::change(&file, |entries| {
            let before = entries.len();
            entries.retain(|entry| entry.name != name);
            if entries.len() == before {
                let (name, file) = (name.clone(), file.clone());
                return Err(anyhow::Error::from(TokenMistake::Unknown { name, file }));
            }
            Ok(())
        })?;
        render::note(format_args!("revoked the token {name:?}"));
        Ok(())
    }
}

fn now() -> Timestamp {
    let ns = SystemClock::default().now().wall.unix_ns();
    Timestamp::from_nanosecond(ns).unwrap_or(Timestamp::MAX)
}
