//! Running the programs that make, attach and mount.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Runs `program` to its end and gives what it printed; an error says what it said.
pub(super) fn run<A: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = A>,
) -> anyhow::Result<String> {
    run_to(program, args, 0)
}

/// As [`run`], for a program that ends with up to `code` where all is well.
pub(super) fn run_to<A: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = A>,
    code: i32,
) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    let output = command.output().with_context(|| format!("{program} does not run"))?;
    if output.status.code().is_none_or(|ended| ended > code) {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed ({}): {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
