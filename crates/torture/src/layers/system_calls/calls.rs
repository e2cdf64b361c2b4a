//! The file calls of a run, as strace shows them, and what may become of one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::scenarios::Scenario;
use crate::command;

/// The calls that are looked at: all that name or hold a file.
pub(super) const NAMES: &str = "open,openat,read,pread64,write,pwrite64,fdatasync,fsync,ftruncate,fallocate,rename,\
    renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,chmod,fchmod,fchmodat,stat,lstat,fstat,newfstatat,\
    statx,statfs,fstatfs,getdents64,flock,lseek,fcntl,close,utimensat";

/// One file call: the n-th of this name on this path, in a thread.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) name: String,
    /// From the folder that holds the log.
    pub(super) path: String,
    pub(super) nth: u64,
    /// Whether it may make the file, `O_CREAT`.
    pub(super) creates: bool,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An error, once: its name and number.
    Once(&'static str, i32),
    /// An error from then on.
    Always(&'static str, i32),
    /// SIGKILL, before it is made.
    Kill,
}

impl Fault {
    pub(super) const ALL: [Self; 7] = [
        Self::Once("EIO", 5),
        Self::Once("ENOSPC", 28),
        Self::Once("EDQUOT", 122),
        Self::Once("EINTR", 4),
        Self::Kill,
        Self::Always("EIO", 5),
        Self::Always("ENOSPC", 28),
    ];

    pub(super) fn name(self) -> String {
        match self {
            Self::Once(errno, _) => errno.to_owned(),
            Self::Always(errno, _) => format!("{errno} from then on"),
            Self::Kill => "SIGKILL".to_owned(),
        }
    }

    pub(super) fn errno(self) -> Option<i32> {
        match self {
            Self::Once(_, number) | Self::Always(_, number) => Some(number),
            Self::Kill => None,
        }
    }
}

impl Call {
    /// Whether it changes a file or a folder, or makes a change last.
    pub(super) fn changes(&self) -> bool {
        if self.creates {
            return true;
        }
        let names = [
            "write", "sync", "trunc", "alloc", "rename", "unlink", "mkdir", "rmdir", "link",
            "chmod", "utimens",
        ];
        names.iter().any(|name| self.name.contains(name))
    }

    /// Failing from then on is another thing than failing once only where something can come after it.
    pub(super) fn takes(&self, fault: Fault) -> bool {
        !matches!(fault, Fault::Always(..)) || self.changes()
    }

    /// Whether every run of the layer, however short, has it: each call that changes something fails once, and is the last.
    pub(super) fn is_always_tried(&self, fault: Fault) -> bool {
        self.changes() && matches!(fault, Fault::Once("EIO", _) | Fault::Kill)
    }

    /// What it is, without the digest in a name of quarantine, which is another each time.
    pub(super) fn key(&self) -> (&str, String, u64) {
        let path = self.path.split('-').next().unwrap_or_default();
        (&self.name, path.to_owned(), self.nth)
    }

    /// The run with this fault at this call, as strace makes it; what it did is written to `trace`.
    pub(super) fn inject(&self, fault: Fault, place: &Path, trace: &Path) -> Command {
        let Self { name, path, nth, .. } = self;
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq"]);
        if fault != Fault::Kill {
            // It stops at this call alone. At such a stop, a signal would be dropped.
            strace.arg("--seccomp-bpf");
        }
        let what = match fault {
            Fault::Once(errno, _) => format!("error={errno}:when={nth}"),
            Fault::Always(errno, _) => format!("error={errno}:when={nth}+"),
            Fault::Kill => format!("signal=SIGKILL:when={nth}"),
        };
        strace.arg("-e").arg(format!("trace={name}"));
        strace.arg("-e").arg(format!("inject={name}:{what}"));
        strace.arg("-P").arg(place.join(path)).arg("-o").arg(trace);
        strace
    }
}

/// The calls of a scenario.
#[derive(Debug)]
pub(super) struct Calls {
    /// Those that each run of it makes.
    pub(super) steady: Vec<Call>,
    /// Those that change something and were made in one of two runs only.
    pub(super) passing: Vec<Call>,
}

/// The calls of a scenario, as two runs of it make them.
pub(super) fn of(binary: &Path, scenario: &Scenario, root: &Path) -> anyhow::Result<Calls> {
    let once = traced(binary, scenario, root)?;
    let again = traced(binary, scenario, root)?;
    let in_one = once.symmetric_difference(&again).filter(|call| call.changes());
    Ok(Calls {
        steady: once.intersection(&again).cloned().collect(),
        passing: in_one.cloned().collect(),
    })
}

fn traced(binary: &Path, scenario: &Scenario, root: &Path) -> anyhow::Result<BTreeSet<Call>> {
    let place = root.join("traced");
    command::copy(&scenario.template, &place)?;
    let trace = root.join("traced.txt");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-e", &format!("trace={NAMES}"), "-o"]).arg(&trace);
    strace.arg(binary).args(&scenario.args);
    let ended = command::run(&mut strace, &place)?;
    ensure!(
        ended.code == Some(0),
        "{}: ends with {:?} without any fault: {}",
        scenario.name,
        ended.code,
        ended.stderr
    );
    let text = std::fs::read_to_string(&trace).context("no trace")?;
    std::fs::remove_dir_all(&place)?;
    Ok(counted(&text, &place.display().to_string()))
}

/// Counts calls as strace does: by thread, name, and each path that stands in the arguments. A call that names two files is
/// listed by its first.
fn counted(trace: &str, place: &str) -> BTreeSet<Call> {
    let mut counts: BTreeMap<(&str, &str, String), u64> = BTreeMap::new();
    let mut calls: BTreeMap<_, bool> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((name, rest)) = rest.trim_start().split_once('(') else { continue };
        if name.contains(|c: char| c.is_whitespace() || c == '<') {
            continue;
        }
        // What it returned is not known when it is called.
        let args = rest.rsplit_once(" = ").map_or(rest, |(args, _)| args);
        let (mut is_first, creates) = (true, args.contains("O_CREAT"));
        for path in paths(args, place) {
            let count = counts.entry((thread, name, path.clone())).or_default();
            *count += 1;
            if is_first {
                *calls.entry((name, path, *count)).or_default() |= creates;
            }
            is_first = false;
        }
    }
    // Two threads may both make the n-th, and only one of them the file.
    let call = |((name, path, nth), creates): ((&str, String, u64), bool)| Call {
        name: name.to_owned(),
        path,
        nth,
        creates,
    };
    calls.into_iter().map(call).collect()
}

/// The log's and its key's, each once: `"…"` in a name, `<…>` behind a descriptor.
fn paths(args: &str, place: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in args.split(['"', '<', '>']) {
        let Some(rest) = piece.strip_prefix(place) else { continue };
        let path = rest.trim_start_matches('/');
        let is_log = path.starts_with("audit");
        if is_log && !found.iter().any(|known| known == path) {
            found.push(path.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Call, counted};

    #[test]
    fn calls_are_counted_by_thread_name_and_path() {
        let trace = "7  open(\"/p/audit/lock\", O_RDWR|O_CREAT, 0600) = 3</p/audit/lock>\n\
                     7  close(3</p/audit/lock>) = 0\n\
                     8  open(\"/p/audit/lock\", O_RDWR <unfinished ...>\n\
                     8  <... open resumed>) = 3\n\
                     7  open(\"/p/audit/lock\", O_RDWR) = 3</p/audit/lock>\n\
                     7  open(\"/lib/libc.so.6\", O_RDONLY) = 3\n\
                     7  renameat2(AT_FDCWD</p>, \"/p/audit.creating\", AT_FDCWD</p>, \"/p/audit\", RENAME_NOREPLACE) = 0\n";
        let call = |name: &str, path: &str, nth, creates| {
            let (name, path) = (name.into(), path.into());
            Call { name, path, nth, creates }
        };
        let expected = [
            call("close", "audit/lock", 1, false),
            call("open", "audit/lock", 1, true),
            call("open", "audit/lock", 2, false),
            call("renameat2", "audit.creating", 1, false),
        ];
        assert_eq!(counted(trace, "/p").into_iter().collect::<Vec<_>>(), expected);
    }
}
