//! What a layer needs of the machine.

use std::path::Path;
use std::process::{Command, Stdio};

/// Something that a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To be root: mounting, loop devices.
    Root,
    /// `/dev/loop-control`.
    LoopDevices,
    /// `/dev/fuse`.
    Fuse,
    /// A program on the path.
    Program(&'static str),
    /// `../shared/reference` beside the repository (or `INDELIBLE_SHARED`), and a Python with `cryptography`.
    Reference,
}

impl Need {
    /// What is missing, if it is.
    pub(crate) fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "root".to_owned()),
            Self::LoopDevices => missing_file("/dev/loop-control"),
            Self::Fuse => missing_file("/dev/fuse"),
            Self::Program(name) => (!runs(name, &["--version"]) && !runs(name, &["-V"]))
                .then(|| format!("the program {name}")),
            Self::Reference => {
                if !shared().join("reference/check_log.py").is_file() {
                    return Some("shared/reference beside the repository".to_owned());
                }
                (!runs("python3", &["-c", "import cryptography"]))
                    .then(|| "python3 with the package cryptography".to_owned())
            }
        }
    }

    /// Its name in a list.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::LoopDevices => "loop devices",
            Self::Fuse => "FUSE",
            Self::Program(name) => name,
            Self::Reference => "the independent checker",
        }
    }
}

/// Whether nothing may be skipped here: what is skipped is a failure then.
pub(crate) fn is_strict() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// The folder beside the repository that holds the independent checker.
pub(crate) fn shared() -> std::path::PathBuf {
    std::env::var_os("INDELIBLE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), Into::into)
}

fn missing_file(path: &str) -> Option<String> {
    (!Path::new(path).exists()).then(|| path.to_owned())
}

fn runs(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
