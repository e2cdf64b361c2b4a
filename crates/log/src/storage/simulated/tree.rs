//! The tree of folders: names, and which of them are on the medium.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Errno;
use super::fault;
use super::file::Content;
use crate::storage::{FileId, Kind, Stat};

/// The user that every simulated process acts as, and that owns what it makes.
pub(super) const USER: u32 = 1000;
/// The folder that everything is in.
pub(super) const ROOT: Inode = 1;
/// How many links a path may lead through, as in Linux.
const LINKS_MAX: usize = 40;
/// The longest name of an entry, as in Linux.
const NAME_SIZE_MAX: usize = 255;

/// Number of a node.
pub(super) type Inode = u64;
/// Names and what they stand for.
pub(super) type Entries = BTreeMap<String, Inode>;

/// A file, folder or link, with no name of its own.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) body: Body,
    pub(super) mode: u32,
    pub(super) owner: u32,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Body {
    File(Content),
    Folder(Folder),
    Link(PathBuf),
}

/// A folder's entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    /// What is seen.
    pub(super) entries: Entries,
    /// What is on the medium.
    pub(super) durable: Entries,
    /// What was done since `durable` was reached, in that order.
    pub(super) journal: Vec<EntryChange>,
}

/// One unsynced operation on a folder's entries.
#[derive(Clone, Debug)]
pub(super) struct EntryChange {
    pub(super) edit: Edit,
    /// The other folder of a rename from one into another, and the number that this rename has in both.
    pub(super) partner: Option<(Inode, u64)>,
}

/// What happens to a folder's entries.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Add { name: String, inode: Inode },
    Remove { name: String },
    Rename { from: String, to: String },
}

impl Edit {
    pub(super) fn apply(&self, entries: &mut Entries) {
        match self {
            Self::Add { name, inode } => {
                entries.insert(name.clone(), *inode);
            }
            Self::Remove { name } => {
                entries.remove(name);
            }
            Self::Rename { from, to } => {
                if let Some(inode) = entries.remove(from) {
                    entries.insert(to.clone(), inode);
                }
            }
        }
    }
}

impl Folder {
    /// The entries after that many of the unsynced operations.
    pub(super) fn after_crash(&self, kept: usize) -> Entries {
        let mut entries = self.durable.clone();
        for change in self.journal.iter().take(kept) {
            change.edit.apply(&mut entries);
        }
        entries
    }

    fn synced(entries: Entries) -> Self {
        Self { durable: entries.clone(), entries, journal: Vec::new() }
    }
}

impl From<Entries> for Folder {
    fn from(entries: Entries) -> Self {
        Self::synced(entries)
    }
}

/// Where a path leads.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) folder: Inode,
    /// Empty for the root, and for a path that ends in `..`.
    pub(super) name: String,
    pub(super) found: Option<Inode>,
}

/// All nodes.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Inode, Node>,
    next: Inode,
    renames: u64,
}

impl Tree {
    /// An empty root.
    pub(super) fn new() -> Self {
        Self::from_nodes(BTreeMap::from([(ROOT, Node::folder(0o755))]))
    }

    pub(super) fn from_nodes(nodes: BTreeMap<Inode, Node>) -> Self {
        let next = nodes.last_key_value().map_or(ROOT, |(inode, _)| *inode) + 1;
        Self { nodes, next, renames: 0 }
    }

    pub(super) fn node(&self, inode: Inode) -> io::Result<&Node> {
        self.nodes.get(&inode).ok_or_else(|| Errno::IO.into())
    }

    pub(super) fn node_mut(&mut self, inode: Inode) -> io::Result<&mut Node> {
        self.nodes.get_mut(&inode).ok_or_else(|| Errno::IO.into())
    }

    pub(super) fn content(&self, inode: Inode) -> io::Result<&Content> {
        match &self.node(inode)?.body {
            Body::File(content) => Ok(content),
            Body::Folder(_) => Err(Errno::ISDIR.into()),
            Body::Link(_) => Err(Errno::LOOP.into()),
        }
    }

    pub(super) fn content_mut(&mut self, inode: Inode) -> io::Result<&mut Content> {
        match &mut self.node_mut(inode)?.body {
            Body::File(content) => Ok(content),
            Body::Folder(_) => Err(Errno::ISDIR.into()),
            Body::Link(_) => Err(Errno::LOOP.into()),
        }
    }

    /// Loses what was written to any file since its last sync, and keeps showing it.
    pub(super) fn drop_dirty_data(&mut self) {
        for node in self.nodes.values_mut() {
            if let Body::File(content) = &mut node.body {
                content.drop_dirty_data(fault::Drop::All);
            }
        }
    }

    pub(super) fn folder(&self, inode: Inode) -> io::Result<&Folder> {
        match &self.node(inode)?.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) | Body::Link(_) => Err(Errno::NOTDIR.into()),
        }
    }

    pub(super) fn folder_mut(&mut self, inode: Inode) -> io::Result<&mut Folder> {
        match &mut self.node_mut(inode)?.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) | Body::Link(_) => Err(Errno::NOTDIR.into()),
        }
    }

    /// Follows `path` to its last component, through links, but not a link that stands there.
    pub(super) fn locate(&self, path: &Path) -> io::Result<Place> {
        let mut way = vec![ROOT];
        let mut rest = VecDeque::new();
        let mut links = 0;
        push_front(&mut rest, path, &mut way)?;
        while let Some(step) = rest.pop_front() {
            let here = way.last().copied().unwrap_or(ROOT);
            let folder = self.folder(here)?;
            let Step::Name(name) = step else {
                if way.len() > 1 {
                    way.pop();
                }
                continue;
            };
            if name.len() > NAME_SIZE_MAX {
                return Err(Errno::NAMETOOLONG.into());
            }
            let found = folder.entries.get(&name).copied();
            if rest.is_empty() {
                return Ok(Place { folder: here, name, found });
            }
            let inode = found.ok_or(Errno::NOENT)?;
            if let Body::Link(target) = &self.node(inode)?.body {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP.into());
                }
                push_front(&mut rest, target, &mut way)?;
            } else {
                way.push(inode);
            }
        }
        let folder = way.last().copied().unwrap_or(ROOT);
        Ok(Place { folder, name: String::new(), found: Some(folder) })
    }

    /// The node at `path`, not following a link that stands there.
    pub(super) fn find(&self, path: &Path) -> io::Result<Inode> {
        Ok(self.locate(path)?.found.ok_or(Errno::NOENT)?)
    }

    /// The folder at `path`, not following a link that stands there.
    pub(super) fn find_folder(&self, path: &Path) -> io::Result<Inode> {
        let inode = self.find(path)?;
        self.folder(inode).map(|_| inode)
    }

    pub(super) fn stat(&self, inode: Inode) -> io::Result<Stat> {
        let node = self.node(inode)?;
        let (kind, size) = match &node.body {
            Body::File(content) => (Kind::File, content.cached().len()),
            Body::Folder(_) => (Kind::Folder, 4096),
            Body::Link(target) => (Kind::Link, target.as_os_str().len()),
        };
        Ok(Stat {
            kind,
            size: u64::try_from(size).unwrap_or(u64::MAX),
            id: FileId { device: 1, inode },
            mode: node.mode,
            owner: node.owner,
            owned: node.owner == USER,
        })
    }

    /// Adds a node under a name that must be free; the name is not durable.
    pub(super) fn add(&mut self, place: &Place, node: Node) -> io::Result<Inode> {
        if place.found.is_some() {
            return Err(Errno::EXIST.into());
        }
        let inode = self.insert(node);
        let edit = Edit::Add { name: place.name.clone(), inode };
        self.edit(place.folder, edit, None)?;
        Ok(inode)
    }

    /// Adds a node that has no name yet.
    pub(super) fn insert(&mut self, node: Node) -> Inode {
        let inode = self.next;
        self.next += 1;
        self.nodes.insert(inode, node);
        inode
    }

    pub(super) fn remove(&mut self, place: &Place) -> io::Result<()> {
        self.edit(place.folder, Edit::Remove { name: place.name.clone() }, None)
    }

    /// Gives what stands at `from` the name `to`, in place of what stands there.
    pub(super) fn rename(&mut self, from: &Place, to: &Place) -> io::Result<()> {
        let inode = from.found.ok_or(Errno::NOENT)?;
        if from.name.is_empty() || to.name.is_empty() {
            return Err(Errno::BUSY.into());
        }
        if self.contains(inode, to.folder) {
            return Err(Errno::INVAL.into());
        }
        if from.folder == to.folder {
            let edit = Edit::Rename { from: from.name.clone(), to: to.name.clone() };
            return self.edit(from.folder, edit, None);
        }
        self.renames += 1;
        let number = self.renames;
        let add = Edit::Add { name: to.name.clone(), inode };
        self.edit(to.folder, add, Some((from.folder, number)))?;
        let remove = Edit::Remove { name: from.name.clone() };
        self.edit(from.folder, remove, Some((to.folder, number)))
    }

    /// Whether `folder` is `ancestor`, or somewhere in it.
    fn contains(&self, ancestor: Inode, folder: Inode) -> bool {
        let Ok(Folder { entries, .. }) = self.folder(ancestor) else { return false };
        ancestor == folder || entries.values().any(|inner| self.contains(*inner, folder))
    }

    fn edit(&mut self, folder: Inode, edit: Edit, partner: Option<(Inode, u64)>) -> io::Result<()> {
        let folder = self.folder_mut(folder)?;
        edit.apply(&mut folder.entries);
        folder.journal.push(EntryChange { edit, partner });
        Ok(())
    }

    /// Makes all entry operations of a folder durable, and with a rename out of another or into another folder what
    /// happened in that one up to then: a file system keeps both halves of a rename in one transaction.
    pub(super) fn sync_folder(&mut self, inode: Inode) -> io::Result<()> {
        let mut due = vec![(inode, self.folder(inode)?.journal.len())];
        while let Some((inode, count)) = due.pop() {
            let folder = self.folder_mut(inode)?;
            let mut partners = Vec::new();
            for change in folder.journal.drain(..count.min(folder.journal.len())) {
                change.edit.apply(&mut folder.durable);
                partners.extend(change.partner);
            }
            for (other, number) in partners {
                if let Some(position) = position_of(&self.folder(other)?.journal, number) {
                    due.push((other, position + 1));
                }
            }
        }
        Ok(())
    }
}

/// Where in a journal the rename with that number stands.
pub(super) fn position_of(journal: &[EntryChange], number: u64) -> Option<usize> {
    journal.iter().position(|change| change.partner.is_some_and(|(_, own)| own == number))
}

impl Node {
    pub(super) fn file(content: Content, mode: u32) -> Self {
        Self { body: Body::File(content), mode, owner: USER }
    }

    pub(super) fn folder(mode: u32) -> Self {
        Self { body: Body::Folder(Folder::default()), mode, owner: USER }
    }

    pub(super) fn link(target: PathBuf) -> Self {
        Self { body: Body::Link(target), mode: 0o777, owner: USER }
    }
}

/// One component of a path.
enum Step {
    Name(String),
    Parent,
}

/// Puts the components of `path` before what is still to be walked; an absolute one begins at the root.
fn push_front(rest: &mut VecDeque<Step>, path: &Path, way: &mut Vec<Inode>) -> io::Result<()> {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => {
                let name = name.to_str().ok_or(Errno::ILSEQ)?;
                rest.push_front(Step::Name(name.to_owned()));
            }
            Component::ParentDir => rest.push_front(Step::Parent),
            Component::RootDir | Component::Prefix(_) => way.truncate(1),
            Component::CurDir => {}
        }
    }
    Ok(())
}
