//! Room on the disk: how much of it each kind of writer leaves to the others, and what was promised to writers that have
//! not written yet. Asked by `blobs` before every byte, and by `sqlite` before rows that something new needs.
//!
//! What must never happen: that writers side by side pass a floor together which each of them keeps alone, or that the
//! pages take what mail needs (H39). Both floors are here: the pages stop first, then new mail, and what was
//! accepted can always leave.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::StatVfs;

/// On whose behalf something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskShare {
    /// The queue, for what was accepted before: it may use all there is.
    Queue,
    /// New mail.
    Mail,
    /// Visitors of the pages.
    Pages,
}

/// Bytes that new mail leaves. What is accepted already needs them to leave again: an outcome that is recorded is a
/// write too, and up to a checkpoint the log grows by each of them (`WRITER_SETTINGS`), then the database by what was
/// in the log.
const MAIL_FLOOR: u64 = 32 << 20;

/// The pages leave a tenth of the disk to the mail; at least and at most this much.
const PAGES_PART: u64 = 10;
const PAGES_LEAST: u64 = 128 << 20;
const PAGES_MOST: u64 = 4 << 30;

/// Bytes inside the database that count as room for new mail. The other half of what it leaves is for the log, which
/// finds room on the disk alone.
const MOST_INSIDE: u64 = MAIL_FLOOR / 2;

/// How short the room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// New mail is refused.
    Mail,
    /// The pages take nothing new.
    Pages,
    /// The pages will soon take nothing new.
    Soon,
}

/// What the operating system says of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes in all.
    pub capacity: u64,
}

impl Disk {
    /// Somewhere else, where others watch over it: a write fails when it is full.
    pub const ELSEWHERE: Self = Self { free: u64::MAX, capacity: u64::MAX };

    /// The one that an open folder is on. One call of the operating system, which asks no disk.
    pub fn of(folder: impl AsFd) -> io::Result<Self> {
        Ok(rustix::fs::fstatvfs(folder)?.into())
    }

    /// The one that a path is on.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(rustix::fs::statvfs(path)?.into())
    }

    /// The same with pages that are free inside the database: rows go there before it grows (H43).
    pub fn with_database(self, free_inside: u64) -> Self {
        Self { free: self.free.saturating_add(free_inside.min(MOST_INSIDE)), ..self }
    }

    /// What an administrator should hear about it.
    pub fn shortage(self) -> Option<Shortage> {
        let pages = self.floor(DiskShare::Pages);
        match self.free {
            free if free <= MAIL_FLOOR => Some(Shortage::Mail),
            free if free <= pages => Some(Shortage::Pages),
            free if free <= pages.saturating_mul(2) => Some(Shortage::Soon),
            _ => None,
        }
    }

    /// Bytes that this share leaves.
    pub fn floor(self, share: DiskShare) -> u64 {
        match share {
            DiskShare::Queue => 0,
            DiskShare::Mail => MAIL_FLOOR,
            DiskShare::Pages => (self.capacity / PAGES_PART).clamp(PAGES_LEAST, PAGES_MOST),
        }
    }

    /// Bytes that this share may still take.
    pub fn left(self, share: DiskShare) -> u64 {
        self.free.saturating_sub(self.floor(share))
    }
}

impl From<StatVfs> for Disk {
    fn from(disk: StatVfs) -> Self {
        let octets = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Self { free: octets(disk.f_bavail), capacity: octets(disk.f_blocks) }
    }
}

/// What all writers on one disk were promised together.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<Mutex<u64>>);

impl Room {
    /// Bytes that are promised and not written.
    pub fn promised(&self) -> u64 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is promised, unless `share` has no such room beside it. `disk` is asked under the lock: of two at
    /// once, the second sees what the first was promised.
    fn promise(
        &self,
        disk: impl FnOnce() -> io::Result<Disk>,
        share: DiskShare,
        octets: u64,
    ) -> io::Result<()> {
        let mut promised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = promised.saturating_add(octets);
        if octets > 0 && disk()?.left(share) < wanted {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is nearly full"));
        }
        *promised = wanted;
        Ok(())
    }

    fn release(&self, octets: u64) {
        let mut promised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *promised = promised.saturating_sub(octets);
    }
}

/// Room that one writer holds. What is left of it goes back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    room: Room,
    share: DiskShare,
    left: u64,
}

impl Reservation {
    /// Room for so many bytes, before the first is written.
    pub fn new(
        room: &Room,
        share: DiskShare,
        octets: u64,
        disk: impl FnOnce() -> io::Result<Disk>,
    ) -> io::Result<Self> {
        room.promise(disk, share, octets)?;
        Ok(Self { room: room.clone(), share, left: octets })
    }

    /// Makes sure of room for `octets` more, also beyond what was asked for at first.
    pub fn cover(&mut self, octets: u64, disk: impl FnOnce() -> io::Result<Disk>) -> io::Result<()> {
        let more = octets.saturating_sub(self.left);
        self.room.promise(disk, self.share, more)?;
        self.left += more;
        Ok(())
    }

    /// So many bytes are on the disk now, which knows of them by itself.
    pub fn written(&mut self, octets: u64) {
        let octets = octets.min(self.left);
        self.left -= octets;
        self.room.release(octets);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.room.release(self.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn disk(free: u64) -> Disk {
        Disk { free: free * MIB, capacity: 1000 * MIB }
    }

    /// H39: the pages stop long before the mail does, and the mail before the queue.
    #[test]
    fn each_share_leaves_its_floor_to_the_next() {
        let left = |free, share| disk(free).left(share) / MIB;
        assert_eq!(
            [DiskShare::Queue, DiskShare::Mail, DiskShare::Pages].map(|share| left(200, share)),
            [200, 168, 72]
        );
        assert_eq!(
            [DiskShare::Queue, DiskShare::Mail, DiskShare::Pages].map(|share| left(100, share)),
            [100, 68, 0]
        );
        assert_eq!(
            [DiskShare::Queue, DiskShare::Mail, DiskShare::Pages].map(|share| left(20, share)),
            [20, 0, 0]
        );
        let floor = |capacity| {
            let free = 1 << 50;
            free - Disk { free, capacity }.left(DiskShare::Pages)
        };
        assert_eq!([0, 20 << 30, 1 << 40].map(floor), [PAGES_LEAST, 2 << 30, PAGES_MOST]);
    }

    /// H43
    #[test]
    fn free_pages_are_half_of_the_room_that_mail_leaves() {
        let left = |free, inside: u64| disk(free).with_database(inside * MIB).left(DiskShare::Mail) / MIB;
        assert_eq!([left(20, 0), left(20, 15), left(20, 100), left(10, 100)], [0, 3, 4, 0]);
    }

    /// H39: what is promised to one is not there for another, and comes back.
    #[test]
    fn writers_side_by_side_draw_on_one_reservation() {
        let room = Room::default();
        let reserve = |octets: u64| Reservation::new(&room, DiskShare::Pages, octets * MIB, || Ok(disk(200)));
        let mut first = reserve(40).unwrap();
        let second = reserve(30).unwrap();
        assert_eq!(reserve(3).unwrap_err().kind(), io::ErrorKind::StorageFull);
        // Ten are written: the disk has them, the promise has not.
        first.written(10 * MIB);
        assert_eq!(room.promised(), 60 * MIB);
        assert!(first.cover(30 * MIB, || panic!("nothing more is needed")).is_ok());
        assert!(first.cover(50 * MIB, || Ok(disk(190))).is_err());
        drop(second);
        first.cover(50 * MIB, || Ok(disk(190))).unwrap();
        drop(first);
        assert_eq!(room.promised(), 0);
        // Mail has what the pages leave.
        let pages = reserve(72).unwrap();
        assert!(reserve(1).is_err());
        Reservation::new(&room, DiskShare::Mail, 90 * MIB, || Ok(disk(200))).unwrap();
        drop(pages);
    }
}
