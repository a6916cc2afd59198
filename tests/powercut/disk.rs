//! A disk under a recording: what is on it for good, what waits in the cache, and what a power cut leaves.
//!
//! The rules are those that a file system may go by, which is less than what ext4 does. A sync of a file
//! makes its content and its size durable, and nothing about its name; a sync of a directory makes its
//! entries durable, and nothing below them; nothing else makes anything durable, `sync_file_range` least of
//! all. What is not durable may be there after the cut or not: see [`Fate`].

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::recorder::{Change, Record};
use crate::support::Dice;

const BLOCK: usize = 4096;
const SECTOR: usize = 512;

/// What is in a directory: paths below it, with a file's content, or none for a directory.
pub(crate) type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// What becomes of changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// All are lost.
    Dropped,
    /// Those before some moment are kept, over the whole disk.
    Prefix,
    /// Any block of 4 KiB is as some moment left it, a file's size as some other, and of a directory's
    /// changes any first ones are kept.
    Blocks,
    /// The same, and in some blocks each sector of 512 bytes is old or new by itself.
    Torn,
}

impl Fate {
    pub(crate) const ALL: [Self; 4] = [Self::Dropped, Self::Prefix, Self::Blocks, Self::Torn];
}

/// The number of a file or directory here. The disk's own inode numbers come again after a removal.
type Id = usize;

/// When a change was made: the how-manieth record it was.
type Moment = usize;

#[derive(Debug, Clone)]
pub(crate) struct Disk<'l> {
    objects: Vec<Object<'l>>,
    by_inode: HashMap<u64, Id>,
    now: Moment,
}

const ROOT: Id = 0;

#[derive(Debug, Clone)]
enum Object<'l> {
    File(File<'l>),
    Dir(Dir),
}

#[derive(Debug, Clone, Default)]
struct File<'l> {
    durable: Vec<u8>,
    /// What came since, in order.
    cached: Vec<(Moment, FileChange<'l>)>,
    size: usize,
}

#[derive(Debug, Clone, Copy)]
enum FileChange<'l> {
    Write { offset: usize, data: &'l [u8] },
    Resize(usize),
}

#[derive(Debug, Clone, Default)]
struct Dir {
    durable: BTreeMap<String, Id>,
    cached: Vec<(Moment, DirChange)>,
    current: BTreeMap<String, Id>,
}

#[derive(Debug, Clone)]
enum DirChange {
    Add(String, Id),
    Remove(String),
    Rename(String, String),
}

impl<'l> Disk<'l> {
    /// What is in a directory now, all of it durable.
    pub(crate) fn of(root: &Path) -> Self {
        let mut disk = Self {
            objects: Vec::new(),
            by_inode: HashMap::new(),
            now: 0,
        };
        disk.take_in(root);
        disk
    }

    fn take_in(&mut self, path: &Path) -> Id {
        let metadata = fs_err::metadata(path).unwrap();
        if metadata.is_file() {
            let durable = fs_err::read(path).unwrap();
            let size = durable.len();
            return self.put(
                metadata.ino(),
                Object::File(File {
                    durable,
                    cached: Vec::new(),
                    size,
                }),
            );
        }
        let id = self.put(metadata.ino(), Object::Dir(Dir::default()));
        for entry in fs_err::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let child = self.take_in(&entry.path());
            let name = entry.file_name().into_string().unwrap();
            self.dir(id).durable.insert(name, child);
        }
        let dir = self.dir(id);
        dir.current.clone_from(&dir.durable);
        id
    }

    fn put(&mut self, inode: u64, object: Object<'l>) -> Id {
        let id = self.objects.len();
        self.objects.push(object);
        self.by_inode.insert(inode, id);
        id
    }

    fn dir(&mut self, id: Id) -> &mut Dir {
        match &mut self.objects[id] {
            Object::Dir(dir) => dir,
            Object::File(_) => panic!("a file where a directory was"),
        }
    }

    /// The directory that a path's last name is in.
    fn parent<'p>(&mut self, path: &'p str) -> (Id, &'p str) {
        let (dirs, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = dirs
            .split('/')
            .filter(|name| !name.is_empty())
            .fold(ROOT, |id, name| self.dir(id).current[name]);
        (parent, name)
    }

    /// Goes one record on.
    pub(crate) fn replay(&mut self, record: &Record<'l>) {
        self.now += 1;
        match record.change {
            Change::Create(path) => self.add(record.inode, path, Object::File(File::default())),
            Change::MakeDir(path) => self.add(record.inode, path, Object::Dir(Dir::default())),
            Change::Unlink(path) | Change::RemoveDir(path) => {
                let (parent, name) = self.parent(path);
                self.change_dir(parent, DirChange::Remove(name.to_owned()));
            }
            Change::Rename { from, to } => {
                let (parent, old) = self.parent(from);
                let (target, new) = self.parent(to);
                assert_eq!(parent, target, "a rename across directories has no model");
                self.change_dir(parent, DirChange::Rename(old.to_owned(), new.to_owned()));
            }
            Change::Write { offset, data } => {
                self.change_file(record.inode, |_| FileChange::Write { offset, data });
            }
            Change::Resize(size) => self.change_file(record.inode, |_| FileChange::Resize(size)),
            Change::Extend(size) => {
                self.change_file(record.inode, |now| FileChange::Resize(size.max(now)));
            }
            Change::Sync(size) => match &mut self.objects[self.by_inode[&record.inode]] {
                Object::File(file) => file.sync(size),
                Object::Dir(dir) => dir.sync(),
            },
            Change::SyncRange | Change::Start => {}
        }
    }

    fn add(&mut self, inode: u64, path: &str, object: Object<'l>) {
        let id = self.put(inode, object);
        let (parent, name) = self.parent(path);
        self.change_dir(parent, DirChange::Add(name.to_owned(), id));
    }

    fn change_dir(&mut self, id: Id, change: DirChange) {
        let now = self.now;
        let dir = self.dir(id);
        change.apply(&mut dir.current);
        dir.cached.push((now, change));
    }

    fn change_file(&mut self, inode: u64, change: impl FnOnce(usize) -> FileChange<'l>) {
        let now = self.now;
        let id = self.by_inode.get(&inode).copied();
        let id = id
            .unwrap_or_else(|| panic!("record {now}: the recorder did not see file {inode} made"));
        let Object::File(file) = &mut self.objects[id] else {
            panic!("a directory where a file was");
        };
        let change = change(file.size);
        file.size = change.size_after(file.size);
        file.cached.push((now, change));
    }

    /// What programs see.
    pub(crate) fn seen(&self) -> Tree {
        self.tree(&mut |file| file.at(Moment::MAX), &mut |dir| {
            dir.at(Moment::MAX)
        })
    }

    /// What the power leaves when it is cut now.
    pub(crate) fn after_cut(&self, fate: Fate, dice: &mut Dice) -> Tree {
        match fate {
            Fate::Dropped => self.tree(&mut |file| file.at(0), &mut |dir| dir.at(0)),
            Fate::Prefix => {
                let mut moments = self.cached_moments();
                moments.push(0);
                let last = moments[dice.below(moments.len())];
                self.tree(&mut |file| file.at(last), &mut |dir| dir.at(last))
            }
            Fate::Blocks | Fate::Torn => {
                let mut other = dice.apart(1);
                self.tree(
                    &mut |file| file.scattered(fate == Fate::Torn, dice),
                    &mut |dir| {
                        let kept = other.below(dir.cached.len() + 1);
                        dir.first(kept)
                    },
                )
            }
        }
    }

    fn cached_moments(&self) -> Vec<Moment> {
        let of = |object: &Object<'_>| -> Vec<Moment> {
            match object {
                Object::File(file) => file.cached.iter().map(|(moment, _)| *moment).collect(),
                Object::Dir(dir) => dir.cached.iter().map(|(moment, _)| *moment).collect(),
            }
        };
        self.objects.iter().flat_map(of).collect()
    }

    fn tree(
        &self,
        content: &mut dyn FnMut(&File<'l>) -> Vec<u8>,
        entries: &mut dyn FnMut(&Dir) -> BTreeMap<String, Id>,
    ) -> Tree {
        let mut tree = Tree::new();
        let mut open = vec![(String::new(), ROOT)];
        while let Some((path, id)) = open.pop() {
            match &self.objects[id] {
                Object::File(file) => {
                    tree.insert(path, Some(content(file)));
                }
                Object::Dir(dir) => {
                    for (name, child) in entries(dir) {
                        let slash = if path.is_empty() { "" } else { "/" };
                        open.push((format!("{path}{slash}{name}"), child));
                    }
                    if id != ROOT {
                        tree.insert(path, None);
                    }
                }
            }
        }
        tree
    }
}

impl Dir {
    fn first(&self, kept: usize) -> BTreeMap<String, Id> {
        let mut entries = self.durable.clone();
        for (_, change) in &self.cached[..kept] {
            change.apply(&mut entries);
        }
        entries
    }

    fn at(&self, last: Moment) -> BTreeMap<String, Id> {
        self.first(self.cached.partition_point(|(moment, _)| *moment <= last))
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.current);
        self.cached.clear();
    }
}

impl DirChange {
    fn apply(&self, entries: &mut BTreeMap<String, Id>) {
        match self {
            Self::Add(name, id) => {
                entries.insert(name.clone(), *id);
            }
            Self::Remove(name) => {
                entries.remove(name);
            }
            Self::Rename(from, to) => {
                let id = entries.remove(from).unwrap();
                entries.insert(to.clone(), id);
            }
        }
    }
}

impl<'l> File<'l> {
    fn sync(&mut self, size: usize) {
        let cached = std::mem::take(&mut self.cached);
        for (_, change) in cached {
            change.apply_whole(&mut self.durable);
        }
        if size > self.size {
            self.durable.resize(size, 0);
            self.size = size;
        }
    }

    fn at(&self, last: Moment) -> Vec<u8> {
        let mut content = self.durable.clone();
        for (moment, change) in &self.cached {
            if *moment <= last {
                change.apply_whole(&mut content);
            }
        }
        content
    }

    /// Every block as some moment left it.
    fn scattered(&self, torn: bool, dice: &mut Dice) -> Vec<u8> {
        if self.cached.is_empty() {
            return self.durable.clone();
        }
        let mut sizes = vec![self.durable.len()];
        for (_, change) in &self.cached {
            sizes.push(change.size_after(sizes[sizes.len() - 1]));
        }
        let whole = sizes.iter().copied().max().unwrap_or_default();
        let mut content = self.durable.clone();
        content.resize(whole, 0);
        for (block, pieces) in self.pieces(whole) {
            let end = whole.min(block + BLOCK);
            let kept = dice.below(pieces.len() + 1);
            if torn && dice.one_in(4) {
                let other = dice.below(pieces.len() + 1);
                for sector in (block..end).step_by(SECTOR) {
                    let kept = if dice.one_in(2) { kept } else { other };
                    let sector = sector..end.min(sector + SECTOR);
                    pieces[..kept]
                        .iter()
                        .for_each(|piece| piece.apply_within(&mut content, &sector));
                }
            } else {
                pieces[..kept]
                    .iter()
                    .for_each(|piece| piece.apply_within(&mut content, &(block..end)));
            }
        }
        // The newest size is the likeliest: it is written with any of the blocks.
        let size = if dice.one_in(2) {
            sizes.len() - 1
        } else {
            dice.below(sizes.len())
        };
        content.resize(sizes[size], 0);
        content
    }

    /// The changes of each block, by where it begins, in order.
    fn pieces(&self, whole: usize) -> BTreeMap<usize, Vec<FileChange<'l>>> {
        let mut blocks: BTreeMap<usize, Vec<FileChange<'l>>> = BTreeMap::new();
        let mut size = self.durable.len();
        for (_, change) in &self.cached {
            let touched = match change {
                FileChange::Write { offset, data } => *offset..offset + data.len(),
                // What is cut off reads as zeros, should the file grow again.
                FileChange::Resize(smaller) if *smaller < size => *smaller..whole,
                FileChange::Resize(_) => 0..0,
            };
            size = change.size_after(size);
            let first = touched.start / BLOCK * BLOCK;
            for block in (first..touched.end).step_by(BLOCK) {
                blocks.entry(block).or_default().push(*change);
            }
        }
        blocks
    }
}

impl FileChange<'_> {
    fn size_after(&self, size: usize) -> usize {
        match self {
            Self::Write { offset, data } => size.max(offset + data.len()),
            Self::Resize(size) => *size,
        }
    }

    fn apply_whole(&self, content: &mut Vec<u8>) {
        content.resize(self.size_after(content.len()), 0);
        if let Self::Write { offset, data } = self {
            content[*offset..offset + data.len()].copy_from_slice(data);
        }
    }

    /// Changes only what lies in `within`; the content is as large as it ever gets.
    fn apply_within(&self, content: &mut [u8], within: &std::ops::Range<usize>) {
        match self {
            Self::Write { offset, data } => {
                let start = within.start.max(*offset);
                let end = within.end.min(offset + data.len());
                if start < end {
                    content[start..end].copy_from_slice(&data[start - offset..end - offset]);
                }
            }
            Self::Resize(size) => {
                let start = within.start.max(*size).min(within.end);
                content[start..within.end].fill(0);
            }
        }
    }
}

/// What is in a directory.
pub(crate) fn tree_of(root: &Path) -> Tree {
    Disk::of(root).seen()
}

/// Makes a directory with this in it.
pub(crate) fn write(tree: &Tree, root: &Path) {
    fs_err::create_dir_all(root).unwrap();
    for (path, content) in tree {
        let path = root.join(path);
        match content {
            Some(content) => fs_err::write(path, content).unwrap(),
            None => fs_err::create_dir(path).unwrap(),
        }
    }
}
