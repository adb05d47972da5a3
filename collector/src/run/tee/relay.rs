//! The relay: a process that copies one stream of the command to where it would have gone.
//!
//! It copies at once and byte for byte, and holds the command up only as long as the reader of our own
//! stream does. One process a stream, so that a reader who does not take stderr keeps nobody from stdout.
//! When the reader goes away, so does the relay's end of the pipe: the command meets the same SIGPIPE or
//! EPIPE as without it.
//!
//! The command's end is no end for the relay: what the command left behind may go on writing, as it may
//! without a relay. So it says when the command's own output is through, and goes when the last writer has.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::ring::{CHUNK, Ring};

/// The main loop says: the command has ended.
pub(super) const ENDED: u8 = b'E';
/// The relay says: what the command had written by its end is through.
pub(super) const THROUGH: u8 = b'T';
/// The relay says: our stream does not take it; the errno follows.
pub(super) const FAILED: u8 = b'F';

/// What a relay works with.
pub(super) struct Relay<'a> {
    /// What the command writes to.
    pub(super) from: &'a OwnedFd,
    /// Our own stdout or stderr.
    pub(super) to: &'a OwnedFd,
    /// The main loop; it may be gone, and the command is not to notice.
    pub(super) main_loop: &'a UnixStream,
    pub(super) ring: &'a Ring,
}

/// What the main loop has said.
enum Command {
    Runs,
    /// It has ended, and this much of what was there then is still to be copied.
    Ended(u64),
    /// Nobody asks any more.
    Unasked,
}

impl Relay<'_> {
    /// Copies until the last writer or the reader is gone.
    pub(super) fn run(&self) -> i32 {
        // A file that reached its limit is an error of a write here, and not the end of the relay.
        ignore_file_size_signal();
        let mut command = Command::Runs;
        let mut block = vec![0; CHUNK];
        loop {
            if matches!(command, Command::Ended(0)) {
                self.say(&[THROUGH]);
                command = Command::Unasked;
            }
            let ready = self.wait(matches!(command, Command::Runs));
            if ready.reader_is_gone {
                return 0;
            }
            if ready.main_loop {
                command = self.hear();
            }
            if !ready.input {
                continue;
            }
            let len = match rustix::io::read(self.from, &mut block) {
                Ok(0) => return 0,
                Ok(len) => len,
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(_) => return 1,
            };
            self.ring.put(&block[..len]);
            if let Err(errno) = self.write(&block[..len]) {
                if errno != Errno::PIPE {
                    let number = errno.raw_os_error().to_le_bytes();
                    self.say(&[&[FAILED], number.as_slice()].concat());
                }
                return 1;
            }
            if let Command::Ended(left) = &mut command {
                *left = left.saturating_sub(len as u64);
            }
        }
    }

    /// Waits for the command, the main loop or the reader's end.
    fn wait(&self, is_asked: bool) -> Ready {
        let mut fds = vec![
            PollFd::new(self.from, PollFlags::IN),
            // Asked for nothing: a pipe without readers says so unasked, before the command's next write.
            PollFd::new(self.to, PollFlags::empty()),
        ];
        if is_asked {
            fds.push(PollFd::new(self.main_loop, PollFlags::IN));
        }
        if poll(&mut fds, None).is_err() {
            return Ready { input: false, reader_is_gone: false, main_loop: false };
        }
        Ready {
            input: !fds[0].revents().is_empty(),
            reader_is_gone: fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP),
            main_loop: fds.get(2).is_some_and(|fd| !fd.revents().is_empty()),
        }
    }

    /// What the main loop says. When it was killed, the command runs on, and so does this.
    fn hear(&self) -> Command {
        let mut byte = [0];
        match rustix::io::read(self.main_loop, &mut byte) {
            Ok(1) if byte[0] == ENDED => Command::Ended(rustix::io::ioctl_fionread(self.from).unwrap_or(0)),
            Err(Errno::INTR | Errno::AGAIN) => Command::Runs,
            _ => Command::Unasked,
        }
    }

    fn say(&self, words: &[u8]) {
        let _ = rustix::net::send(self.main_loop, words, rustix::net::SendFlags::NOSIGNAL);
    }

    fn write(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            match rustix::io::write(self.to, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                // Our stream is shared with others, who may have made it non-blocking.
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::from_borrowed_fd(self.to.as_fd(), PollFlags::OUT)], None);
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

struct Ready {
    input: bool,
    reader_is_gone: bool,
    main_loop: bool,
}

#[expect(unsafe_code, reason = "signal actions have no safe form")]
fn ignore_file_size_signal() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: ignoring a signal installs no handler.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}
