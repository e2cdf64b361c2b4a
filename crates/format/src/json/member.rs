//! Looks up one member of a document by its path.
//!
//! Invariant: a number comes out as it lies, never converted.

use std::borrow::Cow;

use super::{Fault, Scanner};

/// What the member at `path` of `document` says: a string unescaped, a number, `true` or `false` as it lies. `None` where
/// there is none, where it is anything else, or where `document` is no strict JSON object.
pub(crate) fn scalar_at<'a>(document: &'a str, path: &[impl AsRef<str>]) -> Option<Cow<'a, str>> {
    let mut value = document;
    for name in path {
        value = member(value, name.as_ref())?;
    }
    match value.as_bytes().first()? {
        b'"' => Scanner::<false>::over(value, 0).string().ok().map(super::Text::decode),
        b'-' | b'0'..=b'9' | b't' | b'f' => Some(Cow::Borrowed(value)),
        _ => None,
    }
}

/// The value of the member `name` of `object`, as it lies.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    let mut scanner = Scanner::<false>::over(object, 0);
    let passed = scanner.members::<Fault>(|scanner, text, _| {
        let start = scanner.offset();
        scanner.value(2)?;
        if found.is_none() && text.decode() == name {
            found = Some(scanner.since(start));
        }
        Ok(())
    });
    passed.ok().and(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"id":"s-1","user":{"name":"m\u0069a","n":007e,"age":1.0},"big":123456789012345678901234567890,"a.b":"dot","no":null,"on":true,"list":["x"]}"#;

    #[test]
    fn members_are_found_by_path_and_said_as_they_lie() {
        let document = DOCUMENT.replace("007e", "-7e1");
        let at = |path: &[&str]| scalar_at(&document, path).map(Cow::into_owned);
        assert_eq!(at(&["id"]).as_deref(), Some("s-1"));
        assert_eq!(at(&["user", "name"]).as_deref(), Some("mia"));
        assert_eq!(at(&["user", "age"]).as_deref(), Some("1.0"));
        assert_eq!(at(&["user", "n"]).as_deref(), Some("-7e1"));
        assert_eq!(at(&["big"]).as_deref(), Some("123456789012345678901234567890"));
        assert_eq!(at(&["a.b"]).as_deref(), Some("dot"));
        assert_eq!(at(&["on"]).as_deref(), Some("true"));
        for path in [&["no"][..], &["user"], &["list"], &["absent"], &["id", "x"], &["a", "b"], &[]]
        {
            assert_eq!(at(path), None, "{path:?}");
        }
    }

    #[test]
    fn nothing_is_found_in_what_is_no_strict_object() {
        assert_eq!(scalar_at(DOCUMENT, &["id"]), None);
        assert_eq!(scalar_at("", &["id"]), None);
        assert_eq!(scalar_at("[]", &["id"]), None);
    }
}
