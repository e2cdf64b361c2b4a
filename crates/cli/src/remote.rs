//! Speaks to a running service in the place of a folder: the runtime around its client, and what a person is told where that
//! waits for the service.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use indelible_server::client::{Client, ClientError, Notice, Observer, ServerUrl};
use tokio::runtime::{Builder, Runtime};

use crate::flags::remote::Remote;
use crate::render;

/// A client, and the runtime in which it lives.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    runtime: Runtime,
}

impl Session {
    /// Prepares for the service at `url`; connects when it is used.
    pub(crate) fn new(url: &ServerUrl, remote: &Remote) -> anyhow::Result<Self> {
        let options = remote.options(url)?.with_observer(observer(url));
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("could not start the runtime")?;
        let entered = runtime.enter();
        let client = Client::new(&options)?;
        drop(entered);
        Ok(Self { client, runtime })
    }

    /// Waits for what the service is asked.
    pub(crate) fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        self.runtime.block_on(asked)
    }
}

/// Tells a person what is waited for, and when that is over.
fn observer(url: &ServerUrl) -> Observer {
    let (url, told) = (url.clone(), Mutex::new(Told::default()));
    Observer::new(move |notice| {
        let text = told.lock().unwrap_or_else(PoisonError::into_inner).text(&url, notice);
        if let Some(text) = text {
            render::note(text);
        }
    })
}

/// What was told before. A service that asks to come slower does so often, and is told of once.
#[derive(Debug, Default)]
struct Told {
    codes: Vec<String>,
    is_away: bool,
}

impl Told {
    fn text(&mut self, url: &ServerUrl, notice: &Notice<'_>) -> Option<String> {
        match notice {
            Notice::TryingAgain { error, up_to } => {
                if let Some(code) = error.code() {
                    if self.codes.iter().any(|told| told == code) {
                        return None;
                    }
                    self.codes.push(code.to_owned());
                }
                self.is_away = true;
                let is_refused = matches!(error, ClientError::Refused { .. });
                let place = if is_refused { format!("{url}: ") } else { String::new() };
                Some(format!(
                    "{place}{}; trying again for up to about {} s; Ctrl-C ends it",
                    chain(error),
                    up_to.as_secs()
                ))
            }
            Notice::Back if std::mem::take(&mut self.is_away) => {
                Some(format!("{url}: it answers again"))
            }
            Notice::Back | _ => None,
        }
    }
}

/// An error and what caused it, where that says more.
fn chain(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
