#!/bin/bash
# $(...) waits for end of file on a pipe whose starter has ended at once; a setsid'd background process keeps it open.
# Looks like: idle-holder: a daemon that inherited stdout and keeps the pipe open.
# Ended by: the background process, whose sleep ends after 6 s (it also prints).
set -eu
x=$(setsid bash -c 'echo started; (sleep 6; echo finished) & exit 0')
[ "$x" = $'started\nfinished' ]
