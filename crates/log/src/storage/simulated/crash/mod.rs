//! What a crash can leave: which states there are, and the disk that one of them makes.
//!
//! Each folder and each file with unsynced operations is a dimension of its own; a state is a choice in each.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{Content, Kept, SECTOR_SIZE};
use super::tree::{Body, Edit, Entries, Folder, Inode, Node, ROOT, Tree, position_of};
use super::{SimulatedDisk, State};

mod choice;

pub(super) use self::choice::Random;
use self::choice::{every, notable, random};

/// The seed of [`SimulatedDisk::crash_states`].
const SEED: u64 = 0x1bde_11b1_e5ee_d001;
/// How often a sample is drawn that was there already, before there are taken to be no more.
const REPEATS_MAX: u32 = 1000;

/// One of the states that a crash can leave, of the disk that made it and as long as nothing changes on that disk.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CrashState {
    dimensions: Arc<Dimensions>,
    /// How many of its unsynced operations each folder kept.
    folders: Vec<usize>,
    /// What each file kept.
    files: Vec<Kept>,
}

/// The folders and files that have unsynced operations.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct Dimensions {
    folders: Vec<Dimension>,
    files: Vec<Dimension>,
}

/// A folder or file that has unsynced operations.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Dimension {
    inode: Inode,
    path: PathBuf,
    /// How many steps its journal has.
    steps: usize,
}

impl CrashState {
    /// Keeps the first `steps` of what the file at `path` had not synced (each byte appended is a step, each cut is
    /// one too), all the rest as in this state; `None` where that file has nothing unsynced.
    #[must_use]
    pub fn keeping(&self, path: impl AsRef<Path>, steps: usize) -> Option<Self> {
        self.with_file(path.as_ref(), |kept, all| kept.steps = steps.min(all))
    }

    /// Lets what was not synced in this range of the file at `path` read as NULs, as far as it lies in a part that
    /// this state keeps; the range is widened to whole sectors of 512 bytes. `None` where that file has nothing
    /// unsynced.
    #[must_use]
    pub fn missing(&self, path: impl AsRef<Path>, range: Range<usize>) -> Option<Self> {
        let start = range.start - range.start % SECTOR_SIZE;
        let end = range.end.next_multiple_of(SECTOR_SIZE);
        self.with_file(path.as_ref(), |kept, _| kept.missing.push(start..end))
    }

    /// Keeps the first `count` of the unsynced entry operations of the folder at `path`; `None` where it has none.
    #[must_use]
    pub fn keeping_entries(&self, path: impl AsRef<Path>, count: usize) -> Option<Self> {
        let position = position(&self.dimensions.folders, path.as_ref())?;
        let mut state = self.clone();
        *state.folders.get_mut(position)? = count;
        Some(state)
    }

    /// The files with something unsynced, by the paths that [`CrashState::keeping`] knows them by, each with how many
    /// steps there are.
    pub fn files(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.dimensions.files.iter().map(|file| (file.path.as_path(), file.steps))
    }

    /// The folders with unsynced entry operations, by the paths that [`CrashState::keeping_entries`] knows them by, each
    /// with how many there are.
    pub fn folders(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.dimensions.folders.iter().map(|folder| (folder.path.as_path(), folder.steps))
    }

    fn with_file(&self, path: &Path, change: impl FnOnce(&mut Kept, usize)) -> Option<Self> {
        let position = position(&self.dimensions.files, path)?;
        let steps = self.dimensions.files.get(position)?.steps;
        let mut state = self.clone();
        change(state.files.get_mut(position)?, steps);
        Some(state)
    }
}

impl fmt::Debug for CrashState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (folder, kept) in self.dimensions.folders.iter().zip(&self.folders) {
            map.entry(&folder.path, &format_args!("{kept} of {} entry operations", folder.steps));
        }
        for (file, kept) in self.dimensions.files.iter().zip(&self.files) {
            let (steps, missing) = (kept.steps, &kept.missing);
            map.entry(&file.path, &format_args!("{steps} of {}, NUL at {missing:?}", file.steps));
        }
        map.finish()
    }
}

impl SimulatedDisk {
    /// The state that keeps nothing but what was synced.
    pub fn only_synced(&self) -> CrashState {
        self.state().all_equal(false)
    }

    /// The state that lost nothing.
    pub fn everything(&self) -> CrashState {
        self.state().all_equal(true)
    }

    /// The states that a crash now can leave: all of them where there are no more than `limit`; otherwise `limit` of
    /// them, the same ones every time: nothing but what was synced, everything, in each folder and file each kind of
    /// loss while the others lost nothing and while they lost everything, and then a sample.
    pub fn crash_states(&self, limit: usize) -> impl Iterator<Item = CrashState> + use<> {
        self.crash_states_seeded(limit, SEED)
    }

    /// As [`SimulatedDisk::crash_states`], with another sample for each seed.
    pub fn crash_states_seeded(
        &self,
        limit: usize,
        seed: u64,
    ) -> impl Iterator<Item = CrashState> + use<> {
        let state = self.state();
        let states = state.every_state(limit);
        states.unwrap_or_else(|| state.sampled_states(limit, seed)).into_iter().take(limit)
    }

    /// The disk that starts again after a crash that left this state of it; without locks, faults or crash, its
    /// operations counted from 0.
    ///
    /// Works on a disk that has not crashed, too: as if the power failed now.
    #[must_use]
    pub fn after_crash(&self, state: &CrashState) -> Self {
        let own = self.state();
        let tree = own.tree_after(state).unwrap_or_else(|_| Tree::new());
        Self::from_tree(tree, own.medium)
    }
}

impl State {
    /// The folders and files with unsynced operations, as far as any name that a crash can leave leads to them.
    fn dimensions(&self) -> Dimensions {
        let mut found = Dimensions::default();
        let mut seen = BTreeSet::from([ROOT]);
        let mut due = vec![(ROOT, PathBuf::from("/"))];
        while let Some((inode, path)) = due.pop() {
            match self.tree.node(inode).map(|node| &node.body) {
                Ok(Body::Folder(folder)) => {
                    for (name, inner) in names(folder) {
                        if seen.insert(inner) {
                            due.push((inner, path.join(name)));
                        }
                    }
                    let steps = folder.journal.len();
                    if steps > 0 {
                        found.folders.push(Dimension { inode, path, steps });
                    }
                }
                Ok(Body::File(content)) if content.steps() > 0 => {
                    found.files.push(Dimension { inode, path, steps: content.steps() });
                }
                Ok(Body::File(_) | Body::Link(_)) | Err(_) => {}
            }
        }
        found.folders.sort_by_key(|folder| folder.inode);
        found.files.sort_by_key(|file| file.inode);
        found
    }

    fn all_equal(&self, kept: bool) -> CrashState {
        let dimensions = Arc::new(self.dimensions());
        let steps = |dimension: &Dimension| if kept { dimension.steps } else { 0 };
        let folders = dimensions.folders.iter().map(steps).collect();
        let files = dimensions.files.iter().map(steps).map(Kept::first).collect();
        CrashState { dimensions, folders, files }
    }

    fn content(&self, file: &Dimension) -> &Content {
        static EMPTY: std::sync::LazyLock<Content> = std::sync::LazyLock::new(Content::default);
        // A dimension is made from a file that is there.
        self.tree.content(file.inode).unwrap_or(&EMPTY)
    }

    /// Every state, where there are no more than `limit`.
    fn every_state(&self, limit: usize) -> Option<Vec<CrashState>> {
        let first = self.all_equal(false);
        let mut states = vec![first.clone()];
        for (position, folder) in first.dimensions.folders.iter().enumerate() {
            if states.len().saturating_mul(folder.steps + 1) > limit {
                return None;
            }
            let choices = 0..=folder.steps;
            states = multiply(&states, choices, |state, choice| {
                if let Some(kept) = state.folders.get_mut(position) {
                    *kept = choice;
                }
            });
        }
        for (position, file) in first.dimensions.files.iter().enumerate() {
            let choices = every(self.content(file), limit / states.len())?;
            states = multiply(&states, choices, |state, choice| {
                if let Some(kept) = state.files.get_mut(position) {
                    *kept = choice;
                }
            });
        }
        Some(states)
    }

    /// `limit` states: the extremes, then what is drawn.
    fn sampled_states(&self, limit: usize, seed: u64) -> Vec<CrashState> {
        let extremes = [self.all_equal(true), self.all_equal(false)];
        let [everything, only_synced] = &extremes;
        let mut sample = Sample::default();
        sample.add(only_synced.clone(), limit);
        sample.add(everything.clone(), limit);

        let dimensions = &everything.dimensions;
        let notable: Vec<Vec<Kept>> =
            dimensions.files.iter().map(|file| notable(self.content(file))).collect();
        let rounds = notable.iter().map(Vec::len);
        let rounds = rounds.chain(dimensions.folders.iter().map(|folder| folder.steps)).max();
        for round in 0..rounds.unwrap_or(0) {
            for extreme in &extremes {
                for (position, choices) in notable.iter().enumerate() {
                    if let Some(choice) = choices.get(round) {
                        let mut state = extreme.clone();
                        state.files.splice(position..=position, [choice.clone()]);
                        sample.add(state, limit);
                    }
                }
                for (position, folder) in dimensions.folders.iter().enumerate() {
                    let mut state = extreme.clone();
                    state.folders.splice(position..=position, [round.min(folder.steps)]);
                    sample.add(state, limit);
                }
            }
        }

        let mut source = Random::new(seed);
        sample.repeats = 0;
        while sample.states.len() < limit && sample.repeats < REPEATS_MAX {
            let folders = dimensions.folders.iter().map(|folder| source.below(folder.steps + 1));
            let folders = folders.collect();
            let contents = dimensions.files.iter().map(|file| self.content(file));
            let files = contents.zip(&notable);
            let files = files.map(|(content, notable)| random(content, notable, &mut source));
            let files = files.collect();
            sample.add(CrashState { dimensions: Arc::clone(dimensions), folders, files }, limit);
        }
        sample.states
    }

    fn tree_after(&self, state: &CrashState) -> io::Result<Tree> {
        let folders = self.kept_entries(state);
        let files: BTreeMap<Inode, &Kept> =
            state.dimensions.files.iter().map(|file| file.inode).zip(&state.files).collect();
        let mut nodes = BTreeMap::new();
        let mut due = vec![ROOT];
        while let Some(inode) = due.pop() {
            let node = self.tree.node(inode)?;
            let body = match &node.body {
                Body::Folder(folder) => {
                    let entries =
                        folder.after_crash(folders.get(&inode).copied().unwrap_or_default());
                    due.extend(entries.values());
                    Body::Folder(Folder::from(entries))
                }
                Body::File(content) => {
                    let kept = files.get(&inode).copied().cloned().unwrap_or_default();
                    Body::File(Content::from(content.after_crash(&kept)))
                }
                Body::Link(target) => Body::Link(target.clone()),
            };
            nodes.insert(inode, Node { body, ..*node });
        }
        Ok(Tree::from_nodes(nodes))
    }

    /// How many entry operations each folder keeps, less those renames into another folder that it did not keep.
    fn kept_entries(&self, state: &CrashState) -> BTreeMap<Inode, usize> {
        let inodes = state.dimensions.folders.iter().map(|folder| folder.inode);
        let mut kept: BTreeMap<Inode, usize> = inodes.zip(state.folders.iter().copied()).collect();
        loop {
            let before = kept.clone();
            for (inode, count) in &mut kept {
                let Ok(folder) = self.tree.folder(*inode) else { continue };
                let lost = folder.journal.iter().take(*count).position(|change| {
                    change.partner.is_some_and(|(other, number)| {
                        let journal = self.tree.folder(other).map(|folder| &folder.journal);
                        let position =
                            journal.ok().and_then(|journal| position_of(journal, number));
                        // Without a position it is on the medium already.
                        let kept = before.get(&other).copied().unwrap_or_default();
                        position.is_some_and(|position| position >= kept)
                    })
                });
                *count = lost.unwrap_or(*count);
            }
            if kept == before {
                return kept;
            }
        }
    }
}

/// States drawn so far, each once.
#[derive(Default)]
struct Sample {
    states: Vec<CrashState>,
    seen: HashSet<(Vec<usize>, Vec<Kept>)>,
    /// How many that were there already came since the last new one.
    repeats: u32,
}

impl Sample {
    fn add(&mut self, state: CrashState, limit: usize) {
        if self.states.len() < limit
            && self.seen.insert((state.folders.clone(), state.files.clone()))
        {
            self.states.push(state);
            self.repeats = 0;
        } else {
            self.repeats += 1;
        }
    }
}

/// All names that a folder has, had or may have, and what they stand for.
fn names(folder: &Folder) -> Entries {
    let mut names = folder.durable.clone();
    for change in &folder.journal {
        if let Edit::Add { name, inode } = &change.edit {
            names.insert(name.clone(), *inode);
        }
    }
    // The same nodes by the names that they have now, where they have one.
    let current: BTreeSet<Inode> = folder.entries.values().copied().collect();
    names.retain(|_, inode| !current.contains(inode));
    let mut all = folder.entries.clone();
    for (name, inode) in names {
        let mut name = name;
        while all.contains_key(&name) {
            name.push_str(" (before)");
        }
        all.insert(name, inode);
    }
    all
}

fn position(dimensions: &[Dimension], path: &Path) -> Option<usize> {
    let path = Path::new("/").join(path);
    dimensions.iter().position(|dimension| dimension.path == path)
}

/// Each state with each choice.
fn multiply<T: Clone>(
    states: &[CrashState],
    choices: impl IntoIterator<Item = T, IntoIter: Clone>,
    choose: impl Fn(&mut CrashState, T),
) -> Vec<CrashState> {
    let choices = choices.into_iter();
    let pairs = states.iter().flat_map(|state| choices.clone().map(move |choice| (state, choice)));
    let chosen = pairs.map(|(state, choice)| {
        let mut state = state.clone();
        choose(&mut state, choice);
        state
    });
    chosen.collect()
}
