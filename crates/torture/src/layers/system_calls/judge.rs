//! One run, and everything that must hold after it.

#![expect(clippy::disallowed_methods, reason = "keeps what an auditor would keep")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use indelible::storage::Storage;
use indelible::storage::local::LocalStorage;
use indelible::{Options, Receipt};

use super::Case;
use super::calls::Fault;
use super::scenarios::KEPT;
use crate::command::{self, Ended};
use crate::invariants::{self, Left, Sent};
use crate::layer::Outcome;

/// Tries one; whether the call came.
pub(super) fn run(
    binary: &Path,
    case: &Case<'_>,
    place: &Path,
    outcome: &mut Outcome,
) -> anyhow::Result<bool> {
    command::copy(&case.scenario.template, place)?;
    let trace = place.join("trace.txt");
    let mut strace = case.call.inject(case.fault, place, &trace);
    let ended = command::run(strace.arg(binary).args(&case.scenario.args), place)?;
    let told = fs::read_to_string(&trace).unwrap_or_default();
    let mut after = After { binary, case, place, ended, found: Vec::new(), receipts: Vec::new() };
    let met = match case.fault {
        Fault::Kill => after.ended.signal == Some(9),
        Fault::Once(..) | Fault::Always(..) => told.contains("(INJECTED)"),
    };
    after.exit(met);
    outcome.count(
        match (after.ended.code, after.ended.signal) {
            (Some(0), _) => "ended well",
            (_, Some(_)) => "killed",
            _ => "failed and said so",
        },
        1,
    );
    after.state()?;
    for what in after.found {
        outcome.violation(case.id, format!("{}: {what}", case.text()));
    }
    Ok(met)
}

/// A run that is over.
struct After<'a> {
    binary: &'a Path,
    case: &'a Case<'a>,
    place: &'a Path,
    ended: Ended,
    found: Vec<String>,
    /// Every receipt that was ever printed.
    receipts: Vec<Receipt>,
}

impl After<'_> {
    /// The exit code is one of those that are told of, and stderr says what failed, where and why.
    fn exit(&mut self, met: bool) {
        let must_tell = self.must_tell();
        let is_repair = self.case.scenario.name == "repair";
        let Ended { code, signal, hung, stderr, stdout } = &self.ended;
        let mut wrong =
            |what: String| self.found.push(format!("{what}; stderr: {}", stderr.trim()));
        if *hung {
            return wrong("it hangs".to_owned());
        }
        if stderr.contains("panicked") {
            wrong("it panicked".to_owned());
        }
        match (self.case.fault.errno().filter(|_| met), code, signal) {
            (None, None, Some(9)) if self.case.fault == Fault::Kill => {}
            (_, Some(0), None) => {
                if met && must_tell {
                    wrong("it ended well".to_owned());
                }
            }
            // What can't be read is damage; the report says which and why.
            (Some(errno), Some(3), None) if is_repair => {
                // The report is broken into lines.
                let report: Vec<_> = stdout.split_whitespace().collect();
                if !report.join(" ").contains(&format!("(os error {errno})")) {
                    wrong(format!("the cause is not told; stdout: {stdout}"));
                }
            }
            (Some(errno), Some(1), None) => {
                if !stderr.starts_with("indelible: ") {
                    wrong("stderr does not begin as it should".to_owned());
                }
                if !stderr.contains(&format!("(os error {errno})")) {
                    wrong("the cause is not told".to_owned());
                }
                if !stderr.contains(&self.place.join("audit").display().to_string()) {
                    wrong("the path is not told".to_owned());
                }
                if !stderr.contains("could not ") {
                    wrong("the operation is not told".to_owned());
                }
            }
            other => wrong(format!("it ended with {other:?}")),
        }
    }

    /// Whether the call is one whose failure nothing but an error can answer.
    fn must_tell(&self) -> bool {
        let call = self.case.call;
        let is_interrupted = self.case.fault == Fault::Once("EINTR", 4);
        let is_retried = is_interrupted
            && ["write", "pwrite64", "ftruncate", "utimensat"].contains(&call.name.as_str());
        let is_text = call.path.ends_with("/lock");
        // The last asks whether the sync before it can be believed.
        let names = ["fdatasync", "fsync", "write", "rename", "ftruncate", "utimensat"];
        !is_retried && !is_text && names.iter().any(|name| call.name.contains(name))
    }

    /// The log is as it should be, whoever looks first.
    fn state(&mut self) -> anyhow::Result<()> {
        let scenario = self.case.scenario;
        let audit = self.place.join("audit");
        let kept = self.keep()?;
        if audit.exists() && scenario.name != "repair" {
            self.verify(&["--strict"], &[0, 4])?;
        }
        let mut sent = Sent::default();
        if scenario.prunes() {
            sent.prunes(KEPT..=KEPT);
        }
        for (receipt, resource) in &scenario.receipts {
            sent.acknowledge(resource, *receipt);
            self.receipts.push(*receipt);
        }
        let lines = if scenario.appends() { scenario.events.len() } else { 0 };
        let account = Account::of(&self.ended, lines);
        scenario.events.iter().for_each(|resource| sent.send(resource));
        let printed = if scenario.appends() { self.ended.receipts()? } else { Vec::new() };
        if account.recorded.len() != printed.len() && self.ended.signal.is_none() {
            let (said, printed) = (account.recorded.len(), printed.len());
            self.found.push(format!(
                "{said} lines are told to be recorded, {printed} receipts printed: {}",
                self.ended.stderr
            ));
        }
        for (receipt, line) in printed.iter().zip(&account.recorded) {
            if let Some(resource) = scenario.events.get(*line) {
                sent.acknowledge(resource, *receipt);
            }
            self.receipts.push(*receipt);
        }
        if audit.exists() && scenario.creates() && self.ended.code == Some(0) {
            sent.created();
        }
        let command_first =
            self.case.id % 2 == 1 || scenario.creates() || scenario.name == "repair";
        if command_first {
            self.again(&mut sent)?;
            self.check(&sent)?;
        } else {
            // "Nothing was appended" says nothing of what was there before.
            for line in account.refused.iter().filter(|_| !scenario.sent_before) {
                if let Some(resource) = scenario.events.get(*line) {
                    sent.not_written(resource);
                }
            }
            self.check(&sent)?;
            self.again(&mut sent)?;
        }
        self.anchored(kept.as_deref())
    }

    /// The checkpoint that stands in the folder: signed, so it must hold for ever.
    fn keep(&self) -> anyhow::Result<Option<PathBuf>> {
        let checkpoint = self.place.join("audit/checkpoint");
        if !checkpoint.exists() {
            return Ok(None);
        }
        let kept = self.place.join("kept.txt");
        fs::copy(checkpoint, &kept)?;
        Ok(Some(kept))
    }

    /// The library opens it, twice.
    fn check(&mut self, sent: &Sent) -> anyhow::Result<()> {
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new()?);
        let folder = self.place.join("audit");
        let left = Left {
            storage: &storage,
            folder: &folder,
            options: &Options::default(),
            needs_repair: false,
        };
        self.found.extend(invariants::check(left, sent));
        Ok(())
    }

    /// The same command without a fault does what it should have done, and each event is recorded once.
    fn again(&mut self, sent: &mut Sent) -> anyhow::Result<()> {
        let scenario = self.case.scenario;
        if scenario.name.starts_with("init") && self.place.join("audit").exists() {
            return Ok(());
        }
        let mut healthy = Command::new(self.binary);
        let ended = command::run(healthy.args(&scenario.args), self.place)?;
        // A repair has nothing left to do.
        if ended.code != Some(0) {
            self.found.push(format!(
                "without a fault it ends with {:?}: {}",
                ended.code.or(ended.signal),
                ended.stderr.trim()
            ));
        }
        if !scenario.appends() {
            return Ok(());
        }
        let receipts = ended.receipts()?;
        if receipts.len() != scenario.events.len() {
            self.found.push(format!("{} receipts the second time", receipts.len()));
        }
        for (index, (receipt, resource)) in receipts.iter().zip(&scenario.events).enumerate() {
            let first = self.receipts.iter().find(|first| first.seq == receipt.seq);
            if let Some(first) = first
                && !(command::is_same(first, receipt) && receipt.duplicate)
            {
                self.found.push(format!("line {index}: first {first}, then {receipt}"));
            }
            sent.acknowledge(resource, *receipt);
        }
        self.receipts.extend(receipts);
        Ok(())
    }

    /// The command verifies it against all that anybody kept.
    fn anchored(&mut self, kept: Option<&Path>) -> anyhow::Result<()> {
        let mut lines: BTreeSet<String> = BTreeSet::new();
        for receipt in &self.receipts {
            lines.insert(receipt.to_string());
        }
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        fs::write(self.place.join("receipts.jsonl"), text)?;
        let mut args = vec!["--strict"];
        if !self.receipts.is_empty() {
            args.extend(["--receipts", "receipts.jsonl"]);
        }
        if kept.is_some() {
            args.extend(["--checkpoint", "kept.txt"]);
        }
        let key = self.case.scenario.key.as_deref();
        if let Some(key) = key {
            args.extend(["--key", key, "--require-anchor"]);
        }
        self.verify(&args, &[0])
    }

    fn verify(&mut self, args: &[&str], codes: &[i32]) -> anyhow::Result<()> {
        let mut verify = Command::new(self.binary);
        let ended = command::run(verify.args(["verify", "audit"]).args(args), self.place)?;
        if !ended.code.is_some_and(|code| codes.contains(&code)) {
            let told = format!("{}{}", ended.stdout, ended.stderr);
            self.found.push(format!("verify ends with {:?}: {}", ended.code, told.trim()));
        }
        Ok(())
    }
}

/// What `append` says of its lines, counted from 0.
struct Account {
    recorded: Vec<usize>,
    refused: Vec<usize>,
}

impl Account {
    fn of(ended: &Ended, lines: usize) -> Self {
        let told = &ended.stderr;
        let without_checkpoint = told.contains("closed without a last checkpoint");
        let is_whole = without_checkpoint && !told.contains(" line ");
        if ended.code == Some(0) || ended.signal.is_some() || is_whole {
            return Self { recorded: (0..lines).collect(), refused: Vec::new() };
        }
        let mut account = Self { recorded: Vec::new(), refused: Vec::new() };
        for part in ended.stderr.split(['\n', ';']) {
            let part = part.trim().trim_start_matches("indelible: ");
            let numbers: Vec<usize> =
                part.split(' ').filter_map(|word| word.parse().ok()).collect();
            let one = part.starts_with("line ");
            let Some(&first) = numbers.first() else { continue };
            let last = if one { first } else { numbers.get(1).copied().unwrap_or(first) };
            if part.starts_with("nothing from line ") {
                account.refused.extend(first.saturating_sub(1)..lines);
            } else if !one && !part.starts_with("lines ") {
            } else if part.contains(" recorded as seq ") || part.contains(" been recorded before") {
                account.recorded.extend(first.saturating_sub(1)..last);
            } else if part.contains(" not appended") {
                account.refused.extend(first.saturating_sub(1)..last);
            }
        }
        account
    }
}
