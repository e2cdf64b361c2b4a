//! `indelible serve`: what it says when it serves, and when it can't.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::support::*;

/// A service that runs until it is told to stop.
struct Serving {
    child: Child,
    stderr: BufReader<ChildStderr>,
    told: String,
}

impl Serving {
    /// Starts it in `place`, on a free port, without an admin listener.
    fn start(place: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_indelible"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("INDELIBLE")) {
            command.env_remove(name);
        }
        command.current_dir(place).args(["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--set", "admin.listen=none"]).args(args);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, stderr, told: String::new() }
    }

    /// Reads what it says up to the line that has `end` in it.
    fn until(&mut self, end: &str) -> &str {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).expect("text");
            self.told.push_str(&line);
            assert!(read > 0, "it ended: {}", self.told);
            if line.contains(end) {
                return &self.told;
            }
        }
    }

    fn address(&mut self) -> String {
        let told = self.until("serving gRPC and HTTP at http://");
        let (_, rest) = told.rsplit_once("http://").expect("an address");
        rest.lines().next().expect("a line").to_owned()
    }

    /// Ends it by SIGTERM; its exit code, and the rest of what it said.
    fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().expect("kill").success());
        self.stderr.read_to_string(&mut self.told).expect("text");
        let code = self.child.wait().expect("its end").code();
        (code, std::mem::take(&mut self.told))
    }
}

impl Drop for Serving {
    /// Nothing is left of it where a test failed.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the service answers to a request.
fn ask(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let request = format!(
        "{head}\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn without_configuration_it_makes_a_log_and_says_where_the_key_and_how_to_append() {
    let place = tempfile::tempdir().expect("a folder");
    let mut serving = Serving::start(place.path(), &[]);
    let address = serving.address();
    let told = serving.until("curl ").to_owned();
    let line = told.lines().find(|line| line.contains("curl ")).expect("a command");
    assert!(line.contains(&format!("http://{address}/v1/records")), "{line}");
    // The command as it stands there, typed into a shell.
    let typed = Command::new("sh").args(["-c", line]).output().expect("a shell");
    if typed.status.code() == Some(127) {
        skipped("there is no curl");
    } else {
        let receipt = text(&typed.stdout);
        assert!(receipt.contains("\"seq\":"), "{receipt} {}", text(&typed.stderr));
    }
    let answer =
        ask(&address, "POST /v1/records HTTP/1.1\r\ncontent-type: application/json", EVENT);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let command = told.lines().find(|line| line.contains("indelible verify")).expect("a command");
    let key = command.split_whitespace().last().expect("a key").to_owned();
    let (code, told) = serving.stop();
    assert_eq!(code, Some(0), "{told}");
    let output = indelible()
        .current_dir(place.path())
        .args(["verify", "audit", "--key", &key])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn with_a_file_a_missing_log_is_an_error_and_nothing_is_made() {
    let place = tempfile::tempdir().expect("a folder");
    write(&place.path().join("indelible.toml"), b"[log.default]\nfolder = \"audit\"\n");
    let serve = |args: &[&str]| {
        let mut command = indelible();
        command.current_dir(place.path()).args(["serve", "--set", "admin.listen=none"]);
        command.args(["--listen", "127.0.0.1:0"]).args(args).output().expect("it runs")
    };
    let folder = place.path().join("audit");
    let folder = folder.display();
    let absent = format!(
        "indelible: log \"default\": there is no log at {folder}; is its volume mounted? (a log is made only where `create \
         = true` says so)\nhint: where it is certain that there was none, `indelible init {folder}` makes it, as the user of the service; \
         so does `create = true` under [log.default] (--create, for the default log)\n"
    );
    assert_fails(&serve(&[]), 1, &absent);
    assert!(!place.path().join("audit").exists());
    let mut serving = Serving::start(place.path(), &["--create"]);
    serving.address();
    assert_eq!(serving.stop().0, Some(0));
    assert!(place.path().join("audit").is_dir());
}

#[test]
fn who_holds_the_log_or_the_port_is_said_and_how_to_go_on() {
    let place = tempfile::tempdir().expect("a folder");
    let mut serving = Serving::start(place.path(), &[]);
    let address = serving.address();
    let run =
        |args: &[&str]| indelible().current_dir(place.path()).args(args).output().expect("it runs");
    for args in [
        &["serve", "--folder", "audit", "--listen", "127.0.0.1:0", "--set", "admin.listen=none"][..],
        &["append", "audit", "--actor", "a", "--action", "b", "--resource", "c"],
    ] {
        let output = run(args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        let holder = format!(
            "held by process {} (indelible), a service at http://{address}\n",
            serving.child.id()
        );
        assert!(told.contains(&holder) && told.contains("--server "), "{told}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let told = text(&run(&["serve", "--listen", &address, "--set", "admin.listen=none"]).stderr);
    assert!(told.contains(&format!("could not listen on {address}: ")), "{told}");
    assert!(
        told.contains(&format!(
            "`ss -ltnp 'sport = :{}'`",
            taken.local_addr().expect("one").port()
        )),
        "{told}"
    );
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn a_refused_log_is_served_for_reading_and_that_is_said_loudly() {
    let log = Log::new();
    assert_eq!(log.append(events(0, 3), &[]).status.code(), Some(0));
    let file = log.folder().join("audit.log");
    let text = fs::read_to_string(&file).expect("a log");
    let (before, last) = text.rsplit_once("user:mia").expect("an event");
    write(&file, format!("{before}user:eve{last}").as_bytes());
    let mut serving = Serving::start(log.place.path(), &["--folder", "audit"]);
    let address = serving.address();
    let answer =
        ask(&address, "POST /v1/records HTTP/1.1\r\ncontent-type: application/json", EVENT);
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("read_only"), "{answer}");
    let answer = ask(&address, "GET /v1/records/0 HTTP/1.1", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (_, told) = serving.stop();
    assert!(told.contains("warning: the log default takes NO appends"), "{told}");
}

#[test]
fn from_other_machines_nobody_is_let_in_unauthenticated_unless_in_so_many_words() {
    let place = tempfile::tempdir().expect("a folder");
    let output = indelible()
        .current_dir(place.path())
        .args(["serve", "--listen", "0.0.0.0:0", "--set", "admin.listen=none"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("flag --listen: listen.tcp: 0.0.0.0:0 can be reached from other machines"),
        "{told}"
    );
    assert!(!place.path().join("audit").exists());
    let mut serving =
        Serving::start(place.path(), &["--listen", "0.0.0.0:0", "--allow-anonymous-from-anywhere"]);
    serving.address();
    let (code, told) = serving.stop();
    assert_eq!(code, Some(0));
    assert!(
        told.contains("warning: everybody who reaches 0.0.0.0:0 may append and read"),
        "{told}"
    );
}

#[test]
fn its_start_line_has_addresses_as_they_are_typed() {
    let place = tempfile::tempdir().expect("a folder");
    let mut serving = Serving::start(place.path(), &["--set", "admin.listen=127.0.0.1:0"]);
    let address = serving.address();
    let line =
        serving.told.lines().find(|line| line.contains(" serving ")).expect("a line").to_owned();
    assert!(line.contains(&format!(" addresses={address} admin=127.0.0.1:")), "{line}");
    assert!(!line.contains("Some("), "{line}");
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn who_had_it_make_a_log_is_told_once_that_it_did_and_where_the_secret_key_is() {
    let place = tempfile::tempdir().expect("a folder");
    let told = |serving: &mut Serving| {
        serving.address();
        serving.until("curl ").to_owned()
    };
    let mut serving = Serving::start(place.path(), &[]);
    let first = told(&mut serving);
    assert!(first.contains("made the log default, in audit"), "{first}");
    assert!(first.contains("The private key is in audit.key"), "{first}");
    assert_eq!(serving.stop().0, Some(0));
    let mut serving = Serving::start(place.path(), &[]);
    let second = told(&mut serving);
    assert!(!second.contains("made the log") && !second.contains("private key"), "{second}");
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn a_log_without_its_key_has_a_hint_that_names_what_serve_takes() {
    let place = tempfile::tempdir().expect("a folder");
    let mut serving = Serving::start(place.path(), &[]);
    serving.address();
    assert_eq!(serving.stop().0, Some(0));
    fs::remove_file(place.path().join("audit.key")).expect("removed");
    let output = indelible()
        .current_dir(place.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--set", "admin.listen=none"])
        .output()
        .expect("it runs");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("`key_file` under [log.default], or --set log.default.key_file=FILE"),
        "{told}"
    );
    assert!(!told.contains("--key-file"), "{told}");
}

#[test]
fn with_json_what_stops_the_start_is_json_too() {
    let place = tempfile::tempdir().expect("a folder");
    write(&place.path().join("indelible.toml"), b"[log.default]\nfolder = \"audit\"\n");
    let output = indelible()
        .current_dir(place.path())
        .args(["serve", "--listen", "0.0.0.0:0", "--set", "admin.listen=none"])
        .args(["--allow-anonymous-from-anywhere", "--set", "telemetry.format=json"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output.stderr);
    let last = lines.last().expect("a line");
    assert_eq!(last["level"], "ERROR", "{last}");
    let message = last["message"].as_str().expect("a text");
    assert!(message.contains("there is no log at"), "{message}");
    assert!(last["hint"].as_str().expect("a text").contains("indelible init"), "{last}");
    assert!(last["timestamp"].as_str().expect("a text").ends_with('Z'), "{last}");
    assert!(lines.iter().any(|line| line["level"] == "WARN"), "{lines:?}");
}
