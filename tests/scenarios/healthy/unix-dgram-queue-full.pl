#!/usr/bin/perl
# send() on a unix datagram socketpair blocks: the receiver's queue is full.
# Looks like: dead peer; the receiver's process waits for its own child (wait4 without limit).
# Ended by: that child, in `select undef,undef,undef,6`; then the receiver drains the queue.
use strict; use warnings; use Socket;
socketpair(my $a, my $b, AF_UNIX, SOCK_DGRAM, 0) or die;
my $k = fork();
if (!$k) { close $b; for (1 .. 2000) { defined send($a, "x" x 100, 0) or exit 1 } exit 0 }
close $a;
my $z = fork(); if (!$z) { close $b; select undef, undef, undef, 6; exit 0 }
waitpid $z, 0;
for (1 .. 2000) { my $d; defined recv($b, $d, 200, 0) or exit 1 }
waitpid $k, 0; exit($? == 0 ? 0 : 1);
