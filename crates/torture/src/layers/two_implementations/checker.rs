//! The independent checker, one process for many folders.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context;
use indelible::format::note::VerifierKey;

const LOOP: &str = "
import json, sys
sys.path.insert(0, sys.argv[1])
import check_log
for line in sys.stdin:
    asked = json.loads(line)
    got = check_log.check(asked['folder'], asked['keys'])
    word = 'broken' if not got['ok'] else 'torn' if 'torn' in got else 'sound'
    print(word, repr(got.get('why') or got.get('torn') or ''), flush=True)
";

/// A process that checks one folder after another.
#[derive(Debug)]
pub(crate) struct Checker {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Checker {
    pub(crate) fn start(reference: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new("python3")
            .args(["-B", "-c", LOOP])
            .arg(reference)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("python3 does not start")?;
        let answers = BufReader::new(process.stdout.take().context("it has no output")?);
        Ok(Self { process, answers })
    }

    /// Verdict and reason.
    pub(crate) fn check(
        &mut self,
        folder: &Path,
        keys: &[VerifierKey],
    ) -> anyhow::Result<(String, String)> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let asked = serde_json::json!({"folder": folder, "keys": keys});
        let stdin = self.process.stdin.as_mut().context("it has no input")?;
        writeln!(stdin, "{asked}")?;
        stdin.flush()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let said = answer.trim_end().split_once(' ').context("the checker does not answer")?;
        Ok((said.0.to_owned(), said.1.to_owned()))
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _status = self.process.wait();
    }
}
