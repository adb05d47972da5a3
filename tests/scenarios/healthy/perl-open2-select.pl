#!/usr/bin/perl
# A co-process (open2): the parent selects without limit on the answer, the child still reads its stdin (parent holds it).
# Looks like: the classic two-pipe deadlock: each side waits for the other's pipe.
# Ended by: the child's own alarm(6): its handler prints the answer while it sits in read().
use strict; use warnings; use IPC::Open2;
my $pid = open2(my $out, my $in, $^X, '-e', '$|=1; $SIG{ALRM}=sub{print "answer\n"}; alarm 6; my $l=<STDIN>; exit($l eq "bye\n" ? 0 : 1)');
my $v = ''; vec($v, fileno($out), 1) = 1; my $n = select(my $r = $v, undef, undef, undef);
my $line = <$out>; print $in "bye\n"; close $in; waitpid $pid, 0;
exit($n == 1 && $line eq "answer\n" && $? == 0 ? 0 : 1);
