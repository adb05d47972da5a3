#!/bin/bash
# Go: main receives from a channel, twenty goroutines block on each other's channels; no goroutine sleeps.
# Looks like: all Ms parked in private futexes, one in epoll_pwait.
# Ended by: time.AfterFunc of 6 s (a runtime timer, owned by no goroutine).
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cat >"$T/m.go" <<'G'
package main
import "time"
func main() {
	in := make(chan int); src := in
	for i := 0; i < 20; i++ { out := make(chan int); go func(a, b chan int) { b <- 1 + <-a }(in, out); in = out }
	time.AfterFunc(6*time.Second, func() { src <- 0 })
	if <-in != 20 { panic("wrong") }
}
G
cd "$T"
HOME="$T" GOCACHE="$T/cache" GOTMPDIR="$T" GO111MODULE=off GOFLAGS= GOTELEMETRY=off go build -o m m.go
./m
