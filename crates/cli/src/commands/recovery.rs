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
            let were = if mended.length == 1 { "byte was" } else { "bytes were" };
            render::note(format_args!(
                "{place}: {} {were} cut off and kept in {}",
                mended.length, mended.quarantine
            ));
        }
    }
    if let Some(adopted) = &recovery.adopted {
        let (from, to) = (adopted.from_seq, adopted.found_to_seq);
        render::note(if from == to {
            format!(
                "record {from} lay beyond the last checkpoint and is adopted: no signature covered it until now"
            )
        } else {
            format!(
                "records {from} to {to} lay beyond the last checkpoint and are adopted: no signature covered them until now"
            )
        });
    }
    if recovery.finished_rotation {
        render::note("a rotation that was cut short is finished");
    }
    match recovery.removed_segments {
        0 => {}
        1 => render::note("1 old segment that was to be pruned is removed"),
        count => {
            render::note(format_args!("{count} old segments that were to be pruned are removed"));
        }
    }
}
