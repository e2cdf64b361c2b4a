//! How often, and after how long, something is tried again ([`Retry`]), and who is told of it ([`Observer`]).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::error::ClientError;

/// How often, and after how long, something is tried again. Each pause is twice as long as the one before, and as long as
/// the service asked for at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// How often in a row without any success between; 0 is never.
    pub times: u32,
    /// The first pause.
    pub first: Duration,
    /// The longest pause, but where the service asks for a longer one.
    pub longest: Duration,
    /// No pause ends later than so long after the first failure in a row.
    pub total: Duration,
    /// The same while the service has not answered even once: it may never have been there.
    pub connect: Duration,
    /// Also waits where the service's disk is full (`disk_space`), which somebody has to mend first.
    pub for_space: bool,
}

impl Default for Retry {
    /// For about a minute, or five seconds while the service has not answered even once.
    fn default() -> Self {
        Self {
            times: 12,
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            total: Duration::from_mins(1),
            connect: Duration::from_secs(5),
            for_space: false,
        }
    }
}

impl Retry {
    /// Once, and never again.
    pub const NEVER: Self = Self {
        times: 0,
        first: Duration::ZERO,
        longest: Duration::ZERO,
        total: Duration::ZERO,
        connect: Duration::ZERO,
        for_space: false,
    };

    /// As the default, but as often as that in a row.
    #[must_use]
    pub const fn with_times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// As the default, but for no longer than that.
    #[must_use]
    pub const fn with_total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// Also waits where the service's disk is full.
    #[must_use]
    pub const fn with_waiting_for_space(mut self) -> Self {
        self.for_space = true;
        self
    }
}

/// What whoever watches a client is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// Something failed for the first time in a row, and is tried again.
    TryingAgain {
        /// Why it failed.
        error: &'a ClientError,
        /// For how long it is tried at the most.
        up_to: Duration,
    },
    /// It works again.
    Back,
}

/// Is told what a client waits for. The client itself prints nothing.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Notice<'_>) + Send + Sync>);

impl Observer {
    /// Tells that function, which must not block.
    pub fn new(tell: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer(…)")
    }
}

/// Which pause comes next.
#[derive(Debug)]
pub(super) struct Pauses {
    retry: Retry,
    observer: Option<Observer>,
    /// Whether the service has ever answered.
    answered: Arc<AtomicBool>,
    done: u32,
    /// When the first failure in a row was.
    since: Option<Instant>,
}

impl Pauses {
    pub(super) fn new(retry: Retry, observer: Option<Observer>, answered: Arc<AtomicBool>) -> Self {
        Self { retry, observer, answered, done: 0, since: None }
    }

    /// The pause after which to try again; `None` where that makes no sense, or was done for long enough.
    pub(super) fn next(&mut self, error: &ClientError) -> Option<Duration> {
        self.next_at(error, Instant::now())
    }

    fn next_at(&mut self, error: &ClientError, now: Instant) -> Option<Duration> {
        if !matches!(error, ClientError::Unreachable { .. }) {
            self.answered.store(true, Ordering::Relaxed);
        }
        let asked = error.pause()?;
        let waits_for_space = self.retry.for_space;
        if self.done >= self.retry.times
            || (error.code() == Some(crate::Code::DiskSpace.as_str()) && !waits_for_space)
        {
            return None;
        }
        let has_answered = self.answered.load(Ordering::Relaxed);
        let up_to = if has_answered { self.retry.total } else { self.retry.connect };
        let grown = self.retry.first.saturating_mul(1 << self.done.min(20));
        let pause = grown.min(self.retry.longest).max(asked);
        let is_first = self.since.is_none();
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since).saturating_add(pause) > up_to {
            return None;
        }
        self.done += 1;
        if is_first {
            self.tell(&Notice::TryingAgain { error, up_to });
        }
        Some(pause)
    }

    /// Whether the last thing failed.
    pub(super) fn is_failing(&self) -> bool {
        self.since.is_some()
    }

    /// The service was there, whether or not it takes anything.
    pub(super) fn reached(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Something succeeded: the next failure is the first one again.
    pub(super) fn reset(&mut self) {
        self.reached();
        self.done = 0;
        if self.since.take().is_some() {
            self.tell(&Notice::Back);
        }
    }

    fn tell(&self, notice: &Notice<'_>) {
        if let Some(Observer(tell)) = &self.observer {
            tell(notice);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn refused(code: crate::Code, seconds: u64) -> ClientError {
        ClientError::Refused {
            code: code.as_str().to_owned(),
            message: String::new(),
            retry_after: Some(Duration::from_secs(seconds)),
            resume: None,
            is_indeterminate: false,
        }
    }

    fn unreachable() -> ClientError {
        let url = "http://127.0.0.1:1".parse().unwrap();
        ClientError::of(tonic::Status::unavailable("gone"), &url)
    }

    /// The pauses in seconds until it gives up, where nothing but they takes time.
    fn seconds(pauses: &mut Pauses, error: &ClientError) -> Vec<f32> {
        let (mut all, mut now) = (Vec::new(), Instant::now());
        while let Some(pause) = pauses.next_at(error, now) {
            now += pause;
            all.push(pause.as_secs_f32());
        }
        all
    }

    #[test]
    fn pauses_grow_and_end_in_time_and_their_watcher_is_told_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&told);
        let observer = Observer::new(move |notice| {
            kept.lock().unwrap().push(match notice {
                Notice::TryingAgain { up_to, .. } => up_to.as_secs(),
                Notice::Back => 0,
            });
        });
        let mut pauses = Pauses::new(Retry::default(), Some(observer), Arc::default());
        assert_eq!(seconds(&mut pauses, &unreachable()), [0.1, 0.2, 0.4, 0.8, 1.6]);
        pauses.reset();
        let later = seconds(&mut pauses, &unreachable());
        assert_eq!(later, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0, 10.0]);
        pauses.reset();
        assert_eq!(seconds(&mut pauses, &refused(crate::Code::RateLimited, 25)), [25.0, 25.0]);
        assert_eq!(*told.lock().unwrap(), [5, 0, 60, 0, 60]);
    }

    #[test]
    fn a_full_disk_is_waited_for_only_where_that_was_asked_for() {
        let full = refused(crate::Code::DiskSpace, 60);
        let mut pauses = Pauses::new(Retry::default(), None, Arc::default());
        assert_eq!(pauses.next(&full), None);
        let mut retry = Retry::default().with_waiting_for_space();
        retry.total = Duration::from_mins(3);
        let mut pauses = Pauses::new(retry, None, Arc::default());
        assert_eq!(seconds(&mut pauses, &full), [60.0, 60.0, 60.0]);
        let mut pauses = Pauses::new(Retry::NEVER, None, Arc::default());
        assert_eq!(pauses.next(&unreachable()), None);
    }
}
