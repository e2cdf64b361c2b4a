//! Direct access for tests, past the operations: looking, planting damage, and real folders.
//!
//! Nothing here is counted, fails by a plan, or stops at a crash. What is planted is durable at once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::Content;
use super::tree::{Body, Entries, Folder, Inode, Node, ROOT, Tree};
use super::{Errno, SimulatedDisk, State};
use crate::storage::{Medium, Stat};

impl SimulatedDisk {
    /// Reads a whole file as the cache shows it.
    ///
    /// # Errors
    /// There is no file at `path`.
    pub fn read_file(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let state = self.state();
        Ok(state.tree.content(state.tree.find(path.as_ref())?)?.cached().to_vec())
    }

    /// Gives a file this content, making it and the folders above it where they are absent.
    ///
    /// # Errors
    /// Something else than a file or folder stands there.
    pub fn write_file(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> io::Result<()> {
        let content = Content::synced(bytes.into());
        let mut state = self.state();
        let place = state.plant_folders(path.as_ref())?;
        match place.found {
            Some(inode) => *state.tree.content_mut(inode)? = content,
            None => state.plant(&place, Node::file(content, 0o640))?,
        }
        Ok(())
    }

    /// Removes what stands at `path`, with everything in it.
    ///
    /// # Errors
    /// Nothing stands there.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut state = self.state();
        let place = state.tree.locate(path.as_ref())?;
        place.found.ok_or(Errno::NOENT)?;
        let folder = state.tree.folder_mut(place.folder)?;
        folder.entries.remove(&place.name);
        folder.durable.remove(&place.name);
        Ok(())
    }

    /// Changes the byte at `offset` by exclusive or with `mask`, in the cache and on the medium.
    ///
    /// # Errors
    /// There is no file, or no such byte.
    pub fn flip_byte(&self, path: impl AsRef<Path>, offset: usize, mask: u8) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.tree.find(path.as_ref())?;
        let flipped = state.tree.content_mut(inode)?.flip(offset, mask);
        if flipped { Ok(()) } else { Err(Errno::INVAL.into()) }
    }

    /// Puts a symbolic link at `path`, in place of what stands there; folders above it are made.
    ///
    /// # Errors
    /// Something else than a folder stands above it.
    pub fn plant_link(&self, path: impl AsRef<Path>, target: impl Into<PathBuf>) -> io::Result<()> {
        let mut state = self.state();
        let place = state.plant_folders(path.as_ref())?;
        state.plant(&place, Node::link(target.into()))
    }

    /// Makes a folder, and those above it, where they are absent.
    ///
    /// # Errors
    /// Something else than a folder stands there.
    pub fn plant_folder(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut state = self.state();
        state.plant_folders(&path.as_ref().join("x")).map(drop)
    }

    /// Sets the permission bits of what stands at `path`.
    ///
    /// # Errors
    /// Nothing stands there.
    pub fn set_mode(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.tree.find(path.as_ref())?;
        state.tree.node_mut(inode)?.mode = mode;
        Ok(())
    }

    /// Gives what stands at `path` to another user; 1000 is the one that the simulated process acts as.
    ///
    /// # Errors
    /// Nothing stands there.
    pub fn set_owner(&self, path: impl AsRef<Path>, owner: u32) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.tree.find(path.as_ref())?;
        state.tree.node_mut(inode)?.owner = owner;
        Ok(())
    }

    /// Every file with its content as the cache shows it, by absolute path. It is shared, not copied.
    pub fn contents(&self) -> BTreeMap<PathBuf, Arc<Vec<u8>>> {
        let state = self.state();
        let mut found = BTreeMap::new();
        state.walk(|path, inode| {
            if let Ok(content) = state.tree.content(inode) {
                found.insert(path, content.shared());
            }
        });
        found
    }

    /// Everything on the disk, by absolute path, without the root.
    pub fn tree(&self) -> BTreeMap<PathBuf, Stat> {
        let state = self.state();
        let mut found = BTreeMap::new();
        state.walk(|path, inode| {
            if let Ok(stat) = state.tree.stat(inode) {
                found.insert(path, stat);
            }
        });
        found
    }

    /// Writes everything, as the cache shows it, into a real folder that exists; modes are kept, owners are not.
    ///
    /// # Errors
    /// As writing fails there.
    pub fn export(&self, folder: &Path) -> io::Result<()> {
        let state = self.state();
        state.export(ROOT, folder)
    }

    /// Makes a disk whose root holds what a real folder holds, all of it durable; modes are kept, owners are not, and
    /// what is no file, folder or link is an error.
    ///
    /// # Errors
    /// As reading fails there.
    pub fn import(folder: &Path) -> io::Result<Self> {
        let mut tree = Tree::new();
        let Body::Folder(root) = import(&mut tree, folder)?.body else {
            return Err(Errno::NOTDIR.into());
        };
        *tree.folder_mut(ROOT)? = root;
        Ok(Self::from_tree(tree, Medium::Local))
    }
}

impl State {
    /// Goes through everything on the disk, by absolute path, without the root.
    fn walk(&self, mut see: impl FnMut(PathBuf, Inode)) {
        let mut due = vec![(ROOT, PathBuf::from("/"))];
        while let Some((folder, path)) = due.pop() {
            let Ok(folder) = self.tree.folder(folder) else { continue };
            for (name, inode) in &folder.entries {
                see(path.join(name), *inode);
                due.push((*inode, path.join(name)));
            }
        }
    }

    /// Makes the folders above `path` where they are absent.
    fn plant_folders(&mut self, path: &Path) -> io::Result<super::Place> {
        let mut above: Vec<_> = path.ancestors().skip(1).collect();
        above.reverse();
        for folder in above {
            let place = self.tree.locate(folder)?;
            if place.found.is_none() {
                self.plant(&place, Node::folder(0o750))?;
            }
        }
        self.tree.locate(path)
    }

    fn plant(&mut self, place: &super::Place, node: Node) -> io::Result<()> {
        let inode = self.tree.insert(node);
        let folder = self.tree.folder_mut(place.folder)?;
        folder.entries.insert(place.name.clone(), inode);
        folder.durable.insert(place.name.clone(), inode);
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "writes a copy for another program, not a log")]
    fn export(&self, from: Inode, to: &Path) -> io::Result<()> {
        for (name, inode) in &self.tree.folder(from)?.entries {
            let to = to.join(name);
            let node = self.tree.node(*inode)?;
            match &node.body {
                Body::Link(target) => {
                    symlink(target, &to)?;
                    continue;
                }
                Body::File(content) => fs::write(&to, content.cached())?,
                Body::Folder(_) => {
                    fs::create_dir(&to)?;
                    self.export(*inode, &to)?;
                }
            }
            fs::set_permissions(&to, fs::Permissions::from_mode(node.mode))?;
        }
        Ok(())
    }
}

/// What stands at a real path; what is in it is added to `tree`.
fn import(tree: &mut Tree, path: &Path) -> io::Result<Node> {
    let metadata = fs::symlink_metadata(path)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_symlink() {
        return Ok(Node::link(fs::read_link(path)?));
    }
    if metadata.is_file() {
        return Ok(Node::file(Content::synced(fs::read(path)?), mode));
    }
    if !metadata.is_dir() {
        return Err(Errno::INVAL.into());
    }
    let mut entries = Entries::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().ok_or(Errno::ILSEQ)?;
        let node = import(tree, &entry.path())?;
        entries.insert(name, tree.insert(node));
    }
    let body = Body::Folder(Folder::from(entries));
    Ok(Node { body, ..Node::folder(mode) })
}
