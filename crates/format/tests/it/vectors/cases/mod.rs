//! Lines with the reason why a reader takes or refuses them, each an entry that is sealed with its right hash.

mod accepted;
mod rejected;

pub(super) use accepted::accepted;
pub(super) use rejected::rejected;

const T: &str = r#"{"seq":0,"timestamp":"2026-01-02T03:04:05.000000000Z","#;
const ABC: &str = r#""actor":"a","action":"b","resource":"c""#;
const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const PLACES: &str = r#"["127.0.0.1:8080","unix:/run/indelible.sock"]"#;
const LOG_ID: &str = "000102030405060708090a0b0c0d0e0f";
const KEY: &str = "example.com/audit+29b87bfc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const TIME: &str = "2026-01-02T03:04:05.000000000Z";
const TO_SECONDS: &str = "2026-01-02T03:04:05";
/// A signature line that is well formed, and signs nothing here.
const SIGNED: &str = "\u{2014} example.com/audit Kbh7/EJ6LJBHixVP6CwJaJs39hSk6TzCwNupVwim0MAsNJaSCBSHjn2c7XA3i4BLfP5wi84xfunfELs9p1XzmjiEJAY=";

type Case = (String, Vec<u8>);

fn case(why: &str, entry: impl Into<Vec<u8>>) -> Case {
    (why.to_owned(), entry.into())
}

/// An entry with these fields after the head.
fn fields(fields: &str) -> String {
    format!("{T}{fields}}}")
}

/// An entry with these fields after the required ones.
fn more(fields: &str) -> String {
    format!("{T}{ABC},{fields}}}")
}

/// A record of the log's own.
fn own(action: &str, metadata: &str) -> String {
    fields(&format!(
        r#""actor":"indelible","action":"indelible.{action}","resource":"example.com/audit","metadata":{metadata}"#
    ))
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    more(&format!(r#""session":{{"x":{}{}}}"#, open.repeat(depth - 1), close.repeat(depth - 1)))
}

fn service_start(change: impl Fn(String) -> String) -> String {
    let members = format!(
        r#"{{"version":"0.4.0","pid":4711,"listeners":{PLACES},"configuration":"{HASH}","authentication":"required"}}"#
    );
    own("service.start", &change(members))
}

fn service_configure(change: impl Fn(String) -> String) -> String {
    let members = format!(r#"{{"what":"tokens","before":"{HASH}","after":"{HASH}"}}"#);
    own("service.configure", &change(members))
}

fn service_refuse(change: impl Fn(String) -> String) -> String {
    let members = format!(
        r#"{{"kind":"principal","who":"agent-7","reason":"role","count":3,"since":"{TIME}","until":"{TIME}"}}"#
    );
    own("service.refuse", &change(members))
}

fn create(change: impl Fn(String) -> String) -> String {
    let members =
        format!(r#"{{"format":1,"log_id":"{LOG_ID}","origin":"example.com/audit","key":"{KEY}"}}"#);
    own("log.create", &change(members))
}

fn prune(change: impl Fn(String) -> String) -> String {
    let members = format!(
        r#"{{"format":1,"log_id":"{LOG_ID}","origin":"example.com/audit","keys":["{KEY}"],"first_kept_seq":6,"last_pruned_hash":"{HASH}","files":1,"reason":"max_files","signed":"{SIGNED}"}}"#
    );
    own("log.prune", &change(members))
}

fn redact(change: impl Fn(String) -> String) -> String {
    let members = format!(
        r#"{{"seq":3,"hash":"{HASH}","timestamp":"{TIME}","reason":"x","signed":"{SIGNED}"}}"#
    );
    own("log.redact", &change(members))
}

fn recover(change: impl Fn(String) -> String) -> String {
    let members = format!(
        r#"{{"file":"audit.log","offset":10,"length":3,"sha256":"{HASH}","kind":"nul","quarantine":"0-x"}}"#
    );
    own("log.recover", &change(members))
}
