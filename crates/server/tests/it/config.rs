//! The configuration: where values come from, what is said where they are wrong, and what they must be together.

use std::ffi::OsString;
use std::path::Path;

use indelible_server::config::{
    self, Config, ConfigError, Loaded, LogConfig, Override, Warning, load,
};
use tempfile::TempDir;

fn environment(variables: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
    let all = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    all.collect::<Vec<_>>().into_iter()
}

fn file(place: &TempDir, text: &str) -> std::path::PathBuf {
    let path = place.path().join("indelible.toml");
    std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes()).unwrap();
    path
}

/// What is said about a file, without its folder.
fn told(text: &str, variables: &[(&str, &str)], flags: &[Override]) -> String {
    let place = tempfile::tempdir().unwrap();
    let path = file(&place, text);
    let error = load(Some(&path), environment(variables), flags).map(|loaded| loaded.config);
    let folder = format!("{}/", place.path().display());
    error.err().unwrap().to_string().replace(&folder, "")
}

fn read(text: &str) -> Loaded {
    let place = tempfile::tempdir().unwrap();
    load(Some(&file(&place, text)), environment(&[]), &[]).unwrap()
}

#[test]
fn without_any_configuration_a_log_is_made_here_and_this_machine_alone_is_served() {
    let loaded = load(None, environment(&[("INDELIBLE_KEY_FILE", "x"), ("PATH", "y")]), &[]);
    let config = loaded.unwrap().config;
    let log = &config.logs[0];
    assert_eq!((log.folder.as_path(), log.create), (Path::new("audit"), true));
    assert!(config.listen.tcp.iter().all(|address| address.ip().is_loopback()));
    assert!(!config.authenticates());
    assert_eq!(config.digest(), Config::default().digest());
}

#[test]
fn who_names_a_file_or_a_folder_says_too_whether_the_log_is_made() {
    assert!(!read("").config.logs[0].create);
    assert!(read("[log.default]\ncreate = true").config.logs[0].create);
    let folder = Override::new("--folder", "log.*.folder", "other");
    let named = load(None, environment(&[]), &[folder]).unwrap().config;
    assert!(!named.logs[0].create);
    let salt = Override::new("--set", "log.default.salt", "off");
    let other = load(None, environment(&[]), &[salt]).unwrap().config;
    assert!(other.logs[0].create && !other.logs[0].salt);
}

#[test]
fn flags_go_over_the_environment_that_over_the_file_that_over_defaults() {
    let place = tempfile::tempdir().unwrap();
    let path = file(
        &place,
        "[limits]\nreads_max = 1\ntails_max = 1\nbatch_events_max = 1\n[log.eu-1]\nfolder = \"a\"\n",
    );
    let variables = [
        ("INDELIBLE__LIMITS__TAILS_MAX", "2"),
        ("INDELIBLE__LIMITS__BATCH_EVENTS_MAX", "2"),
        ("INDELIBLE__LOG__EU_1__MAX_FILES", "7"),
        ("INDELIBLE__LIMITS__PAGE_RECORDS_MAX", ""),
        ("INDELIBLE__LISTEN__HOSTS", "a.example, b.example"),
    ];
    let flags = [Override::new("--set", "limits.batch_events_max", "3")];
    let loaded = load(Some(&path), environment(&variables), &flags).unwrap();
    let limits = loaded.config.limits;
    assert_eq!((limits.reads_max, limits.tails_max, limits.batch_events_max), (1, 2, 3));
    assert_eq!(limits.page_records_max, config::Limits::default().page_records_max);
    assert_eq!(loaded.config.logs[0].max_files, Some(7));
    assert_eq!(loaded.config.listen.hosts, ["a.example", "b.example"]);
    let shown = loaded.show().replace(&format!("{}/", place.path().display()), "");
    for line in [
        "limits.reads_max = 1 # indelible.toml:2",
        "limits.tails_max = 2 # environment INDELIBLE__LIMITS__TAILS_MAX",
        "limits.batch_events_max = 3 # flag --set",
        "limits.page_records_max = 1000 # default",
        "log.eu-1.max_files = 7 # environment INDELIBLE__LOG__EU_1__MAX_FILES",
        "log.eu-1.folder = \"a\" # indelible.toml:6",
        "timeouts.idle = \"5m\" # default",
    ] {
        let squeezed = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let found = squeezed.map(|words| words.join(" ")).any(|shown| shown == line);
        assert!(found, "{line}: {shown}");
    }
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same() {
    let loaded = read(
        "default_log = \"b\"\n[auth]\ntokens = \"/t\"\n[tls]\ncertificate = \"/c\"\nkey = \"/k\"\n\
         client_ca = \"/a\"\n[admin]\nlisten = \"none\"\n[limits]\nevents_per_second = 5\n\
         [log.a]\nfolder = \"/a\"\n[log.b]\nfolder = \"/b\"\nkey_file = \"/k2\"\norigin = \"example.com/b\"\n\
         [[principal]]\nname = \"cert:spiffe://x/\\\"y\\\"\"\nappend = [\"a\", \"b\"]\nread = [\"*\"]\n\
         actors = ['a\\*', \"b?\"]\n[[principal]]\nname = \"token:t\"\nadmin = [\"a\"]\n",
    );
    let again = read(&loaded.show());
    assert_eq!(again.show().lines().count(), loaded.show().lines().count());
    assert_eq!(again.config.digest(), loaded.config.digest());
    assert_eq!(again.config.admin, None);
    assert_eq!(again.config.principals.len(), 2);
    assert_ne!(read("").config.digest(), loaded.config.digest());
}

#[test]
fn relative_paths_are_those_of_the_file_they_stand_in() {
    let place = tempfile::tempdir().unwrap();
    let path =
        file(&place, "[auth]\ntokens = \"t\"\n[log.a]\n[log.b]\nfolder = \"/b\"\n[log.default]\n");
    let config = load(Some(&path), environment(&[]), &[]).unwrap().config;
    let folder = |name: &str| {
        let log = config.logs.iter().find(|log| log.name == name).unwrap();
        log.folder.clone()
    };
    assert_eq!(config.tokens, Some(place.path().join("t")));
    assert_eq!((folder("a"), folder("b")), (place.path().join("a"), "/b".into()));
    assert_eq!(folder("default"), place.path().join("audit"));
    let flag = [Override::new("--tokens", "auth.tokens", "here")];
    let config = load(Some(&path), environment(&[]), &flag).unwrap().config;
    assert_eq!(config.tokens, Some("here".into()));
}

#[test]
fn what_is_not_known_is_an_error_with_its_place_and_a_suggestion() {
    for (text, expected) in [
        (
            "\n[limits]\nrequest_size = 1",
            "indelible.toml:3: limits.request_size: there is no such key; is limits.request_size_max meant?",
        ),
        (
            "request_size_max = 1",
            "indelible.toml:1: request_size_max: there is no such key; is limits.request_size_max meant?",
        ),
        ("[colour]\nred = 1", "indelible.toml:2: colour.red: there is no such key"),
        (
            "listen = \"127.0.0.1:1\"",
            "indelible.toml:1: listen: there is no such key; is listen.tcp meant?",
        ),
        (
            "[log.default]\nfoldr = \"x\"",
            "indelible.toml:2: log.default.foldr: there is no such key; is log.default.folder meant?",
        ),
        (
            "[[principal]]\nname = \"token:a\"\nreed = [\"*\"]",
            "indelible.toml:3: principal.reed: there is no such key; is read meant?",
        ),
        (
            "[log.\"A B\"]",
            "indelible.toml:1: log.A B: a log's name is 1 to 64 of a-z, 0-9, `-` and `_`",
        ),
    ] {
        assert_eq!(told(text, &[], &[]), expected);
    }
    for (variable, expected) in [
        ("INDELIBLE__LIMITS__READS", "environment INDELIBLE__LIMITS__READS: there is no such key"),
        (
            "INDELIBLE__LIMITS__READ_MAX",
            "environment INDELIBLE__LIMITS__READ_MAX: there is no such key; is INDELIBLE__LIMITS__READS_MAX meant?",
        ),
        (
            "INDELIBLE_LIMITS__READS_MAX",
            "environment INDELIBLE_LIMITS__READS_MAX: there is no such key; is INDELIBLE__LIMITS__READS_MAX meant?",
        ),
        (
            "INDELIBLE__PRINCIPAL__NAME",
            "environment INDELIBLE__PRINCIPAL__NAME: principals are set in the configuration file alone",
        ),
    ] {
        assert!(
            told("", &[(variable, "1")], &[]).starts_with(expected),
            "{}",
            told("", &[(variable, "1")], &[])
        );
    }
    let flag = Override::new("--set", "limits.readsmax", "1");
    assert_eq!(
        told("", &[], &[flag]),
        "flag --set: limits.readsmax: there is no such key; is limits.reads_max meant?"
    );
}

#[test]
fn what_is_no_value_of_its_key_is_an_error_with_place_key_limit_and_value() {
    for (text, expected) in [
        (
            "[limits]\nreads_max = 0",
            "limits.reads_max: `0` is outside its limits: it must be from 1 to 10000",
        ),
        ("[limits]\nreads_max = -1", "limits.reads_max: `-1` is not a whole number from 0 on"),
        (
            "[limits]\nreads_max = \"x\"",
            "limits.reads_max: it must be a whole number, and is a text",
        ),
        (
            "[limits]\nrequest_size_max = \"2GiB\"",
            "limits.request_size_max: `2GiB` is outside its limits: it must be from 8KiB to 1GiB",
        ),
        (
            "[limits]\nrequest_size_max = \"4MB\"",
            "limits.request_size_max: `4MB` is not a size: write bytes (262144) or a number with KiB, MiB or GiB \
             (256KiB, 64MiB)",
        ),
        (
            "[timeouts]\nidle = 5",
            "timeouts.idle: it must be a time, such as \"1s\", and is a whole number",
        ),
        (
            "[timeouts]\nidle = \"2d\"",
            "timeouts.idle: `2d` is not a duration: write a number with ms, s, m or h (500ms, 1s, 2m)",
        ),
        (
            "[telemetry]\nlevel = \"inf\"",
            "telemetry.level: `inf` is none of error, warn, info, debug, trace; is info meant?",
        ),
        (
            "[listen]\ntcp = \"127.0.0.1:1\"",
            "listen.tcp: it must be a list of texts, such as [\"a\", \"b\"], and is a text",
        ),
        (
            "[listen]\ntcp = [\"localhost:1\"]",
            "listen.tcp: `localhost:1` is no address: write an IP address with a port, such as 127.0.0.1:8600 or [::1]:8600",
        ),
        (
            "[listen]\nunix_mode = \"660x\"",
            "listen.unix_mode: `660x` is no mode of a file: write three octal digits as a text, such as \"0660\"",
        ),
        (
            "[log.default]\nsalt = \"maybe\"",
            "log.default.salt: it must be true or false, and is a text",
        ),
        ("[log.default]\nfolder = \"\"", "log.default.folder: it is empty"),
        (
            "[log.default]\norigin = \"a b\"",
            "log.default.origin: `a b` is no origin: 1 to 255 bytes, no white space, no `+`",
        ),
        (
            "[log.default]\nmax_files = 0",
            "log.default.max_files: `0` is outside its limits: it must be from 1 to 1000000",
        ),
        (
            "[log.default]\nmax_file_size = \"100KiB\"",
            "log.default.max_file_size: `102400` is outside its limits: it must be at least 196608",
        ),
    ] {
        assert_eq!(told(text, &[], &[]), format!("indelible.toml:2: {expected}"));
    }
    assert!(told("a = ", &[], &[]).starts_with("indelible.toml:1: this is not TOML: "));
    assert!(
        told("[limits]\nreads_max = 1\nreads_max = 2", &[], &[])
            .starts_with("indelible.toml:3: this is not TOML")
    );
    let told = told("[limits]\nreads_max = 0\ntails = 1\n[timeouts]\nidle = 1", &[], &[]);
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[expect(clippy::too_many_lines, reason = "one table")]
#[test]
fn what_does_not_go_together_is_an_error_before_anything_starts() {
    for (text, expected) in [
        ("[log.a]\n[log.b]\nfolder = \"a\"", "log.b.folder: "),
        (
            "[log.a]\nfolder = \"x\"\n[log.b]\nfolder = \"./x/y\"",
            "is the folder of the log a too, or lies within it",
        ),
        (
            "[log.a]\nkey_file = \"k\"\n[log.b]\nkey_file = \"k\"",
            "is the key of the log a too; each log has one of its own",
        ),
        (
            "[log.a]\n[log.b]",
            "default_log: there are several logs (a, b): say which of them an empty `log` means",
        ),
        (
            "default_log = \"aa\"\n[log.ab]",
            "indelible.toml:1: default_log: `aa` is none of the logs (ab); is ab meant?",
        ),
        (
            "[tls]\ncertificate = \"c\"",
            "indelible.toml:2: tls.certificate: TLS needs both tls.certificate and tls.key",
        ),
        (
            "[tls]\nclient_ca = \"c\"",
            "tls.client_ca: it authenticates nobody without tls.certificate and tls.key",
        ),
        (
            "[listen]\ntcp = [\"127.0.0.1:1\", \"127.0.0.1:1\"]",
            "listen.tcp: 127.0.0.1:1 is listened on twice",
        ),
        (
            "[listen]\ntcp = [\"127.0.0.1:1\"]\n[admin]\nlisten = \"127.0.0.1:1\"",
            "admin.listen: 127.0.0.1:1 is listened on twice",
        ),
        ("[listen]\ntcp = []", "there is no address and no Unix socket to listen on"),
        (
            "[listen]\nallow_anonymous = true\n[auth]\ntokens = \"t\"",
            "authentication is set up too",
        ),
        (
            "[[principal]]\nname = \"agent-7\"\nread = [\"*\"]",
            "a principal's name begins with `token:`, `cert:` or `uid:`",
        ),
        (
            "[[principal]]\nname = \"token:a\"\nread = [\"*\"]",
            "nothing authenticates it: set auth.tokens",
        ),
        (
            "[[principal]]\nname = \"cert:a\"\nread = [\"*\"]",
            "nothing authenticates it: set tls.client_ca",
        ),
        (
            "[[principal]]\nname = \"uid:1\"\nread = [\"*\"]",
            "nothing authenticates it: set listen.unix",
        ),
        (
            "[listen]\nunix = \"s\"\n[[principal]]\nname = \"uid:01\"\nread = [\"*\"]",
            "a uid is a number, such as uid:1000",
        ),
        (
            "[auth]\ntokens = \"t\"\n[[principal]]\nname = \"token:a\"",
            "indelible.toml:3: principal \"token:a\": it has no role on any log",
        ),
        (
            "[auth]\ntokens = \"t\"\n[[principal]]\nname = \"token:a\"\nread = [\"defalt\"]",
            "`defalt` is none of the logs (default); is default meant?",
        ),
    ] {
        let told = told(text, &[], &[]);
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let long = format!("token:{}", "x".repeat(251));
    let text = format!("[auth]\ntokens = \"t\"\n[[principal]]\nname = \"{long}\"\nread = [\"*\"]");
    assert!(told(&text, &[], &[]).contains("has at most 256 bytes"));
}

#[test]
fn nobody_is_let_in_from_other_machines_unauthenticated_unless_told_so() {
    for open in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
        let text = format!("[listen]\ntcp = [\"127.0.0.1:2\", \"{open}\"]\n");
        assert!(told(&text, &[], &[]).contains("nobody would be authenticated there"), "{open}");
        let tokens = format!("{text}[auth]\ntokens = \"t\"");
        let warnings = read(&tokens).config.warnings();
        assert!(matches!(warnings[..], [Warning::TokensInClear { .. }]));
        let allowed = read(&format!("{text}allow_anonymous = true")).config;
        assert!(matches!(allowed.warnings()[..], [Warning::AnonymousFromAnywhere { .. }]));
    }
    let small = read("[limits]\nrequest_size_max = \"8KiB\"").config.warnings();
    assert!(matches!(small[..], [Warning::RequestBelowEntry { limit: 8192, largest: 65536 }]));
    for own in ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert!(read(&format!("[listen]\ntcp = [\"{own}\"]\n")).config.warnings().is_empty());
    }
}

#[tokio::test]
async fn a_configuration_that_was_put_together_by_a_program_is_checked_too() {
    let mut config = Config::default();
    config.listen.tcp = vec!["0.0.0.0:0".parse().unwrap()];
    let refused = indelible_server::Server::start(config.clone()).await.err().unwrap();
    assert!(refused.to_string().contains("nobody would be authenticated there"), "{refused}");
    config.listen.tcp = vec!["127.0.0.1:0".parse().unwrap()];
    config.logs.push(LogConfig::new("default", "other"));
    let faults = config.validate();
    assert!(matches!(&faults, Err(ConfigError::Faults(faults)) if faults.len() == 1), "{faults:?}");
    assert!(!Path::new("audit").exists());
}

#[test]
fn the_reference_in_the_documents_is_the_table() {
    let page =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate/configure-service.md");
    let page = std::fs::read_to_string(page).unwrap();
    let reference = config::reference();
    assert!(page.contains(&reference), "docs/operate/configure-service.md must have:\n{reference}");
}

#[test]
fn a_configuration_beyond_any_size_is_not_read() {
    let place = tempfile::tempdir().unwrap();
    let path = file(&place, &"#".repeat((1 << 20) + 1));
    let error = load(Some(&path), environment(&[]), &[]).err().unwrap();
    assert!(matches!(error, ConfigError::TooLarge { limit: 1_048_576, .. }), "{error}");
    let missing = load(Some(Path::new("/nowhere/x.toml")), environment(&[]), &[]).err().unwrap();
    assert!(missing.to_string().starts_with("could not read the configuration /nowhere/x.toml: "));
}
