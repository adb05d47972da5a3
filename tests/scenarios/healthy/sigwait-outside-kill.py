#!/usr/bin/env python3
# sigwait() without limit; the process has no children and no open fds but the three standard ones.
# Looks like: orphan wait / idle for ever: nobody visible knows it.
# Ended by: a daemonised process (own session, parent gone) that sleeps 6 s and sends SIGUSR1 to a pid it remembers.
import os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
me = os.getpid()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 64); time.sleep(6); os.kill(me, signal.SIGUSR1)
    os._exit(0)
os.wait()
sys.exit(0 if signal.sigwait({signal.SIGUSR1}) == signal.SIGUSR1 else 1)
