//! Frames of zstd in a stream of bytes that may be cut, damaged or hostile.
//!
//! Decompression is done by hand, step by step, for three reasons: the end of each frame must be
//! known (`zstd::Decoder` reads over it), a cut frame must give what it still holds, and no frame may
//! take more memory or time than the [`Limits`] allow.
//!
//! After damage the search goes on at the next magic number behind the frame's own: a damaged length in a
//! block header must not hide the frames that follow.

use std::io::{self, Read};

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::index;

/// Magic number of a zstd frame (RFC 8878 §3.1.1), as it stands in a file.
pub(super) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How much is read and written at a time.
const CHUNK: usize = 64 << 10;

/// What a reader takes from a file before it calls it damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one line. Longer ones are counted as bad.
    pub line: usize,
    /// Bytes of one frame, decompressed (and compressed). This much is held in memory.
    pub frame: usize,
    /// Bytes of all frames together, decompressed. Reading stops there.
    pub total: u64,
    /// Largest window of a frame as a power of two (RFC 8878 §3.1.1.1.2).
    pub window_log: u32,
}

impl Default for Limits {
    /// Room for what [`Writer`](super::Writer) makes (frames of at most 1.25 MiB, lines of 1 MiB) and for what
    /// `zstdcat run.hang | … | zstd -19` makes of it.
    fn default() -> Self {
        Self { line: 4 << 20, frame: 64 << 20, total: 1 << 30, window_log: 23 }
    }
}

/// What comes next in the stream.
#[derive(Debug)]
pub(super) enum Piece {
    /// A whole frame; its checksum was right where it has one.
    Whole(Vec<u8>),
    /// The stream ended inside a frame: what it still gave.
    Cut { text: Vec<u8>, bytes: u64 },
    /// A whole skippable frame: what it holds.
    Skippable(Vec<u8>),
    /// Bytes that are no readable frame were passed over.
    Damaged { bytes: u64, why: String },
    /// The text of all frames came to the limit.
    TooMuch,
    /// No more bytes.
    End,
}

/// Takes frames from a stream, one after the other.
pub(super) struct Frames<R> {
    source: R,
    /// Bytes that were read and are not done with. The next frame begins at `held[start]`.
    held: Vec<u8>,
    start: usize,
    /// Position of `held[start]` in the stream.
    at: u64,
    eof: bool,
    error: Option<io::Error>,
    decoder: Decoder<'static>,
    limits: Limits,
    text: u64,
}

/// How the decompression of one frame ended.
enum Outcome {
    Whole { text: Vec<u8>, bytes: usize },
    Cut { text: Vec<u8> },
    Damaged { why: String },
    TooMuch,
}

impl<R: Read> Frames<R> {
    pub(super) fn new(source: R, limits: Limits) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(limits.window_log))?;
        Ok(Self { source, held: Vec::new(), start: 0, at: 0, eof: false, error: None, decoder, limits, text: 0 })
    }

    /// The first bytes that are not taken yet, at most `len`.
    pub(super) fn peek(&mut self, len: usize) -> &[u8] {
        while self.ahead().len() < len && self.fill() {}
        let ahead = self.ahead();
        &ahead[..ahead.len().min(len)]
    }

    /// Where the next piece begins.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Why the stream ended, when it was not its end.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    pub(super) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// The next piece.
    pub(super) fn next_piece(&mut self) -> Piece {
        let magic = self.peek(4);
        if magic.is_empty() {
            return Piece::End;
        }
        if magic.len() < 4 {
            let bytes = magic.len();
            self.take(bytes);
            return Piece::Cut { text: Vec::new(), bytes: bytes as u64 };
        }
        if magic == ZSTD_MAGIC {
            return match self.decompress() {
                Outcome::Whole { text, bytes } => {
                    self.take(bytes);
                    Piece::Whole(text)
                }
                Outcome::Cut { text } => {
                    let bytes = self.ahead().len();
                    self.take(bytes);
                    Piece::Cut { text, bytes: bytes as u64 }
                }
                Outcome::Damaged { why } => self.pass_over(why),
                Outcome::TooMuch => Piece::TooMuch,
            };
        }
        if is_skippable(magic) {
            return self.skippable();
        }
        self.pass_over("no frame begins here".to_owned())
    }

    fn skippable(&mut self) -> Piece {
        let head = self.peek(8);
        let Some(size) = head.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes) else {
            let bytes = head.len();
            self.take(bytes);
            return Piece::Cut { text: Vec::new(), bytes: bytes as u64 };
        };
        let size = size as usize;
        if size > self.limits.frame {
            return self.pass_over(format!("a skippable frame of {size} bytes"));
        }
        let whole = self.peek(8 + size);
        let bytes = whole.len();
        let piece = if bytes == 8 + size {
            Piece::Skippable(whole[8..].to_vec())
        } else {
            Piece::Cut { text: Vec::new(), bytes: bytes as u64 }
        };
        self.take(bytes);
        piece
    }

    fn decompress(&mut self) -> Outcome {
        if let Err(error) = self.decoder.reinit() {
            return Outcome::Damaged { why: error.to_string() };
        }
        let mut chunk = vec![0; CHUNK];
        let mut text = Vec::new();
        let mut taken = 0;
        loop {
            let mut input = InBuffer::around(&self.held[self.start + taken..]);
            let mut output = OutBuffer::around(&mut chunk[..]);
            let hint = match self.decoder.run(&mut input, &mut output) {
                Ok(hint) => hint,
                Err(error) => return Outcome::Damaged { why: error.to_string() },
            };
            let (read, written) = (input.pos(), output.pos());
            taken += read;
            self.text += written as u64;
            text.extend_from_slice(&chunk[..written]);
            if hint == 0 {
                return Outcome::Whole { text, bytes: taken };
            }
            if self.text > self.limits.total {
                return Outcome::TooMuch;
            }
            if text.len() > self.limits.frame || taken > self.limits.frame {
                return Outcome::Damaged { why: format!("it holds more than {} bytes", self.limits.frame) };
            }
            let wants_input = written < CHUNK;
            if wants_input && self.start + taken == self.held.len() && !self.fill() {
                return Outcome::Cut { text };
            }
        }
    }

    /// Passes over what begins here, up to the next thing that looks like a frame.
    fn pass_over(&mut self, why: String) -> Piece {
        let mut bytes = 1;
        self.take(1);
        loop {
            let ahead = self.peek(CHUNK);
            if ahead.is_empty() {
                break;
            }
            if let Some(found) = find_frame(ahead) {
                bytes += found as u64;
                self.take(found);
                break;
            }
            // The last bytes may be the begin of a magic number.
            let keep = if self.eof { 0 } else { index::MARK_REACH - 1 };
            let done = self.peek(CHUNK).len().saturating_sub(keep).max(1);
            bytes += done as u64;
            self.take(done);
        }
        Piece::Damaged { bytes, why }
    }

    fn ahead(&self) -> &[u8] {
        &self.held[self.start..]
    }

    fn take(&mut self, bytes: usize) {
        self.start += bytes;
        self.at += bytes as u64;
        if self.start == self.held.len() {
            self.held.clear();
            self.start = 0;
        } else if self.start >= CHUNK.max(self.held.len() / 2) {
            self.held.drain(..self.start);
            self.start = 0;
        }
    }

    /// Reads more; false when there is no more.
    fn fill(&mut self) -> bool {
        if self.eof {
            return false;
        }
        let len = self.held.len();
        self.held.resize(len + CHUNK, 0);
        let read = loop {
            match self.source.read(&mut self.held[len..]) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(error);
                    break 0;
                }
            }
        };
        self.held.truncate(len + read);
        self.eof = read == 0;
        !self.eof
    }
}

fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// Where in `bytes` a zstd frame or the index seems to begin.
fn find_frame(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == ZSTD_MAGIC)
        .into_iter()
        .chain(bytes.windows(index::MARK_REACH).position(index::begins))
        .min()
}
