//! What can't be looked at once is an error, and nobody says that the log was looked at.

use std::sync::Arc;

use super::super::VerifyError;
use super::*;
use crate::storage::Storage;
use crate::storage::simulated::{FaultPlan, OperationKind, SimulatedDisk};

/// The report on the log by the walk alone, which tells of everything that fails; and whether the fault struck.
fn look(base: &SimulatedDisk, fault: FaultPlan) -> (Result<Report, VerifyError>, bool) {
    let disk = base.fork();
    disk.fail(fault);
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let mut verifier = Verifier::on(storage, "/audit");
    verifier.pace = Pace { chunk_size: None, threads: None };
    (verifier.verify(), disk.faults_struck() > 0)
}

#[test]
fn a_file_that_cannot_be_opened_or_looked_at_one_time_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    healthy().write(place.path());
    let disk = SimulatedDisk::import(place.path()).unwrap();
    for name in ["audit.log.2", "audit.log", "checkpoints.jsonl", "checkpoint"] {
        let mut errors = 0;
        for kind in [OperationKind::Open, OperationKind::Stat, OperationKind::StatOpen] {
            for nth in 0.. {
                let (told, struck) = look(&disk, FaultPlan::nth(nth).of_kind(kind).on_path(name));
                if !struck {
                    break;
                }
                match told {
                    Err(VerifyError::Io(failure)) => {
                        assert!(failure.path.ends_with(name), "{failure}");
                        errors += 1;
                    }
                    // Looked at again only for evidence, of which there is none to be had here.
                    Ok(told) if name == "checkpoints.jsonl" && nth > 0 => {
                        assert_eq!(told.verdict(), Verdict::Sound, "{told}");
                    }
                    other => panic!("{kind:?} of {name}, {nth}: {other:?}"),
                }
            }
        }
        assert!(errors > 1, "{name}: {errors} errors");
    }
}
