//! The only exit codes of the command.

use std::process::ExitCode;

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: it was done, and what was verified is sound.
    Fine,
    /// 1: it could not be done.
    CouldNot,
    /// 2: the command line makes no sense.
    Usage,
    /// 3: verification found tampering, damage or something missing.
    NotSound,
    /// 4: sound, but with a torn tail that the next open repairs.
    Torn,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::CouldNot => 1,
            Exit::Usage => 2,
            Exit::NotSound => 3,
            Exit::Torn => 4,
        })
    }
}
