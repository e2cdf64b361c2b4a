//! The servers, each in a process of its own: this program, started again with other arguments.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use indelible_server::config::LogConfig;
use indelible_server::{Config, Server};
use tokio::runtime::Builder;

use crate::Failure;
use crate::echo;

/// What tells the program that it is one of them.
pub(crate) const FLAG: &str = "--child";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Service,
    /// The service with room for a few connections.
    Narrow,
    GrpcEcho,
    HttpEcho,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Narrow => "narrow",
            Self::GrpcEcho => "grpc-echo",
            Self::HttpEcho => "http-echo",
        }
    }
}

/// A server that runs, until this is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) address: SocketAddr,
    /// Its end tells the server to end.
    stdin: Option<ChildStdin>,
}

impl Child {
    pub(crate) fn start(kind: Kind, folder: &Path) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([FLAG, kind.as_str()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_malformed| format!("no address: {line:?}"))?;
        let stdin = process.stdin.take();
        Ok(Self { process, address, stdin })
    }

    /// Memory that the process has.
    pub(crate) fn resident_kb(&self) -> Result<i64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let text = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(text.parse()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.stdin.take());
        drop(self.process.wait());
    }
}

/// Runs a server until stdin ends.
pub(crate) fn run(kind: &str, folder: &Path) -> Result<(), Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let until_end = tokio::task::spawn_blocking;
    runtime.block_on(async {
        let wait = || until_end(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        match kind {
            "service" | "narrow" => {
                let mut log = LogConfig::new("default", folder.join("audit"));
                log.create = true;
                let mut config = Config::default();
                config.logs = vec![log];
                config.listen.tcp = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
                config.admin = None;
                if kind == "narrow" {
                    config.limits.connections_max = 16;
                }
                let server = Server::start(config).await?;
                tell(*server.addresses().first().ok_or("no address")?)?;
                wait().await??;
                server.stop().await;
            }
            "grpc-echo" => {
                let (address, serving) = echo::grpc().await?;
                tell(address)?;
                tokio::select! {
                    ended = serving => ended?,
                    ended = wait() => drop(ended??),
                }
            }
            _ => {
                let (address, serving) = echo::http().await?;
                tell(address)?;
                tokio::select! {
                    ended = serving => ended?,
                    ended = wait() => drop(ended??),
                }
            }
        }
        Ok(())
    })
}

fn tell(address: SocketAddr) -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{address}")?;
    stdout.flush()
}
