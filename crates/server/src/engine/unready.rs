//! Why a log takes no appends: [`Unready`].

use std::fmt;

/// Why a log takes no appends. It can be read all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// It was refused when it was opened.
    Refused,
    /// It halted.
    Halted,
    /// Its disk has too little space left.
    DiskSpace,
    /// Its disk refused what was written last; appends are tried all the same.
    NotWritten,
}

impl Unready {
    /// As the code of the error that appends get.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => crate::Code::ReadOnly.as_str(),
            Self::Halted => crate::Code::Halted.as_str(),
            Self::DiskSpace => crate::Code::DiskSpace.as_str(),
            Self::NotWritten => crate::Code::NotWritten.as_str(),
        }
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => {
                "the log was refused when it was opened, since a crash alone can't have left it so (verify it)"
            }
            Self::Halted => "the log has halted after an error of its disk or a change to its files",
            Self::DiskSpace => "the disk has less free space than min_free_space",
            Self::NotWritten => "the disk refused what was written last (is it full?)",
        })
    }
}
