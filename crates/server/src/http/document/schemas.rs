//! What bodies and parameters look like.

use indelible::format::record::SEQ_MAX;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Schema,
    SchemaFormat, Type,
};
use utoipa::openapi::{Ref, RefOr};

use crate::config::Limits;
use crate::read::filter::{GLOB_SIZE_MAX, SESSION_FILTERS_MAX, SESSION_PATH_SIZE_MAX};

/// The named schemas.
pub(super) fn all() -> Vec<(&'static str, RefOr<Schema>)> {
    vec![
        ("Event", event().into()),
        ("Receipt", receipt().into()),
        ("Problem", problem().into()),
        ("LineResult", line_result().into()),
        ("Record", record().into()),
    ]
}

/// A string of so many characters.
pub(in crate::http) fn text(
    size_min: usize,
    size_max: usize,
    pattern: Option<&str>,
) -> ObjectBuilder {
    let text =
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(size_max)).pattern(pattern);
    if size_min > 0 { text.min_length(Some(size_min)) } else { text }
}

/// A whole number from `least` on.
pub(in crate::http) fn whole_number(least: u64, most: Option<u64>) -> ObjectBuilder {
    let bound = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(bound(least)))
        .maximum(most.map(bound))
}

/// A sequence number.
pub(in crate::http) fn seq() -> ObjectBuilder {
    whole_number(0, Some(SEQ_MAX))
}

/// A sequence number that is asked for, whether there can be such a record or not.
pub(in crate::http) fn any_seq() -> ObjectBuilder {
    whole_number(0, Some(u64::MAX)).format(Some(SchemaFormat::Custom("uint64".to_owned())))
}

/// One of a few words.
pub(in crate::http) fn one_of(words: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()))
}

/// A time in RFC 3339.
pub(in crate::http) fn time() -> ObjectBuilder {
    text(1, 64, None).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

fn event() -> ObjectBuilder {
    let entry = "Any JSON object; names twice in one object, unpaired surrogates and nesting deeper than 32 are refused. \
                 Kept as written but for white space: no number becomes a double. Limited by the entry limit, 64 KiB for the \
                 whole record.";
    let object = || ObjectBuilder::new().schema_type(Type::Object).description(Some(entry));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Something that happened. Other members are refused."))
        .property("actor", text(1, 1024, Some("^(?!indelible$)")).description(Some(
            "Who did it: 1 to 1024 bytes, not `indelible`. What a caller may claim can be bound by its principal.",
        )))
        .required("actor")
        .property("action", text(1, 1024, Some("^(?!indelible\\.)")).description(Some(
            "What was done: 1 to 1024 bytes, not beginning with `indelible.`.",
        )))
        .required("action")
        .property("resource", text(1, 1024, None).description(Some("To what: 1 to 1024 bytes.")))
        .required("resource")
        .property("event_id", text(1, 256, None).description(Some(
            "The client's id of the event, 1 to 256 bytes. A retry with the same id and content is recorded once; with other \
             content it is refused.",
        )))
        .property("event_time", time().description(Some("When it happened by the client's clock, RFC 3339.")))
        .property("outcome", one_of(&["success", "failure", "denied", "unknown"]).description(Some("How it ended.")))
        .property("parent_id", text(1, 256, None).description(Some("The `event_id` of the event that this one belongs to.")))
        .property("session", object())
        .property("metadata", object())
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

fn receipt() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "Says that an event is durable, where, and under which hash. Keep it: `indelible verify --receipts` holds a log \
             against it.",
        ))
        .property("log_id", text(32, 32, Some("^[0-9a-f]{32}$")))
        .required("log_id")
        .property("seq", seq())
        .required("seq")
        .property("timestamp", time())
        .required("timestamp")
        .property("hash", text(64, 64, Some("^[0-9a-f]{64}$")).description(Some("The record's `_hash`.")))
        .required("hash")
        .property("duplicate", ObjectBuilder::new().schema_type(Type::Boolean).description(Some(
            "There, and true, where this is the receipt of an earlier append with the same `event_id` and content.",
        )))
}

fn problem() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What went wrong, as RFC 9457 has it."))
        .property("type", text(1, 128, Some("^urn:indelible:problem:[a-z_]+$")))
        .required("type")
        .property("title", text(1, 128, None).description(Some("The same for each code.")))
        .required("title")
        .property("status", whole_number(400, Some(599)))
        .required("status")
        .property(
            "code",
            text(1, 64, Some("^[a-z_]+$"))
                .description(Some("The stable code, as in `docs/operate/errors.md`.")),
        )
        .required("code")
        .property(
            "detail",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("What happened and what to do, for people.")),
        )
        .required("detail")
        .property(
            "instance",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("`urn:indelible:request:` and the id by which the operator finds more; `x-request-id` is the same.")),
        )
        .property(
            "field",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("The field or parameter at fault.")),
        )
        .property(
            "index",
            whole_number(0, None).description(Some("Which event of a batch is at fault, from 0.")),
        )
        .property("resume_seq", seq().description(Some("From which record on to go on.")))
}

fn line_result() -> OneOfBuilder {
    let failed = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("The event has no receipt."))
        .property("outcome", one_of(&["rejected", "indeterminate"]).description(Some(
            "`rejected`: not written. `indeterminate`: perhaps written; retry with the same `event_id`.",
        )))
        .required("outcome")
        .property("error", Ref::from_schema_name("Problem"))
        .required("error");
    OneOfBuilder::new()
        .item(Ref::from_schema_name("Receipt"))
        .item(failed)
        .description(Some("What became of one line: a receipt, or why there is none."))
}

fn record() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "A record as it is stored: the bytes of the body but for the last line feed are the line that `_hash` is computed \
             over, as `docs/spec/record.md` says. Parsing and writing them again loses that.",
        ))
        .property("seq", seq())
        .required("seq")
        .property("timestamp", time())
        .required("timestamp")
        .property("_prev_hash", text(64, 64, None))
        .required("_prev_hash")
        .property("_hash", text(64, 64, None))
        .required("_hash")
}

/// Lines of JSON, as text: no schema language looks into them.
pub(in crate::http) fn json_lines() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// The filters that are globs.
pub(super) const GLOBS: [(&str, &str); 6] = [
    (
        "actor",
        "Glob for `actor`: `*` any characters, `?` one, a backslash takes the next as it is; at most 2048 bytes.",
    ),
    ("action", "Glob for `action`."),
    ("resource", "Glob for `resource`."),
    ("outcome", "Glob for `outcome`."),
    ("event_id", "Glob for `event_id`."),
    ("recorded_by", "Glob for `recorded_by`, the principal that sent it."),
];

/// A glob.
pub(super) fn glob() -> ObjectBuilder {
    text(0, GLOB_SIZE_MAX, Some(r"^([^\\]|\\[\s\S])*$"))
}

/// Conditions on members of `session`.
pub(super) fn session() -> ArrayBuilder {
    let condition = r"^([^.\\=]|\\[\s\S])+(\.([^.\\=]|\\[\s\S])+)*=([^\\]|\\[\s\S])*$";
    let size_max = SESSION_PATH_SIZE_MAX + 1 + GLOB_SIZE_MAX;
    ArrayBuilder::new()
        .items(text(2, size_max, Some(condition)))
        .max_items(Some(SESSION_FILTERS_MAX))
}

/// The limits that hold unless the operator sets others.
pub(in crate::http) fn limits() -> Limits {
    Limits::default()
}
