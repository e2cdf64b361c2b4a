//! Every key there is: one table, from which files, the environment and flags are read, `config show` is printed and the
//! reference in `docs/operate/configure-service.md` is written.
//!
//! It knows what each key takes by itself; what values must be together is `check`'s.

use std::time::Duration;

use crate::config::LogConfig;
use crate::config::draft::{Draft, PrincipalDraft};
use crate::config::value::{Kind, Setting, Value};

/// One key of a table that is kept as a `T`.
pub(super) struct Key<T> {
    /// Its path, or what follows `log.NAME.`, or its name in a `[[principal]]`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether `"none"` unsets it.
    pub(super) optional: bool,
    /// One line.
    pub(super) about: &'static str,
    pub(super) field: fn(&mut T) -> &mut dyn Setting,
}

impl<T> Key<T> {
    const fn new(
        name: &'static str,
        kind: Kind,
        field: fn(&mut T) -> &mut dyn Setting,
        about: &'static str,
    ) -> Self {
        Self { name, kind, optional: false, about, field }
    }

    /// One that may have no value.
    const fn optional(
        name: &'static str,
        kind: Kind,
        field: fn(&mut T) -> &mut dyn Setting,
        about: &'static str,
    ) -> Self {
        Self { name, kind, optional: true, about, field }
    }

    /// Its value in `table`.
    pub(super) fn value(&self, table: &mut T) -> Value {
        (self.field)(table).value()
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

const fn size(from: u64, to: u64) -> Kind {
    Kind::Size { from, to }
}

const fn count(from: u64, to: u64) -> Kind {
    Kind::Count { from, to }
}

/// From 1 ms to so many seconds.
const fn time(to_seconds: u64) -> Kind {
    Kind::Time { from: Duration::from_millis(1), to: Duration::from_secs(to_seconds) }
}

const LEVELS: Kind = Kind::Choice(&["error", "warn", "info", "debug", "trace"]);
const FORMATS: Kind = Kind::Choice(&["text", "json"]);

/// The keys of the service itself.
#[rustfmt::skip]
pub(super) static SERVICE: [Key<Draft>; 35] = [
    Key::optional("default_log", Kind::Text, |d| &mut d.default_log,
        "the log that requests mean which name none; needed where there are several and none is called `default`"),
    Key::new("listen.tcp", Kind::Texts, |d| &mut d.service.listen.tcp,
        "addresses for gRPC and HTTP, each an IP address with a port"),
    Key::optional("listen.unix", Kind::Path, |d| &mut d.unix,
        "a Unix socket for the same; callers are known by their uid"),
    Key::new("listen.unix_mode", Kind::Text, |d| &mut d.unix_mode,
        "the permission bits of that socket"),
    Key::new("listen.hosts", Kind::Texts, |d| &mut d.service.listen.hosts,
        "names besides loopback by which anonymous callers may reach the service"),
    Key::new("listen.allow_anonymous", Kind::Switch, |d| &mut d.service.listen.allow_anonymous,
        "take everybody who reaches the service, from wherever, without authentication"),
    Key::optional("admin.listen", Kind::Text, |d| &mut d.service.admin,
        "where /metrics, /healthz and /readyz are; off loopback metrics are for the role admin"),
    Key::optional("tls.certificate", Kind::Path, |d| &mut d.certificate,
        "PEM file of the certificate and its chain; TLS on all TCP addresses where it is set"),
    Key::optional("tls.key", Kind::Path, |d| &mut d.key,
        "PEM file of its private key"),
    Key::optional("tls.client_ca", Kind::Path, |d| &mut d.client_ca,
        "PEM file of the authorities that sign clients' certificates: mutual TLS"),
    Key::optional("auth.tokens", Kind::Path, |d| &mut d.service.tokens,
        "the file of token digests, which `indelible token` keeps"),
    Key::new("limits.request_size_max", size(8 * KIB, GIB), |d| &mut d.service.limits.request_size_max,
        "bytes of one body over HTTP, of one message over gRPC"),
    Key::new("limits.bodies_size_max", size(MIB, 64 * GIB), |d| &mut d.service.limits.bodies_size_max,
        "bytes of all bodies that are on their way, over all connections"),
    Key::new("limits.answers_size_max", size(4 * MIB, 64 * GIB), |d| &mut d.service.limits.answers_size_max,
        "bytes of all answers that clients have not taken yet, over all connections; beyond it reads are refused"),
    Key::new("limits.batch_events_max", count(1, 100_000), |d| &mut d.service.limits.batch_events_max,
        "events of one batch"),
    Key::new("limits.header_size_max", size(8 * KIB, MIB), |d| &mut d.service.limits.header_size_max,
        "bytes of all headers of one request"),
    Key::new("limits.connections_max", count(1, 1_000_000), |d| &mut d.service.limits.connections_max,
        "connections at one time"),
    Key::new("limits.streams_per_connection_max", count(1, 10_000), |d| &mut d.service.limits.streams_per_connection_max,
        "requests and streams at one time on one connection"),
    Key::new("limits.reads_max", count(1, 10_000), |d| &mut d.service.limits.reads_max,
        "queries and proofs at one time, of one log"),
    Key::new("limits.tails_max", count(0, 100_000), |d| &mut d.service.limits.tails_max,
        "followers (`Tail`) at one time"),
    Key::new("limits.stream_in_flight_max", count(1, 100_000), |d| &mut d.service.limits.stream_in_flight_max,
        "events that one `AppendStream` may have in flight"),
    Key::new("limits.page_records_max", count(1, 100_000), |d| &mut d.service.limits.page_records_max,
        "records of one answer to `GET /v1/records`"),
    Key::optional("limits.events_per_second", count(1, 10_000_000), |d| &mut d.service.limits.events_per_second,
        "events a second that each principal may append"),
    Key::new("limits.events_burst", count(1, 10_000_000), |d| &mut d.service.limits.events_burst,
        "events that a principal may append at once, where it has a rate"),
    Key::new("timeouts.handshake", time(300), |d| &mut d.service.timeouts.handshake,
        "a TLS handshake, and until the first byte of a request"),
    Key::new("timeouts.headers", time(300), |d| &mut d.service.timeouts.headers,
        "all headers of a request"),
    Key::new("timeouts.body", time(3600), |d| &mut d.service.timeouts.body,
        "the body of a request"),
    Key::new("timeouts.write", time(3600), |d| &mut d.service.timeouts.write,
        "until a client takes what it is sent; it is cut off after `timeouts.idle` more"),
    Key::new("timeouts.idle", time(86_400), |d| &mut d.service.timeouts.idle,
        "a connection without any request"),
    Key::new("timeouts.keep_alive", time(3600), |d| &mut d.service.timeouts.keep_alive,
        "between pings on an HTTP/2 connection, and until one is answered"),
    Key::new("timeouts.query", time(3600), |d| &mut d.service.timeouts.query,
        "one query"),
    Key::new("timeouts.drain", time(3600), |d| &mut d.service.timeouts.drain,
        "at shutdown, until the requests under way have ended"),
    Key::new("timeouts.close", time(3600), |d| &mut d.service.timeouts.close,
        "at shutdown, until the logs are closed"),
    Key::new("telemetry.level", LEVELS, |d| &mut d.service.telemetry.level,
        "the least level that is written to stderr"),
    Key::new("telemetry.format", FORMATS, |d| &mut d.service.telemetry.format,
        "for people, or one JSON object a line"),
];

/// The keys of one `[log.NAME]`.
#[rustfmt::skip]
pub(super) static LOG: [Key<LogConfig>; 17] = [
    Key::new("folder", Kind::Path, |l| &mut l.folder,
        "its folder"),
    Key::new("create", Kind::Switch, |l| &mut l.create,
        "make it where there is none; off, a missing folder is an error, since a volume may not be mounted"),
    Key::optional("origin", Kind::Text, |l| &mut l.origin,
        "its name in checkpoints, where it is made"),
    Key::optional("key_file", Kind::Path, |l| &mut l.key_file,
        "its private key, if not beside the folder as FOLDER.key"),
    Key::new("max_file_size", size(80 * KIB, TIB), |l| &mut l.max_file_size,
        "bytes after which audit.log is rotated; at least twice entry_size_max and 64KiB more"),
    Key::optional("max_files", count(1, 1_000_000), |l| &mut l.max_files,
        "rotated files that are kept; the oldest are removed for good"),
    Key::new("checkpoint_interval", time(3600), |l| &mut l.checkpoint_interval,
        "at most this long from a record to the checkpoint that covers it"),
    Key::new("salt", Kind::Switch, |l| &mut l.salt,
        "a random salt in each record, so that a hash tells nothing of it"),
    Key::new("entry_size_max", size(8 * KIB, MIB), |l| &mut l.entry_size_max,
        "bytes of one entry"),
    Key::new("queue_size_max", size(16 * KIB, 16 * GIB), |l| &mut l.queue_size_max,
        "bytes that may wait to be written; at least twice entry_size_max"),
    Key::new("idempotency_period", time(7 * 86_400), |l| &mut l.idempotency.period,
        "an event_id is remembered at least so long"),
    Key::new("idempotency_records", count(0, 100_000_000), |l| &mut l.idempotency.records,
        "an event_id is remembered over at least so many records"),
    Key::new("idempotency_memory_max", size(MIB, 64 * GIB), |l| &mut l.idempotency.memory_size_max,
        "bytes that this takes at most"),
    Key::new("min_free_space", size(0, TIB), |l| &mut l.min_free_space,
        "bytes of free disk below which appends are refused"),
    Key::new("public_tree", Kind::Switch, |l| &mut l.public_tree,
        "serve /checkpoint and /tile/ to everybody"),
    Key::new("allow_network_file_system", Kind::Switch, |l| &mut l.allow_network_file_system,
        "take a folder on a network file system; you vouch for its syncs and locks"),
    Key::new("accept_last_timestamp", Kind::Switch, |l| &mut l.accept_last_timestamp,
        "open a log whose last timestamp is over an hour ahead of the clock"),
];

/// The keys of a `[[principal]]`.
#[rustfmt::skip]
pub(super) static PRINCIPAL: [Key<PrincipalDraft>; 5] = [
    Key::new("name", Kind::Text, |p| &mut p.name,
        "`token:NAME`, `cert:` and the URI or DNS name of a certificate, or `uid:NUMBER`"),
    Key::new("append", Kind::Texts, |p| &mut p.append,
        "logs that it may append to; \"*\" is all of them"),
    Key::new("read", Kind::Texts, |p| &mut p.read,
        "logs that it may read"),
    Key::new("admin", Kind::Texts, |p| &mut p.admin,
        "logs that it may append to and read"),
    Key::new("actors", Kind::Texts, |p| &mut p.actors,
        "patterns of the actors that it may claim; any, where the list is empty"),
];

/// The path of a log's key.
pub(super) fn log_key(log: &str, name: &str) -> String {
    format!("log.{log}.{name}")
}

/// Every key of the service, and of these logs, by its path.
pub(super) fn paths<'l>(logs: impl Iterator<Item = &'l str>) -> Vec<String> {
    let mut paths: Vec<String> = SERVICE.iter().map(|key| key.name.to_owned()).collect();
    for log in logs {
        paths.extend(LOG.iter().map(|key| log_key(log, key.name)));
    }
    paths
}

/// The reference of all keys, in Markdown, as `docs/operate/configure-service.md` has it.
pub fn reference() -> String {
    let mut text = String::new();
    let mut draft = Draft::with_defaults();
    rows(&mut text, "The service", &SERVICE, &mut draft);
    rows(&mut text, "Each log: `[log.NAME]`", &LOG, &mut LogConfig::new("NAME", "NAME"));
    rows(&mut text, "Each principal: `[[principal]]`", &PRINCIPAL, &mut PrincipalDraft::default());
    text
}

fn rows<T>(text: &mut String, title: &str, keys: &[Key<T>], defaults: &mut T) {
    text.extend(["### ", title, "\n\n| key | default | takes | what it is |\n|---|---|---|---|\n"]);
    for key in keys {
        let value = key.value(defaults);
        let default = if value == Value::Unset {
            "none".to_owned()
        } else if value == Value::Text(String::new()) {
            "must be set".to_owned()
        } else {
            format!("`{}`", key.kind.toml(&value))
        };
        let limits = match key.kind.limits() {
            none if none.is_empty() => key.kind.form().to_owned(),
            limits => limits,
        };
        let none = if key.optional { ", or `\"none\"`" } else { "" };
        let Key { name, about, .. } = key;
        text.extend(["| `", name, "` | ", &default, " | ", &limits, none, " | ", about, " |\n"]);
    }
    text.push('\n');
}
