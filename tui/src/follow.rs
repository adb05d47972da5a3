//! A capture that is still written: each look reads what was appended, and joins it with what was read before.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use hangdog_schemas::file::Growing;
use hangdog_timeline::{Builder, Timeline};

use crate::load::{Counted, LIMITS, LoadError};

/// What has come since the look before.
pub(crate) enum News {
    Nothing,
    /// All that there is now.
    More(Box<Timeline>),
    /// It is written to its end, or is another file now: it is to be read as a whole.
    Ended,
}

/// A capture that is followed.
pub(crate) struct Follower {
    growing: Growing,
    records: Builder,
    /// Length of the file at the look before.
    length: u64,
}

impl Follower {
    pub(crate) fn begin(path: &Path) -> Result<Self, LoadError> {
        let growing = Growing::open(BufReader::new(File::open(path)?), LIMITS)?;
        Ok(Self { growing, records: Builder::default(), length: 0 })
    }

    /// Reads what is new.
    pub(crate) fn look(&mut self, path: &Path, read: &AtomicU64) -> Result<News, LoadError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        if length < self.length {
            return Ok(News::Ended);
        }
        if length == self.length {
            return Ok(News::Nothing);
        }
        self.length = length;
        let records = &mut self.records;
        let look = self.growing.look(Counted { inner: file, read }, |record| records.add(record))?;
        if look.ended {
            return Ok(News::Ended);
        }
        if !look.grew {
            return Ok(News::Nothing);
        }
        Ok(News::More(Box::new(self.records.so_far(look.unfinished)?)))
    }
}
