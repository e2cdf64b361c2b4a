//! Runs layers one after another, and tells what became of them.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::args::Args;
use crate::layer::{Layer, Outcome};
use crate::layers;
use crate::need;
use crate::plan::Plan;
use crate::show;

/// What became of a layer.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) layer: &'static Layer,
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
}

#[derive(Debug)]
pub(crate) enum Ended {
    Ran(Outcome),
    /// What it lacks.
    Skipped(String),
    CouldNot(anyhow::Error),
}

/// Runs what was asked for; whether all of it ran and nothing was found.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    if let Some(task) = layers::worker::Task::of(args) {
        return layers::worker::run(&task).map(|()| true);
    }
    let chosen = chosen(&args.layers)?;
    if args.list {
        show::list(&chosen);
        return Ok(true);
    }
    if args.case.is_some() && args.layers.len() != 1 {
        bail!("--case replays a case of one layer: name it");
    }
    let mut told = Vec::new();
    for layer in chosen {
        let plan = Plan::new(args, if args.long { layer.long } else { layer.short })?;
        show::begin(layer, &plan);
        let began = Instant::now();
        let ended = run_layer(layer, &plan);
        let one = Told { layer, ended, took: began.elapsed() };
        show::end(&one, &plan);
        told.push(one);
    }
    show::summary(&told);
    Ok(told.iter().all(|one| match &one.ended {
        Ended::Ran(outcome) => outcome.violations.is_empty(),
        Ended::Skipped(_) => !need::is_strict(),
        Ended::CouldNot(_) => false,
    }))
}

fn run_layer(layer: &Layer, plan: &Plan) -> Ended {
    let missing: Vec<String> = layer.needs.iter().filter_map(|need| need.missing()).collect();
    if !missing.is_empty() {
        return Ended::Skipped(missing.join(", "));
    }
    match (layer.run)(plan) {
        Ok(outcome) if outcome.cases == 0 => Ended::CouldNot(anyhow::anyhow!("it tried nothing")),
        Ok(outcome) => Ended::Ran(outcome),
        Err(error) => Ended::CouldNot(error),
    }
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Layer>> {
    if names.is_empty() {
        return Ok(layers::ALL.to_vec());
    }
    let find = |name: &String| match layers::ALL.iter().find(|layer| layer.name == name) {
        Some(layer) => Ok(*layer),
        None => bail!("no layer is called {name}; --list names them"),
    };
    names.iter().map(find).collect()
}
