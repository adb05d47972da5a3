//! The terminal, held in raw mode on its other screen, and given back as it was: when the guard is dropped, and when
//! anything panics, in whichever thread.

use std::io::{self, Write as _, stdout};
use std::marker::PhantomData;
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::{cursor, execute, terminal};

/// Something that is taken and given back.
pub(crate) trait Held: 'static {
    /// Whether it is taken, and whether something panicked meanwhile.
    fn flags() -> &'static Flags;
    fn take() -> io::Result<()>;
    /// As it was. A terminal that is gone (SIGHUP) cannot be given back, and nobody is left to be told.
    fn give();
}

/// See [`Held::flags`].
#[derive(Default)]
pub(crate) struct Flags {
    taken: AtomicBool,
    panicked: AtomicBool,
}

impl Flags {
    const fn new() -> Self {
        Self { taken: AtomicBool::new(false), panicked: AtomicBool::new(false) }
    }
}

/// The terminal of this process.
pub(crate) struct Tty;

impl Held for Tty {
    fn flags() -> &'static Flags {
        static FLAGS: Flags = Flags::new();
        &FLAGS
    }

    fn take() -> io::Result<()> {
        terminal::enable_raw_mode()?;
        execute!(stdout(), terminal::EnterAlternateScreen, EnableMouseCapture, cursor::Hide)
    }

    fn give() {
        _ = execute!(stdout(), DisableMouseCapture, terminal::LeaveAlternateScreen, cursor::Show);
        _ = terminal::disable_raw_mode();
        _ = stdout().flush();
    }
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send + 'static>;

/// Holds the terminal.
pub(crate) struct Guard<T: Held> {
    before: Arc<Hook>,
    held: PhantomData<T>,
}

impl<T: Held> Guard<T> {
    pub(crate) fn enter() -> io::Result<Self> {
        T::flags().panicked.store(false, Ordering::SeqCst);
        let before = Arc::new(panic::take_hook());
        let hook = Arc::clone(&before);
        panic::set_hook(Box::new(move |panic| {
            // First the flag: nobody is to draw on the screen that comes back.
            T::flags().panicked.store(true, Ordering::SeqCst);
            Self::give_back();
            hook(panic);
        }));
        let guard = Self { before, held: PhantomData };
        // Dropped on failure: it may have been taken in part.
        Self::take_over()?;
        Ok(guard)
    }

    pub(crate) fn take_over() -> io::Result<()> {
        T::flags().taken.store(true, Ordering::SeqCst);
        T::take()
    }

    /// Gives it back, once for each time that it was taken.
    pub(crate) fn give_back() {
        if T::flags().taken.swap(false, Ordering::SeqCst) {
            T::give();
        }
    }

    /// Whether something panicked while it was held: then it is given back, and the message stands on the screen.
    pub(crate) fn has_panicked() -> bool {
        T::flags().panicked.load(Ordering::SeqCst)
    }
}

impl<T: Held> Drop for Guard<T> {
    fn drop(&mut self) {
        Self::give_back();
        if !std::thread::panicking() {
            let before = Arc::clone(&self.before);
            panic::set_hook(Box::new(move |panic| before(panic)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A terminal that writes down what is done to it.
    struct Paper;

    static DONE: Mutex<Vec<&str>> = Mutex::new(Vec::new());

    fn done() -> Vec<&'static str> {
        std::mem::take(&mut DONE.lock().unwrap())
    }

    impl Held for Paper {
        fn flags() -> &'static Flags {
            static FLAGS: Flags = Flags::new();
            &FLAGS
        }

        fn take() -> io::Result<()> {
            DONE.lock().unwrap().push("take");
            Ok(())
        }

        fn give() {
            DONE.lock().unwrap().push("give");
        }
    }

    // One test: the hook is one for the whole process.
    #[test]
    fn the_terminal_is_given_back_once_whatever_panics() {
        let message = || DONE.lock().unwrap().push("message");
        panic::set_hook(Box::new(move |_| message()));
        // Where it is drawn.
        let caught = panic::catch_unwind(|| {
            let _guard = Guard::<Paper>::enter().unwrap();
            panic!("while it is drawn");
        });
        assert!(caught.is_err() && Guard::<Paper>::has_panicked());
        assert_eq!(done(), ["take", "give", "message"]);
        // In another thread, while it is held.
        panic::set_hook(Box::new(move |_| message()));
        let guard = Guard::<Paper>::enter().unwrap();
        assert!(!Guard::<Paper>::has_panicked());
        std::thread::spawn(|| panic!("while it is read")).join().unwrap_err();
        assert!(Guard::<Paper>::has_panicked());
        drop(guard);
        assert_eq!(done(), ["take", "give", "message"]);
        // In the common case.
        let guard = Guard::<Paper>::enter().unwrap();
        Guard::<Paper>::give_back();
        Guard::<Paper>::take_over().unwrap();
        drop(guard);
        assert_eq!(done(), ["take", "give", "take", "give"]);
        _ = panic::take_hook();
    }
}
