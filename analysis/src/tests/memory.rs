//! Pages that user space fills, and the locks of a memory map.

use super::scene::{check, check_possible, check_sentence};

#[test]
fn a_page_that_only_the_waiter_itself_could_fill() {
    let scene = "proc 10 toucher <5 fault @handle_userfault
         fd 10.3 anon_inode:[userfaultfd] rw";
    check(scene, "self-deadlock likely: 10; 10>10 page");
    check_sentence(
        scene,
        "self-deadlock: toucher[10] waits for a page of its memory (userfaultfd), to be filled by itself",
    );
    // Whoever reads the userfaultfd may be its server; what cannot be seen may be one as well.
    check(&format!("{scene}\ntask 10.11 server read(3)"), "nothing");
    check("proc 10 toucher <5 fault @handle_userfault", "nothing");
    check_possible(
        &format!("{scene}\nproc 12 server <10 nanosleep() outside\nfd 12.3 anon_inode:[userfaultfd] rw"),
        "nothing",
    );
}

const MAP: &str = "proc 10 db <5 futex(0x7f00,0x109,11;11)
     task 10.11 syncer msync(4096,4096) D @fuse_fsync
     task 10.13 unmapper munmap(4096,4096) D @__vma_start_write
     task 10.12 toucher fault D @fuse_page_mkwrite
     proc 20 walfs <10 read(3)
     fd 20.3 pipe:[7] r
     fd 20.4 pipe:[7] w
     fd 20.5 /dev/fuse fuse=41
     mount /mnt fuse.x 41
     fuse 41 1
     proc 30 cat <10 read(3) D @__access_remote_vm
     fd 30.3 /proc/10/cmdline r";

#[test]
fn who_changes_a_map_waits_for_faults_and_who_reads_it_for_him() {
    check(
        MAP,
        "self-deadlock likely: 20; 10>11 thread-exit, 11>20 fuse-reply, 20>20 pipe-data, 12>20 fuse-reply, \
         13>12 memory-lock, 30>13 memory-lock",
    );
    // Its page comes.
    check(&MAP.replace("walfs <10 read(3)", "walfs <10 nanosleep()"), "nothing");
    // No fault is to be seen in that process.
    check(
        &MAP.replace("toucher fault D @fuse_page_mkwrite", "toucher pause()"),
        "self-deadlock likely: 20; 10>11 thread-exit, 11>20 fuse-reply, 20>20 pipe-data",
    );
}

#[test]
fn a_join_whose_word_cannot_be_read_while_the_map_is_changed() {
    let unread = MAP.replace("futex(0x7f00,0x109,11;11)", "futex(0x7f00,0x109,11)");
    check(
        &unread,
        "self-deadlock likely: 20; 10>11 thread-exit, 11>20 fuse-reply, 20>20 pipe-data, 12>20 fuse-reply, \
         13>12 memory-lock, 30>13 memory-lock",
    );
    // It expects no thread's number, or that of a thread that acts.
    check(&unread.replace("0x109,11)", "0x109,14)"), "nothing");
    check(&unread.replace("msync(4096,4096) D @fuse_fsync", "nanosleep()"), "nothing");
}
