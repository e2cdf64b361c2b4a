//! A disk with a volatile cache, in memory: what reads show, what a power cut leaves, and what is done to it on purpose.
//!
//! A write lands in the cache; a flush that succeeds makes durable all that landed before it. After a power cut the medium
//! holds what is durable and, of the writes since, any: each whole, not at all, or only some of its sectors.
//!
//! The loop driver turns `REQ_OP_FLUSH` into an fsync of its file. It offers no FUA to the layers above it, so the kernel
//! makes of a FUA write a write and a flush behind it: it arrives here as these two, and both are recorded.

use std::ops::Range;

use super::SECTOR_SIZE;
use super::told::word;

/// How ext4 is made here.
const BLOCK_SIZE: usize = 4096;
/// A block of jbd2 that is the superblock of a journal, version 2: magic number and type.
const JOURNAL: [u8; 8] = [0xC0, 0x3B, 0x39, 0x98, 0, 0, 0, 4];
/// Where that says how many blocks the journal has.
const JOURNAL_COUNT: Range<usize> = 16..20;

/// Something that came to the device, in the order in which it came.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A write that the cache or the medium took.
    Write { offset: usize, data: Vec<u8> },
    /// A flush that succeeded: every write before it is durable.
    Flush,
    /// What the appending process said.
    Said(String),
}

/// What is done to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// It fails with this error; of a write nothing, all or some sectors are on the medium nevertheless.
    Fail(i32),
    /// It fails with this error, and everything in the cache is gone: the next flush succeeds with nothing to write.
    FailAndForget(i32),
    /// It is said to be done, and is not: a write is never seen again, a flush makes nothing durable.
    Lie,
    /// As [`Strike::Lie`], but what was written is read until the power is cut.
    LieUntilCut,
}

/// Which requests a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Write,
    /// Only a write to the journal of ext4.
    Journal,
    Flush,
}

/// One thing that is wrong with the device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) strike: Strike,
    pub(crate) blow: Blow,
    /// The first request of that kind that it strikes, from 0.
    pub(crate) at: u64,
    /// How many it strikes.
    pub(crate) count: u64,
}

/// What the medium held when the cache was dropped with a flush that failed, for the first time.
#[derive(Debug)]
pub(crate) struct Dropped {
    pub(crate) content: Vec<u8>,
    /// How many lines were said by then.
    pub(crate) said: usize,
}

/// The disk.
#[derive(Debug)]
pub(crate) struct Device {
    /// What reads show.
    shown: Vec<u8>,
    /// What a flush has made durable.
    durable: Vec<u8>,
    /// Writes since, in their order.
    cached: Vec<(usize, Vec<u8>)>,
    history: Option<Vec<Happening>>,
    said: Vec<String>,
    fault: Option<Fault>,
    /// Where ext4 has its journal.
    journal: Range<usize>,
    /// A fault that waits for the appending process to say so.
    awaited: Option<Fault>,
    random: fastrand::Rng,
    writes: u64,
    journal_writes: u64,
    flushes: u64,
    struck: u64,
    dropped: Option<Dropped>,
}

impl Device {
    pub(crate) fn new(content: Vec<u8>, seed: u64) -> Self {
        Self {
            journal: journal_in(&content),
            durable: content.clone(),
            shown: content,
            cached: Vec::new(),
            history: None,
            said: Vec::new(),
            fault: None,
            awaited: None,
            random: fastrand::Rng::with_seed(seed),
            writes: 0,
            journal_writes: 0,
            flushes: 0,
            struck: 0,
            dropped: None,
        }
    }

    /// Records everything from now on.
    pub(crate) fn recording(mut self) -> Self {
        self.history = Some(Vec::new());
        self
    }

    /// Counts requests anew, and breaks as `fault` says.
    pub(crate) fn break_at(&mut self, fault: Fault) {
        (self.writes, self.journal_writes, self.flushes) = (0, 0, 0);
        self.fault = Some(fault);
    }

    /// As [`Device::break_at`], from when the appending process says that it breaks.
    pub(crate) fn break_when_told(&mut self, fault: Fault) {
        self.awaited = Some(fault);
    }

    pub(crate) fn size(&self) -> usize {
        self.shown.len()
    }

    pub(crate) fn struck(&self) -> u64 {
        self.struck
    }

    pub(crate) fn take_dropped(&mut self) -> Option<Dropped> {
        self.dropped.take()
    }

    /// What was said so far.
    pub(crate) fn said(&self) -> &[String] {
        &self.said
    }

    pub(crate) fn take_history(&mut self) -> Vec<Happening> {
        self.history.take().unwrap_or_default()
    }

    pub(crate) fn say(&mut self, text: &str) {
        for line in text.lines() {
            if line == word::BREAKS
                && let Some(fault) = self.awaited.take()
            {
                self.break_at(fault);
            }
            self.said.push(line.to_owned());
            self.record(|| Happening::Said(line.to_owned()));
        }
    }

    pub(crate) fn read(&self, offset: usize, size: usize) -> &[u8] {
        let end = offset.saturating_add(size).min(self.shown.len());
        self.shown.get(offset..end).unwrap_or_default()
    }

    /// Takes a write, or fails with an error's number.
    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) -> Result<(), i32> {
        let strike = if self.journal.contains(&offset) {
            let strike = self.strike(Blow::Journal).or_else(|| self.strike(Blow::Write));
            self.journal_writes += 1;
            strike
        } else {
            self.strike(Blow::Write)
        };
        self.writes += 1;
        let end = offset.saturating_add(data.len());
        if end > self.shown.len() {
            return Err(rustix::io::Errno::NOSPC.raw_os_error());
        }
        match strike {
            None => self.take(offset, data),
            Some(Strike::Fail(error)) => {
                // Whoever is told of a failure knows nothing of what is on the medium.
                match self.random.u8(..3) {
                    0 => {}
                    1 => self.take(offset, data),
                    _ => {
                        for (offset, sector) in torn(&mut self.random, offset, data) {
                            self.take(offset, sector);
                        }
                    }
                }
                return Err(error);
            }
            Some(Strike::FailAndForget(error)) => {
                self.drop_cache();
                return Err(error);
            }
            Some(Strike::Lie) => {}
            Some(Strike::LieUntilCut) => lay(&mut self.shown, offset, data),
        }
        Ok(())
    }

    /// Takes a flush, or fails with an error's number.
    pub(crate) fn flush(&mut self) -> Result<(), i32> {
        let strike = self.strike(Blow::Flush);
        self.flushes += 1;
        match strike {
            None => {
                for (offset, data) in self.cached.drain(..) {
                    lay(&mut self.durable, offset, &data);
                }
                self.record(|| Happening::Flush);
            }
            Some(Strike::Fail(error)) => return Err(error),
            Some(Strike::FailAndForget(error)) => {
                self.drop_cache();
                return Err(error);
            }
            Some(Strike::Lie) => self.forget(),
            Some(Strike::LieUntilCut) => self.cached.clear(),
        }
        Ok(())
    }

    /// What a power cut now leaves: what is durable, and of the writes since what `random` says.
    pub(crate) fn after_cut(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut content = self.durable.clone();
        let cached: Vec<_> =
            self.cached.iter().map(|(offset, data)| (*offset, &data[..])).collect();
        keep_some(&mut content, &cached, random);
        content
    }

    fn take(&mut self, offset: usize, data: &[u8]) {
        lay(&mut self.shown, offset, data);
        self.cached.push((offset, data.to_vec()));
        self.record(|| Happening::Write { offset, data: data.to_vec() });
    }

    /// Loses the cache: reads show what is durable.
    fn forget(&mut self) {
        for (offset, data) in self.cached.drain(..) {
            let range = offset..offset + data.len();
            self.shown[range.clone()].copy_from_slice(&self.durable[range]);
        }
    }

    /// Loses it as a device does that says so.
    fn drop_cache(&mut self) {
        self.forget();
        if self.dropped.is_none() {
            self.dropped = Some(Dropped { content: self.durable.clone(), said: self.said.len() });
        }
    }

    fn record(&mut self, what: impl FnOnce() -> Happening) {
        if let Some(history) = &mut self.history {
            history.push(what());
        }
    }

    /// What happens to the request that comes now.
    fn strike(&mut self, blow: Blow) -> Option<Strike> {
        let fault = self.fault.filter(|fault| fault.blow == blow)?;
        let number = match blow {
            Blow::Write => self.writes,
            Blow::Journal => self.journal_writes,
            Blow::Flush => self.flushes,
        };
        let struck = number >= fault.at && number - fault.at < fault.count;
        self.struck += u64::from(struck);
        struck.then_some(fault.strike)
    }
}

/// Where ext4 has its journal in `content`: one stretch, since it is made on an empty disk. Nowhere for XFS.
fn journal_in(content: &[u8]) -> Range<usize> {
    let mut blocks = content.chunks_exact(BLOCK_SIZE).enumerate();
    let found = blocks.find_map(|(index, block)| {
        let count = block.starts_with(&JOURNAL).then(|| block[JOURNAL_COUNT].try_into().ok())??;
        let count = usize::try_from(u32::from_be_bytes(count)).ok()?;
        Some(index * BLOCK_SIZE..(index + count) * BLOCK_SIZE)
    });
    found.unwrap_or(0..0)
}

/// Writes `data` at `offset`.
pub(crate) fn lay(content: &mut [u8], offset: usize, data: &[u8]) {
    content[offset..offset + data.len()].copy_from_slice(data);
}

/// Lays some of `writes` over `content`, as a cut in the middle of them may: in their order, each whole, not at all, or
/// torn.
pub(crate) fn keep_some(content: &mut [u8], writes: &[(usize, &[u8])], random: &mut fastrand::Rng) {
    // Out of 8: all but few, few, or half and half.
    let kept = random.u8(1..8);
    for (offset, data) in writes {
        match random.u8(..8) {
            0 => {
                for (offset, sector) in torn(random, *offset, data) {
                    lay(content, offset, sector);
                }
            }
            draw if draw <= kept => lay(content, *offset, data),
            _ => {}
        }
    }
}

/// The sectors of a write that came to the medium: the first ones, the last ones, or any.
fn torn<'d>(random: &mut fastrand::Rng, offset: usize, data: &'d [u8]) -> Vec<(usize, &'d [u8])> {
    let sectors: Vec<_> = data.chunks(SECTOR_SIZE).enumerate().collect();
    let (how, border) = (random.u8(..3), random.usize(..=sectors.len()));
    let mut kept = Vec::new();
    for (index, sector) in sectors {
        let is_kept = match how {
            0 => index < border,
            1 => index >= border,
            _ => random.bool(),
        };
        if is_kept {
            kept.push((offset + index * SECTOR_SIZE, sector));
        }
    }
    kept
}
