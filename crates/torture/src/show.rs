//! What is printed.

use comfy_table::{Table, presets};

use crate::bench::{Ended, Told};
use crate::cases::COULD_NOT;
use crate::layer::Layer;
use crate::need::Need;
use crate::plan::Plan;

/// How many violations of a layer are told.
const TOLD_MAX: usize = 10;

pub(crate) fn list(layers: &[&Layer]) {
    for layer in layers {
        let needs: Vec<&str> = layer.needs.iter().copied().map(Need::name).collect();
        println!("{}", layer.name);
        println!("  {}", layer.about);
        println!(
            "  short form {}, long form {} {}",
            grouped(layer.short),
            grouped(layer.long),
            layer.cases
        );
        if !needs.is_empty() {
            println!("  needs {}", needs.join(", "));
        }
    }
}

pub(crate) fn begin(layer: &Layer, plan: &Plan) {
    let cases = plan.only.map_or_else(
        || format!("{} {}", grouped(plan.cases), layer.cases),
        |case| format!("case {case}"),
    );
    println!("-- {}: {cases}, seed {}", layer.name, plan.seed);
}

pub(crate) fn end(told: &Told, plan: &Plan) {
    let layer = told.layer;
    match &told.ended {
        Ended::Skipped(missing) => println!("SKIPPED: {}: it needs {missing}", layer.name),
        Ended::CouldNot(error) => {
            println!("FAILED: {}: {COULD_NOT}{error:#}", layer.name);
            println!("  replay: {}", replay(layer, plan, None));
        }
        Ended::Ran(outcome) => {
            for (what, count) in &outcome.counts {
                println!("  {what}: {}", grouped(*count));
            }
            for violation in outcome.violations.iter().take(TOLD_MAX) {
                println!("FAILED: {}: {}", layer.name, violation.what);
                println!("  replay: {}", replay(layer, plan, violation.case));
            }
            if let Some(more) =
                outcome.violations.len().checked_sub(TOLD_MAX).filter(|more| *more > 0)
            {
                println!("FAILED: {}: {more} more", layer.name);
            }
        }
    }
}

pub(crate) fn summary(told: &[Told]) {
    let mut table = table(&["layer", "cases", "found", "seconds"]);
    for one in told {
        let (cases, found) = match &one.ended {
            Ended::Ran(outcome) => (
                format!("{} {}", grouped(outcome.cases), one.layer.cases),
                match outcome.violations.len() {
                    0 => "nothing".to_owned(),
                    count => format!("{count} violations"),
                },
            ),
            Ended::Skipped(_) => (String::new(), "SKIPPED".to_owned()),
            Ended::CouldNot(_) => (String::new(), "could not run".to_owned()),
        };
        let took = format!("{:.1}", one.took.as_secs_f64());
        table.add_row([one.layer.name.to_owned(), cases, found, took]);
    }
    println!("{table}");
}

/// The command that tries it again.
fn replay(layer: &Layer, plan: &Plan, case: Option<u64>) -> String {
    let which = match case {
        Some(case) => format!("--case {case}"),
        None => format!("--cases {}", plan.cases),
    };
    // The long form has cases that the short one has not.
    let form = if plan.long { " --long" } else { "" };
    let (name, seed) = (layer.name, plan.seed);
    format!("cargo run --release -p indelible-torture -- {name} --seed {seed}{form} {which}")
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    table
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1234), "1,234");
        assert_eq!(grouped(200_000), "200,000");
    }
}
