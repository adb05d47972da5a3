//! The recorder is read from outside in every state that its program can be in, never holds it up, and survives what the
//! machine and others do to it.
//!
//! | in | is |
//! | --- | --- |
//! | [`states`], [`disk`], [`fuse`] | programs that stand still, by signals, control groups, disks and servers |
//! | [`limits`] | programs for which there is little room, or no thread |
//! | [`many`] | programs with very many phases, threads and children |
//! | [`hostile`] | others who write to the recorder's file |
//! | [`traced`], [`work`] | a traced program, looked at from outside |
//! | [`silent`] | a server that it is made to stand still by |

mod disk;
mod fuse;
mod hostile;
mod limits;
mod many;
mod silent;
mod states;
mod traced;
mod work;

use hangdog_tests::{Disk, Freezer, Needs, programs, root, trial};
use libtest_mimic::Arguments;

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("killed", Needs::Nothing, states::killed),
        trial("stopped", Needs::Nothing, states::stopped),
        trial("in a frozen group, v1", Needs::That(|| Freezer::V1.missing()), || {
            states::in_a_frozen_group(Freezer::V1);
        }),
        trial("in a frozen group, v2", Needs::That(|| Freezer::V2.missing()), || {
            states::in_a_frozen_group(Freezer::V2);
        }),
        trial("a disk that freezes", Needs::That(Disk::missing), disk::frozen_at_work),
        trial("a disk that is frozen before the start", Needs::That(Disk::missing), disk::frozen_before_the_start),
        trial("a server that does not answer inside mmap", Needs::That(root), fuse::waits_inside_mmap),
        trial("a FUSE server that does not answer", Needs::That(root), fuse::waits_for_a_server),
        trial("under a limit", Needs::Nothing, limits::all),
        trial("without a thread for the clock", Needs::That(root), limits::no_thread),
        trial("the thread for the clock", Needs::Nothing, limits::the_tick_thread),
        trial("on a small tmpfs", Needs::That(root), limits::small_tmpfs),
        trial("on a tmpfs that becomes full", Needs::That(root), limits::a_tmpfs_that_becomes_full),
        trial("with a /dev/shm that is read-only", Needs::Mounts(programs!()), limits::read_only_shm),
        trial("without /proc", Needs::Mounts(programs!()), limits::without_proc),
        trial("100,000 open async phases", Needs::Nothing, many::open_async_phases),
        trial("size of a future in a phase", Needs::Nothing, many::size_of_a_future),
        trial("100,000 short threads", Needs::Nothing, many::short_threads),
        trial("more threads than places", Needs::Nothing, many::more_threads_than_places),
        trial("forked at work", Needs::Nothing, many::forked_at_work),
        trial("became another program", Needs::Nothing, many::became_another_program),
        trial("a file that others scribble on", Needs::Nothing, hostile::scribbled_over),
        trial("a file that others shorten", Needs::Nothing, hostile::shortened),
        trial("a memfd cannot be shortened", Needs::Mounts(programs!()), hostile::a_memfd_cannot_be_shortened),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
