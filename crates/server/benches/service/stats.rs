//! Medians, percentiles and how they are told.

/// Prints the rates of both sides, and how many times as fast the second one is.
pub(crate) fn report(names: (&str, &str), pairs: &[(f64, f64)], floor: f64) {
    let (first, second) =
        (median(pairs.iter().map(|pair| pair.0)), median(pairs.iter().map(|pair| pair.1)));
    let ratios = || pairs.iter().map(|(first, second)| second / first);
    let least = ratios().fold(f64::INFINITY, f64::min);
    println!("median {:>18}: {first:9.0}/s", names.0);
    println!("median {:>18}: {second:9.0}/s", names.1);
    println!(
        "ratio: medians {:.2}x, median of the pairs {:.2}x, least {least:.2}x (floor: {floor}x)",
        second / first,
        median(ratios())
    );
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    percentile(values.collect(), 0.5)
}

/// The value below which that part of all values lies.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a length is an index"
)]
pub(crate) fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * part) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
