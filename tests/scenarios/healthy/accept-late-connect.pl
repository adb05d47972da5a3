#!/usr/bin/perl
# accept() without limit on a TCP listener; nobody has a connection to it.
# Looks like: an idle server with its whole tree idle (a test that waits for a client that never comes).
# Ended by: a forked child that sleeps 6 s and connects.
use strict; use warnings; use IO::Socket::INET;
my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or die;
my $port = $l->sockport;
my $k = fork();
if (!$k) { close $l; sleep 6; my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or exit 1; print $c "hi\n"; close $c; exit 0 }
my $c = $l->accept or die; my $line = <$c>; waitpid $k, 0;
exit($line eq "hi\n" && $? == 0 ? 0 : 1);
