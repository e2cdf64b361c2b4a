//! The flags.

use std::path::PathBuf;

use clap::Parser;

/// Breaks the disk, the process, the clock and the files under indelible, and shows that nothing is lost and nothing lies.
///
/// Without LAYER, every layer runs. Exits with 1 where one of them found something, or could not run.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(name = "indelible-torture", version)]
pub(crate) struct Args {
    /// Which layers; `--list` names them.
    #[arg(value_name = "LAYER")]
    pub(crate) layers: Vec<String>,
    /// Lists the layers: what each breaks, how often, and what it needs.
    #[arg(long)]
    pub(crate) list: bool,
    /// The long form: many more cases, from a new seed where none is given.
    #[arg(long)]
    pub(crate) long: bool,
    /// What every case is made from.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// How many cases, instead of what the form asks for.
    #[arg(long, value_name = "COUNT")]
    pub(crate) cases: Option<u64>,
    /// Replays one case.
    #[arg(long, value_name = "NUMBER", conflicts_with = "cases")]
    pub(crate) case: Option<u64>,
    /// The command `indelible` that is driven; the one beside this program unless given.
    #[arg(long, value_name = "FILE", env = "INDELIBLE")]
    pub(crate) binary: Option<PathBuf>,
    /// Where layers that need files make their folders.
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    pub(crate) scratch: PathBuf,
    /// Keeps the folder of a case that failed.
    #[arg(long)]
    pub(crate) keep: bool,
    /// What the layers on block devices start: a process that appends to the log in this folder.
    #[arg(long, value_name = "FOLDER", hide = true, requires = "tell")]
    pub(crate) worker: Option<PathBuf>,
    /// Where that process writes its acknowledgements down.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) tell: Option<PathBuf>,

    /// Nobody but the log itself syncs the file system meanwhile.
    #[arg(long, hide = true, requires = "worker")]
    pub(crate) alone: bool,
    /// Somebody else syncs it right before one sync of the log's, and the device breaks before theirs.
    #[arg(long, hide = true, requires = "worker", conflicts_with = "alone")]
    pub(crate) staged: bool,
}
