#!/usr/bin/perl
# msgrcv() without limit on a SysV queue; the sender is a sleeping grandchild in its own session, which holds no fd.
# Looks like: orphan wait: a SysV queue has no holders in /proc.
# Ended by: the grandchild's msgsnd after sleep 6.
use strict; use warnings; use POSIX ();
use IPC::SysV qw(IPC_PRIVATE IPC_RMID S_IRUSR S_IWUSR);
my $q = msgget(IPC_PRIVATE, S_IRUSR | S_IWUSR) // die;
my $k = fork();
if (!$k) { POSIX::setsid(); if (!fork()) { sleep 6; msgsnd($q, pack("l! a*", 1, "hi"), 0); } POSIX::_exit(0) }
waitpid $k, 0;
my $b; my $ok = msgrcv($q, $b, 64, 0, 0);
msgctl($q, IPC_RMID, 0);
my (undef, $m) = unpack("l! a*", $b // "");
exit($ok && $m eq "hi" ? 0 : 1);
