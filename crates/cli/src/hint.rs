//! What to do next, for the errors that people meet.
//!
//! It reads error values, never their text, and prints nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use indelible::storage::Kind;
use indelible::{
    AppendError, BackupError, CheckpointError, Insecurity, IoFailure, KeptError, Obstacle,
    OpenError, Problem, ProveError, ReadError, ReceiptError, Refusal, RepairError, VerifyError,
};
use indelible_server::auth::tokens::TokenFileError;
use indelible_server::{LogError, StartError};

use indelible_server::client::ClientError;

use crate::commands::init::CannotContinue;
use crate::commands::proof_file::{IS_IT_THE_KEY, WrongFile};
use crate::commands::prove::OfAnotherKey;
use crate::commands::token::TokenMistake;
use crate::commands::verify::Mistake;

/// The hint for the first cause that has one, about the log at `dir`.
pub(crate) fn of(error: &anyhow::Error, dir: &Path) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(cannot) = cause.downcast_ref::<CannotContinue>() {
            return cannot.hint();
        }
        if let Some(open) = cause.downcast_ref::<OpenError>() {
            return opening(open, dir);
        }
        if let Some(start) = cause.downcast_ref::<StartError>() {
            return starting(start, dir);
        }
        if let Some(mistake) = cause.downcast_ref::<TokenMistake>() {
            return Some(mistake.hint());
        }
        if let Some(tokens) = cause.downcast_ref::<TokenFileError>() {
            return token_file(tokens);
        }
        if let Some(append) = cause.downcast_ref::<AppendError>() {
            return appending(append);
        }
        if let Some(RepairError::Open(open)) = cause.downcast_ref::<RepairError>() {
            return opening(open, dir);
        }
        if let Some(client) = cause.downcast_ref::<ClientError>() {
            return serving(client);
        }
        let backup = cause.downcast_ref();
        if let Some(BackupError::NotFound { .. } | BackupError::NotALog { .. }) = backup {
            return Some(no_log(dir));
        }
        if let Some(prove) = cause.downcast_ref::<ProveError>() {
            return proving(prove, dir);
        }
        if let Some(read) = cause.downcast_ref::<ReadError>() {
            return reading(read, dir);
        }
        if cause.downcast_ref::<OfAnotherKey>().is_some() {
            return Some(IS_IT_THE_KEY.to_owned());
        }
        if let Some(wrong) = cause.downcast_ref::<WrongFile>() {
            return Some(wrong.hint());
        }
        if let Some(mistake) = cause.downcast_ref::<Mistake>() {
            return mistake.hint();
        }
        if matches!(cause.downcast_ref(), Some(ReceiptError::Malformed { .. })) {
            return Some(
                "receipts are the lines that `indelible append --receipts` prints".to_owned(),
            );
        }
        if cause.downcast_ref::<KeptError>().is_some() {
            return Some(format!(
                "a checkpoint is what `indelible checkpoint {}` prints",
                quote(dir)
            ));
        }
        cause.downcast_ref::<VerifyError>().and_then(|error| verifying(error, dir))
    })
}

fn no_log(dir: &Path) -> String {
    format!(
        "is the path right, and is its volume mounted? `indelible init {}` makes a new log",
        quote(dir)
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn opening(error: &OpenError, dir: &Path) -> Option<String> {
    Some(match error {
        OpenError::NotFound { folder } => no_log(folder),
        OpenError::NotALog { .. } => {
            "is the path right, and is its volume mounted? a new log makes its own folder: `indelible init` takes a path \
             at which nothing is yet"
                .to_owned()
        }
        OpenError::InsideALog { parent } => format!(
            "make the new log beside it: `indelible init {}`",
            quote(&parent.with_file_name("audit-2"))
        ),
        OpenError::Io(failure) => denied(failure)?,
        OpenError::AlreadyExists { folder } => format!(
            "if it is the log, `indelible append {0}` adds to it, `indelible verify {0}` checks it, and \
             `indelible show {0} 0` shows its verifier key; if not, give the new log a path of its own",
            quote(folder)
        ),
        OpenError::NoParent { parent } => format!("mkdir -p {}", quote(parent)),
        OpenError::BeingMade { folder, .. } => format!(
            "wait until it is done: then `indelible append {0}` adds to the log, and `indelible show {0} 0` shows its \
             verifier key",
            quote(folder)
        ),
        OpenError::KeyOfAnotherLog { key: Some(_), .. } => {
            format!(
                "say with --key-file where this log's own key is, or put it beside the folder as {}",
                quote(&key_beside(dir))
            )
        }
        OpenError::Checkpoint { cause: CheckpointError::Refused(obstacle) } => room(obstacle),
        OpenError::Locked { .. } => {
            "one process appends at a time: wait for it, or stop it; where it is a service, append through it: --server and \
             where it says that it is; reading and verifying work meanwhile"
                .to_owned()
        }
        OpenError::KeyMissing { key } => format!(
            "put {} back from your backup, or say where it is with --key-file; \
             if it is lost, go on in a new log: indelible init NEW --origin NAME --continues {}",
            quote(key),
            quote(dir)
        ),
        OpenError::Insecure { path, what } => insecure(path, *what)?,
        OpenError::NetworkFileSystem { .. } => {
            "use a disk of this machine, or vouch for this one with --allow-network-file-system".to_owned()
        }
        OpenError::LastTimestampAhead { .. } => {
            "compare with `date -u`; to go on all the same: --accept-last-timestamp".to_owned()
        }
        OpenError::Refused(refusal) if is_about_rows(refusal) => format!(
            "`indelible repair {0}` says whether the records are as signed, so that the rows can be rebuilt from them",
            quote(&refusal.folder)
        ),
        OpenError::Refused(refusal) => format!(
            "`indelible verify {0}` says more, reading works; to go on, make a new log that takes over: \
             indelible init NEW --origin NAME --continues {0} --reason '…'",
            quote(&refusal.folder)
        ),
        OpenError::Append(AppendError::NotWritten { cause }) => room(cause),
        OpenError::Append(_) | OpenError::Checkpoint { .. } => {
            "put right what is named above and try again: opening finds out what was written".to_owned()
        }
        _ => return None,
    })
}

/// What to do where the service did not start.
#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn starting(error: &StartError, dir: &Path) -> Option<String> {
    Some(match error {
        StartError::Log(LogError::Open { name, source }) => {
            return opening_served(name, source).or_else(|| opening(source, dir));
        }
        StartError::Log(LogError::Read { source, .. }) => return reading(source, dir),
        StartError::Log(LogError::Missing { name, folder }) => format!(
            "where it is certain that there was none, `indelible init {}` makes it, as the user of the service; so does \
             `create = true` under [log.{name}] (--create, for the default log)",
            quote(folder)
        ),
        StartError::Listen { address, source } if source.kind() == ErrorKind::AddrInUse => format!(
            "`ss -ltnp 'sport = :{}'` shows who listens there; take another port with --listen, or listen.tcp and \
             admin.listen in the configuration",
            address.port()
        ),
        StartError::Listen { address, source } if source.kind() == ErrorKind::PermissionDenied => {
            format!("ports below 1024 are root's: take another than {}", address.port())
        }
        StartError::Listen { source, .. } if source.kind() == ErrorKind::AddrNotAvailable => {
            "`ip address` shows the addresses that this machine has".to_owned()
        }
        StartError::Tokens(tokens) => return token_file(tokens),
        _ => return None,
    })
}

/// What to do where the service did not open a log, if that differs for a service: it takes no flags of single logs.
#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn opening_served(name: &str, error: &OpenError) -> Option<String> {
    let key_file = format!("`key_file` under [log.{name}], or --set log.{name}.key_file=FILE");
    Some(match error {
        OpenError::KeyMissing { key } => format!(
            "put {} back from your backup, or say where it is: {key_file}; if it is lost, go on in a new log: indelible \
             init NEW --origin NAME --continues OLD",
            quote(key)
        ),
        OpenError::KeyOfAnotherLog { key: Some(_), .. } => {
            format!("say where this log's own key is: {key_file}")
        }
        OpenError::NetworkFileSystem { .. } => format!(
            "use a disk of this machine, or vouch for this one: `allow_network_file_system = true` under [log.{name}]"
        ),
        OpenError::LastTimestampAhead { .. } => format!(
            "compare with `date -u`; to go on all the same: --set log.{name}.accept_last_timestamp=true, once"
        ),
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn token_file(error: &TokenFileError) -> Option<String> {
    Some(match error {
        TokenFileError::Missing { path } => format!(
            "`indelible token new --name NAME --role append --expires 90d --tokens {}` makes it, with a first token",
            quote(path)
        ),
        TokenFileError::Writable { path, .. } => {
            format!("chmod go-w {}; who could write it could let anybody in", quote(path))
        }
        TokenFileError::Owner { path, .. } => {
            format!("chown root {}, or run as its owner", quote(path))
        }
        _ => return None,
    })
}

fn is_about_rows(refusal: &Refusal) -> bool {
    let rows = |problem| matches!(problem, Problem::RowsMissing | Problem::RowsDiffer);
    refusal.findings.iter().all(|finding| rows(finding.problem))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn insecure(path: &Path, what: Insecurity) -> Option<String> {
    let path = quote(path);
    Some(match what {
        Insecurity::KeyReadable { .. } => {
            format!("chmod 600 {path}; who may have read it could forge checkpoints from then on")
        }
        Insecurity::Writable { .. } => format!("chmod go-w {path}"),
        Insecurity::Owner { .. } => {
            format!("run as the user who owns {path}, the one who always appends to this log")
        }
        Insecurity::Kind { expected: Kind::Folder, found: Kind::Link } => {
            "give the path that the link leads to".to_owned()
        }
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn appending(error: &AppendError) -> Option<String> {
    match error {
        AppendError::NotWritten { cause } => Some(room(cause)),
        AppendError::Conflict { .. } => {
            Some("an event_id stands for one event: give this one an id of its own".to_owned())
        }
        _ => None,
    }
}

/// What to do about what may be tried again.
fn room(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Io(failure) if failure.source.kind() == ErrorKind::FileTooLarge => {
            "nothing is broken; raise this process's file size limit (ulimit -f), or rotate below it with \
             --max-file-size, and try again"
        }
        Obstacle::Signer(_) => "nothing is broken; see to the signer, and try again",
        Obstacle::Io(_) | _ => "nothing is broken; make room, or put the disk right, and try again",
    }
    .to_owned()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn reading(error: &ReadError, dir: &Path) -> Option<String> {
    let dir_quoted = quote(dir);
    Some(match error {
        ReadError::Io(failure) if is_absent(failure) => no_log(dir),
        ReadError::Io(failure) => denied(failure)?,
        ReadError::NoCheckpoint { .. }
        | ReadError::Checkpoint { .. }
        | ReadError::Missing { .. } => {
            format!(
                "`indelible verify {dir_quoted}` says what is wrong; --unsynced reads what there is"
            )
        }
        ReadError::Lost { .. } | ReadError::OutOfPlace { .. } | ReadError::Unreadable { .. } => {
            format!("`indelible verify {dir_quoted}` says what is wrong")
        }
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn proving(error: &ProveError, dir: &Path) -> Option<String> {
    let dir_quoted = quote(dir);
    Some(match error {
        ProveError::Read(read) => reading(read, dir)?,
        ProveError::NotALog { .. } => no_log(dir),
        ProveError::Pruned { seq, .. } | ProveError::Redacted { seq } => {
            format!(
                "who kept the line proves it with `indelible prove {dir_quoted} {seq} --record FILE`"
            )
        }
        ProveError::RowsShort { .. } | ProveError::Rows(_) => {
            format!(
                "`indelible verify {dir_quoted}` says where; `indelible repair {dir_quoted}` can rebuild rows from the \
                 records"
            )
        }
        ProveError::NotARecord { .. }
        | ProveError::RecordChanged { .. }
        | ProveError::NoCheckpoint { .. }
        | ProveError::IdentityUnknown { .. } => {
            format!("`indelible verify {dir_quoted}` says what is wrong, and where")
        }
        ProveError::Shorter { .. } | ProveError::NotAContinuation { .. } => {
            format!(
                "keep the folder and the checkpoint as they are: together they are the evidence; \
                 `indelible verify {dir_quoted}` says more"
            )
        }
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what has a hint is named")]
fn verifying(error: &VerifyError, dir: &Path) -> Option<String> {
    match error {
        VerifyError::Io(failure) if is_absent(failure) => Some(no_log(dir)),
        VerifyError::Io(failure) => denied(failure),
        _ => None,
    }
}

fn serving(error: &ClientError) -> Option<String> {
    let hint = match (error, error.code()) {
        (ClientError::Unreachable { url, .. }, _) if url.is_tls() => {
            "is the service running there, and is its certificate signed by an authority in --ca-file?"
        }
        (ClientError::Unreachable { .. }, _) => {
            "is the service running there? `indelible serve` starts one; a service with TLS is at https://"
        }
        (ClientError::NotIndelible { .. }, _) => {
            "is it the port of the service, and not its admin port or something else's?"
        }
        (ClientError::Tls(_), _) => "certificates and keys are PEM files",
        (_, Some("unauthenticated")) => {
            "give a token with --token-file or in INDELIBLE_TOKEN (`indelible token new` makes one), or a certificate \
             with --client-cert and --client-key"
        }
        (_, Some("permission_denied")) => {
            "who runs the service gives roles to principals in its configuration ([[principal]])"
        }
        (_, Some("halted" | "read_only")) => {
            "who runs the service must look at it: its own log says why; reading works meanwhile"
        }
        (_, Some("conflict")) => "an event_id stands for one event: give this one an id of its own",
        (_, Some("indeterminate")) => {
            "append it again with the same event_id: what is recorded is not recorded twice"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What to do where the system lets somebody else, but not us.
fn denied(failure: &IoFailure) -> Option<String> {
    (failure.source.kind() == ErrorKind::PermissionDenied).then(|| {
        format!(
            "`ls -ld {}` shows who may; run as the user who owns the log, or as one of its group to read it",
            quote(&failure.path)
        )
    })
}

fn is_absent(failure: &IoFailure) -> bool {
    failure.source.kind() == ErrorKind::NotFound
}

/// The key file that belongs to a folder, whatever slashes follow its name.
pub(crate) fn key_beside(dir: &Path) -> PathBuf {
    let mut name = dir.components().collect::<PathBuf>().into_os_string();
    name.push(".key");
    PathBuf::from(name)
}

/// A path as a shell reads it.
pub(crate) fn quote(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quote(Path::new("/var/log/audit-2")), "/var/log/audit-2");
        assert_eq!(quote(Path::new("my log")), "'my log'");
        assert_eq!(quote(Path::new("it's")), "'it'\\''s'");
        assert_eq!(quote(Path::new("")), "''");
    }
}
