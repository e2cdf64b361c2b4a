//! `indelible backup`: copies a log, also one that is being appended to.

use std::path::PathBuf;

use clap::Args;
use indelible::backup;

use crate::exit::Exit;
use crate::hint::quote;
use crate::render;

const EXAMPLES: &str = "\
Examples:
  indelible backup audit /mnt/backup/audit-$(date +%F)
  indelible backup audit copy && indelible verify copy --key 'example.com/audit+…'";

/// Copy a log, while it is being appended to or not
///
/// DEST must not exist, or be an empty folder; it appears under its name only once it is whole and on the disk, and stands
/// beside it as DEST.partial until then. The copy is consistent in itself and verifies. It holds every whole record that was
/// there, also those that no checkpoint covers yet; what was being written at that moment is left out.
///
/// The private key is not in it: keep one copy of that locked away, apart.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Backup {
    /// The log's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// The folder to make
    #[arg(value_name = "DEST")]
    destination: PathBuf,
}

impl Backup {
    /// Copies, and says what was copied and how to check it.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        super::must_exist(&self.dir)?;
        let copied = backup(&self.dir, &self.destination)?;
        let records = match (copied.first_seq, copied.last_seq) {
            (Some(first), Some(last)) => format!("records {first} to {last}"),
            _ => "no record that can be told".to_owned(),
        };
        let covered = match copied.checkpoint_size {
            Some(size) => format!("its checkpoint covers {size} records"),
            None => "there is no checkpoint in it".to_owned(),
        };
        render::note(format_args!(
            "copied {} to {}: {records}, files: {}, bytes: {}; {covered}",
            self.dir.display(),
            self.destination.display(),
            copied.segments,
            copied.bytes
        ));
        if copied.left_out > 0 {
            render::note(format_args!(
                "{} bytes behind the last whole line were left out: in flight, or torn by a crash",
                copied.left_out
            ));
        }
        render::hint(format_args!(
            "check it: indelible verify {} --key '…'   (the key that init printed)",
            quote(&self.destination)
        ));
        Ok(Exit::Fine)
    }
}
