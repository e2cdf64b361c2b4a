//! Tells what opening a log had to put in order first.

use indelible::Recovery;

use crate::render;

/// Says on stderr what was cut, finished or adopted; nothing where the log was closed in order.
pub(super) fn tell(recovery: &Recovery) {
    if recovery.removed_left_over {
        render::note("what an earlier, interrupted init had left was removed");
    }
    for mended in &recovery.mended {
        let place =
            format!("a crash left a torn tail in {} at byte {}", mended.file, mended.offset);
        if mended.length == 0 {
            render::note(format_args!("{place}: the record was whole, its line end is added"));
        } else {
            render::note(format_args!(
                "{place}: {} bytes were cut off and kept in {}",
                mended.length, mended.quarantine
            ));
        }
    }
    if let Some(adopted) = &recovery.adopted {
        render::note(format_args!(
            "records {} to {} lay beyond the last checkpoint and are adopted: no signature covered them until now",
            adopted.from_seq, adopted.to_seq
        ));
    }
    if recovery.finished_rotation {
        render::note("a rotation that was cut short is finished");
    }
    if recovery.removed_segments > 0 {
        render::note(format_args!(
            "{} old segments that were to be pruned are removed",
            recovery.removed_segments
        ));
    }
}
