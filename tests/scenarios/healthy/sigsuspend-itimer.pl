#!/usr/bin/perl
# Two processes in sigsuspend/pause that signal each other in turn: each waits for the other's signal.
# Looks like: two processes paused for each other, no fds, no locks.
# Ended by: setitimer (ITIMER_REAL, 6 s) in the child; then the ping-pong runs and both end.
use strict; use warnings; use POSIX; use Time::HiRes qw(setitimer ITIMER_REAL);
my ($got, $usr) = (0, 0);
$SIG{USR1} = sub { $usr++ }; $SIG{ALRM} = sub { $got++ };
my $block = POSIX::SigSet->new(SIGUSR1, SIGALRM); my $none = POSIX::SigSet->new;
sigprocmask(SIG_BLOCK, $block);
my $ppid = $$; my $k = fork();
if (!$k) {
  setitimer(ITIMER_REAL, 6); sigsuspend($none) until $got;
  kill USR1 => $ppid; sigsuspend($none) until $usr; exit 0;
}
sigsuspend($none) until $usr; kill USR1 => $k; waitpid $k, 0; exit($? == 0 ? 0 : 1);
