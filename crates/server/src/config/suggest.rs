//! "Is … meant?": the known word that is closest to one that is not known.

/// Most letters that may differ, for each three that there are.
const DISTANCE_PER_LETTERS: usize = 3;

/// The closest of `known`, where one is close enough that it may have been meant.
pub(crate) fn closest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let most = (given.chars().count() / DISTANCE_PER_LETTERS).max(1);
    known
        .map(|word| (strsim::damerau_levenshtein(given, word), word))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, word)| word.to_owned())
}

/// The closest key: by its whole path, as the first key of the table whose name it has, or by its last part where it stands in the wrong table.
pub(super) fn closest_key(given: &str, known: &[String]) -> Option<String> {
    let last = |key: &str| key.rsplit_once('.').map_or(key, |(_, last)| last).to_owned();
    let whole = closest(given, known.iter().map(String::as_str));
    let of_table = || {
        let is_in =
            |key: &&String| key.strip_prefix(given).is_some_and(|rest| rest.starts_with('.'));
        known.iter().find(is_in).cloned()
    };
    whole.or_else(of_table).or_else(|| {
        let part = last(given);
        known.iter().find(|key| last(key) == part).cloned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_close_is_suggested_and_nothing_else() {
        let known = ["limits.request_size_max", "limits.batch_events_max", "telemetry.level"];
        let known: Vec<String> = known.map(str::to_owned).to_vec();
        let suggested = |given: &str| closest_key(given, &known);
        assert_eq!(suggested("limits.request_siz_max").as_deref(), Some("limits.request_size_max"));
        assert_eq!(suggested("request_size_max").as_deref(), Some("limits.request_size_max"));
        assert_eq!(suggested("timeouts.level").as_deref(), Some("telemetry.level"));
        assert_eq!(suggested("limits").as_deref(), Some("limits.request_size_max"));
        assert_eq!(suggested("colour"), None);
    }
}
