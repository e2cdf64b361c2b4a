//! `indelible repair`: shows what a repair would do, and does it when told.

use std::path::PathBuf;

use clap::Args;
use indelible::{Repair as Repairing, RepairPlan};

use super::recovery;
use crate::exit::Exit;
use crate::flags::Opening;
use crate::hint::quote;
use crate::render::{self, Output};

const EXAMPLES: &str = "\
Examples:
  indelible repair audit                   look, say what would be done, and change nothing
  indelible repair audit --yes             do it

Exit status: 0 nothing to repair, or repaired; 4 there is something that --yes repairs; 3 something
is wrong that can't be repaired, and nothing was done; 1 could not look, or not do it; 2 wrong usage.";

/// Say what could be repaired in a log, and repair it with --yes
///
/// Repairs what a crash left at the end of a log, as every opening for appending does, and one thing more: tree rows that are
/// absent or wrong, which a failing disk or a bad copy leaves. They are rebuilt from the records, if those give the root that
/// was signed, and only then.
///
/// Never changes a record. A record that was damaged can be restored from a copy of the log, not repaired. Where anything
/// is tampered with, missing or damaged that can't be repaired, changes nothing at all: such a log is evidence. What is
/// wrong is told in the words of `verify`. Reads the whole log; nothing else may append to it meanwhile.
///
/// Records that no checkpoint covers yet, as a backup of a running log may have at its end, are no fault: the next opening
/// for appending adopts them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Repair {
    /// The log's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// Do it, instead of only saying what would be done
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    opening: Opening,
}

impl Repair {
    /// Prints the plan, and carries it out if told.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        super::must_exist(&self.dir)?;
        let repair = Repairing::look(&self.dir, self.opening.options())?;
        let plan = repair.plan().clone();
        let mut output = Output::stdout();
        output.text(&told(&plan, self.yes))?;
        output.flush()?;
        if let Some(unsigned) = &plan.adopts {
            render::note(format_args!(
                "records {} to {} lie beyond every signature, as a copy of a running log or a crash leaves them: the next \
                 opening for appending adopts them, and says so in the log",
                unsigned.from_seq, unsigned.to_seq
            ));
        }
        if !plan.left.is_empty() {
            self.tell_the_way_on();
        }
        if !self.yes {
            if !plan.steps.is_empty() {
                render::hint(format_args!(
                    "nothing was changed; to do it: indelible repair {} --yes",
                    quote(&self.dir)
                ));
            }
            return Ok(exit(&plan, plan.steps.is_empty()));
        }
        let repaired = repair.run()?;
        for row in &repaired.rows {
            render::note(format_args!("tree/{row} is rebuilt from the records"));
        }
        if let Some(recovery) = &repaired.recovery {
            recovery::tell(recovery);
        }
        Ok(exit(&plan, true))
    }

    fn tell_the_way_on(&self) {
        let dir = quote(&self.dir);
        render::note("nothing was changed: a log with such a fault is evidence");
        render::hint(format_args!(
            "copy the whole folder away first (cp -a), before anything else writes to it; `indelible verify {dir}` says \
             more. What is damaged can be restored from a backup, or from another copy; to go on without it, make a new \
             log that takes over: indelible init NEW --continues {dir} --reason '…'"
        ));
    }
}

/// What the plan comes to.
fn exit(plan: &RepairPlan, done: bool) -> Exit {
    match (plan.left.is_empty(), done) {
        (false, _) => Exit::NotSound,
        (true, true) => Exit::Fine,
        (true, false) => Exit::Torn,
    }
}

fn told(plan: &RepairPlan, does_it: bool) -> String {
    let mut text = String::new();
    if plan.steps.is_empty() && plan.left.is_empty() {
        text.push_str("nothing to repair\n");
    }
    if !plan.steps.is_empty() {
        text.push_str(if does_it { "to do:\n" } else { "would do:\n" });
        plan.steps.iter().for_each(|step| item(&mut text, &step.to_string()));
    }
    if !plan.left.is_empty() {
        text.push_str("can't be repaired:\n");
        let left = plan.left.iter().map(|finding| format!("{}: {finding}", finding.class));
        left.for_each(|finding| item(&mut text, &finding));
    }
    text
}

/// One thing, in lines as wide as the terminal, indented by two, and by four where it goes on.
fn item(text: &mut String, words: &str) {
    let (columns, mut at) = (render::columns(), 0);
    for word in words.split(' ') {
        let size = word.chars().count();
        if at == 0 {
            text.push_str("  ");
            at = 2;
        } else if at + 1 + size > columns {
            text.push_str("\n    ");
            at = 4;
        } else {
            text.push(' ');
            at += 1;
        }
        text.push_str(word);
        at += size;
    }
    text.push('\n');
}
