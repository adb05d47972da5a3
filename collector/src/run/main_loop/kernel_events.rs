//! What the kernel's own recorder is asked, and where its answers go. They are passed on as they come: the main loop
//! does not look into them, and the judge does not get them.

use std::time::Duration;

use hangdog_schemas::RunNs;

use super::MainLoop;
use crate::calls::Calls;

/// The end of a run waits this long for the last events.
const LAST_EVENTS: Duration = Duration::from_secs(2);
/// And this long for the writer to take the calls that were noted.
const LAST_CALLS: Duration = Duration::from_secs(10);

impl MainLoop<'_> {
    pub(super) fn ask_for_kernel_events(&mut self) {
        let threads = self.parts.tree.threads().map(|thread| thread.thread.tid.0);
        if let Some(ktrace) = &mut self.parts.ktrace {
            ktrace.ask(threads);
        }
    }

    /// Passes on what has come, as far as the writer has room.
    pub(super) fn hear_kernel_events(&mut self, now: RunNs) {
        let (ktrace, records) = (&mut self.parts.ktrace, &mut self.parts.records);
        let Some(ktrace) = ktrace.as_mut().filter(|ktrace| ktrace.fd().is_some()) else { return };
        while records.has_room() && ktrace.hear(|line| records.push_line(now, line)) {}
    }

    /// After the command's end: what the recorder has since it was last asked.
    pub(in crate::run) fn last_kernel_events(&mut self) {
        let until = self.now().plus(LAST_EVENTS.as_nanos() as u64);
        self.hear_to_the_end(until);
        self.ask_for_kernel_events();
        self.hear_to_the_end(until);
    }

    /// After the command's end: the calls that were noted. They are all there: each caller waited for it.
    pub(in crate::run) fn last_calls(&mut self) {
        let until = self.now().plus(LAST_CALLS.as_nanos() as u64);
        while let Some(lines) = self.parts.calls.as_mut().and_then(Calls::lines) {
            for line in lines {
                while !self.parts.records.has_room() && self.now() < until {
                    self.parts.records.pump();
                    std::thread::sleep(Duration::from_millis(1));
                }
                self.parts.records.push_line(self.now(), &line);
            }
        }
    }

    fn hear_to_the_end(&mut self, until: RunNs) {
        let step = Duration::from_millis(20);
        while self.now() < until && self.parts.ktrace.as_ref().is_some_and(|ktrace| ktrace.wait(step)) {
            self.parts.records.pump();
            self.hear_kernel_events(self.now());
        }
    }

    /// The recorder's instance is removed. A long run waits for it, so that nothing of it is left at the end; a short
    /// one would take noticeably longer by it, and leaves it to the helper.
    pub(in crate::run) fn end_kernel_trace(&mut self) {
        let limit = Duration::from_nanos(self.now().0 / 100).min(LAST_EVENTS);
        if let Some(ktrace) = self.parts.ktrace.take() {
            ktrace.end(limit);
        }
    }
}
