//! A capture file becomes something to look at, in a thread of its own: a first part at once, then all of it, then
//! what is appended while it is still written.
//!
//! ```text
//! file ──▶ last stretch, report ──▶ Model ──┐
//!      ──▶ all of it ─────────────▶ Model ──┼──▶ News ──▶ the loop shows the newest
//!      ──▶ (followed) what is new ─▶ Model ─┘
//! ```
//!
//! The models are built here too, lanes and events included, so that no key ever waits for them.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use hangdog_schemas::file::{Limits, OpenError, Reader};
use hangdog_schemas::{Record, Report};
use hangdog_timeline::{BuildError, Timeline};

use crate::compare::{Beside, Comparer};
use crate::follow::{self, Follower};
use crate::model::Model;

/// Text that is read at once. Of more than that a first part is shown before.
const AT_ONCE: u64 = 12 << 20;

/// Text of the first part.
const PART: u64 = 4 << 20;

/// Records of the first part of a file without an index.
const PART_RECORDS: usize = 30_000;

/// Between two looks at a file that is followed, at least.
const LOOK: Duration = Duration::from_millis(500);

/// A followed file is looked at again after so many times as long as the last look took: looking must not take the
/// processor from those who are watched.
const REST: u32 = 4;

/// What is read of a capture: four times as much text as others take, since ten million records are more than that.
pub const LIMITS: Limits = Limits { line: 4 << 20, frame: 64 << 20, total: 4 << 30, window_log: 23 };

/// Whether a capture is read once or followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It is read to its end, once.
    Ended,
    /// It is still written: what is appended is shown as well.
    Followed,
}

/// How much of a capture a model shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that is in the file.
    Whole,
    /// A part, until the rest is read.
    Part,
    /// All that was written yet.
    Growing,
}

/// What is said of a timeline: findings by the rules of now. The texts say what is missing from the file.
pub type Judge = Box<dyn Fn(&Timeline, Vec<String>) -> Report + Send>;

/// A capture file to be shown.
pub struct Source {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it is still written.
    pub growth: Growth,
    /// What is said of it.
    pub judge: Judge,
    /// Another capture to be shown below it.
    pub beside: Option<PathBuf>,
    /// Finds where the two part.
    pub compare: Option<Comparer>,
}

/// Why a capture cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be opened.
    #[error("the file cannot be opened")]
    Io(#[from] io::Error),
    /// It is no capture, or not one that this version reads.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It holds nothing that could be shown.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Whoever reads it has panicked, and said so.
    #[error("reading it ended with a mistake of the replay")]
    Panicked,
}

/// What the loading thread tells.
pub(crate) enum News {
    Model(Box<Model>),
    /// Nothing more will come.
    Done,
    Failed(LoadError),
}

/// The loading thread, seen from the loop.
pub(crate) struct Loading {
    news: Receiver<News>,
    /// Whether the last word has come.
    done: Cell<bool>,
    read: Arc<AtomicU64>,
    of: u64,
}

impl Loading {
    /// Begins to load.
    pub(crate) fn begin(source: Source) -> Result<Self, LoadError> {
        let of = File::open(&source.path)?.metadata()?.len();
        let read = Arc::new(AtomicU64::new(0));
        // One model may wait while another is shown; more would only take memory.
        let (sender, news) = sync_channel(1);
        let counter = Arc::clone(&read);
        let work = move || {
            let loader = Loader { source, read: counter, sender };
            let last = match loader.load() {
                Ok(()) => News::Done,
                Err(error) => News::Failed(error),
            };
            // Nobody listens any more when the replay has ended.
            _ = loader.sender.send(last);
        };
        std::thread::Builder::new().name("load".to_owned()).spawn(work)?;
        Ok(Self { news, done: Cell::new(false), read, of })
    }

    /// What has come, without waiting.
    pub(crate) fn take(&self) -> Option<News> {
        self.last_word(self.news.try_recv().map_err(|error| error == TryRecvError::Disconnected))
    }

    /// What comes next, waited for so long.
    pub(crate) fn wait(&self, time: Duration) -> Option<News> {
        self.last_word(self.news.recv_timeout(time).map_err(|error| error == RecvTimeoutError::Disconnected))
    }

    /// News as they are; whoever went away (the error) without a last word has panicked.
    fn last_word(&self, news: Result<News, bool>) -> Option<News> {
        match news {
            Ok(news) => {
                self.done.set(matches!(news, News::Done | News::Failed(_)));
                Some(news)
            }
            Err(true) if !self.done.replace(true) => Some(News::Failed(LoadError::Panicked)),
            Err(_) => None,
        }
    }

    /// How much of the file was read, in percent.
    pub(crate) fn percent(&self) -> u8 {
        let read = self.read.load(Ordering::Relaxed).min(self.of);
        (u128::from(read) * 100 / u128::from(self.of.max(1))) as u8
    }
}

struct Loader {
    source: Source,
    read: Arc<AtomicU64>,
    sender: SyncSender<News>,
}

impl Loader {
    fn load(&self) -> Result<(), LoadError> {
        if let Some((timeline, report)) = self.part() {
            self.show(timeline, report, Extent::Part, None);
        }
        if self.source.growth == Growth::Followed {
            self.follow()?;
        }
        self.whole()
    }

    /// Shows what is there and what is appended, until the capture has its end.
    fn follow(&self) -> Result<(), LoadError> {
        let mut follower = Follower::begin(&self.source.path)?;
        loop {
            let begin = Instant::now();
            match follower.look(&self.source.path, &self.read)? {
                follow::News::Ended => return Ok(()),
                follow::News::Nothing => {}
                follow::News::More(timeline) => {
                    // Its cut end is not missing: it is to come.
                    let report = (self.source.judge)(&timeline, Vec::new());
                    self.show(*timeline, report, Extent::Growing, None);
                }
            }
            std::thread::sleep((begin.elapsed() * REST).max(LOOK));
        }
    }

    /// The capture that is shown below the first.
    fn second(&self, path: &std::path::Path, first: &Timeline) -> Result<Beside, LoadError> {
        let mut reader = Reader::with_limits(BufReader::with_capacity(1 << 20, File::open(path)?), LIMITS)?;
        let timeline = Timeline::build(reader.by_ref())?;
        let compare = self.source.compare.as_ref();
        let divergences = compare.map(|compare| compare(first, &timeline)).unwrap_or_default();
        let report = (self.source.judge)(&timeline, reader.summary().missing());
        Ok(Beside { model: Model::new(Arc::new(timeline), Arc::new(report)), divergences })
    }

    fn show(&self, timeline: Timeline, report: Report, extent: Extent, beside: Option<Beside>) {
        let model = Model::new(Arc::new(timeline), Arc::new(report)).of_extent(extent);
        let model = match beside {
            Some(beside) => model.beside(beside),
            None => model,
        };
        let news = News::Model(Box::new(model));
        // A part that nobody has looked at yet is not worth waiting for; the whole is.
        match (extent, self.sender.try_send(news)) {
            (Extent::Part, _) | (_, Ok(()) | Err(TrySendError::Disconnected(_))) => {}
            (_, Err(TrySendError::Full(news))) => _ = self.sender.send(news),
        }
    }

    /// Reads all that is there.
    fn whole(&self) -> Result<(), LoadError> {
        let file = File::open(&self.source.path)?;
        let length = file.metadata()?.len();
        self.read.store(0, Ordering::Relaxed);
        let counted = Counted { inner: file.take(length), read: &self.read };
        let mut reader = Reader::with_limits(BufReader::with_capacity(1 << 20, counted), LIMITS)?;
        let timeline = Timeline::build(reader.by_ref())?;
        let report = (self.source.judge)(&timeline, reader.summary().missing());
        let beside = self.source.beside.as_ref().map(|path| self.second(path, &timeline)).transpose()?;
        self.show(timeline, report, Extent::Whole, beside);
        Ok(())
    }

    /// The last stretch of a large capture with the report that was written into it; without an index, its begin.
    fn part(&self) -> Option<(Timeline, Report)> {
        let file = File::open(&self.source.path).ok()?;
        part_of(file, self.source.growth)
    }
}

/// See [`Loader::part`]. What cannot be read here is said when the whole is read.
fn part_of(mut file: File, growth: Growth) -> Option<(Timeline, Report)> {
    let length = file.metadata().ok()?.len();
    let mut reader = Reader::with_limits(file.try_clone().ok()?, LIMITS).ok()?;
    let header = Record::Run(Box::new(reader.header().clone()));
    let records: Vec<Record> = match reader.index().ok()? {
        Some(index) => {
            if index.frames.iter().map(|frame| frame.text).sum::<u64>() <= AT_ONCE {
                return None;
            }
            let mut text = 0;
            let last = index.frames.iter().rev().take_while(|frame| {
                text += frame.text;
                text <= PART
            });
            let from = last.map(|frame| frame.at).min()?;
            let own = reader.report().ok()?;
            let window = reader.records_from(from).ok()?;
            let own = own.map(|report| Record::Report(Box::new(report)));
            std::iter::once(header).chain(window.records).chain(own).collect()
        }
        // A tenth is what captures are packed to, or less.
        None if length > AT_ONCE / 10 && growth == Growth::Ended => {
            file.seek(SeekFrom::Start(0)).ok()?;
            Reader::with_limits(BufReader::new(file), LIMITS).ok()?.take(PART_RECORDS).collect()
        }
        None => return None,
    };
    let timeline = Timeline::build(records).ok()?;
    let report = crate::model::own_report(&timeline);
    Some((timeline, report))
}

/// Counts what is read.
pub(crate) struct Counted<'a, R> {
    pub(crate) inner: R,
    pub(crate) read: &'a AtomicU64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// What is shown first of a capture file, and how long that took: for measurements.
pub fn first_part(path: &std::path::Path) -> Result<Option<(Timeline, Report)>, LoadError> {
    Ok(part_of(File::open(path)?, Growth::Ended))
}
