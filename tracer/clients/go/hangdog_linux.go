// Package hangdog says to hangdog what a Go program is doing, while it does it.
//
//	func fetch(ctx context.Context, url string) (err error) {
//		ctx, end := hangdog.Begin(ctx, "fetch", hangdog.Wait("http:127.0.0.1:8080"), hangdog.With("url", url))
//		defer end(&err)
//		…
//	}
//
// Each begin and each end is one line, one write to the file that HANGDOG_PHASES names; without it nothing is done.
// Nothing here panics or waits for anybody; if the file cannot be written, there are no more phases.
//
// Goroutines have no names and threads are not theirs, so the context carries the phase around. Phases one inside the
// other are one task and have its number; one that begins beside another is a task of its own.
package hangdog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	longestLine = 4096     // Longer lines of several writers could mix.
	longest     = 256      // Longer values are cut.
	longestKey  = 1024     // A resource that was cut is none, so it gets more room.
	fileRoom    = 16 << 20 // What hangdog has not read yet takes memory: with more than this, no phase begins.
)

var (
	path      = os.Getenv("HANGDOG_PHASES")
	outermost = os.Getenv("HANGDOG_PHASE")
	isLate    = os.Getenv("HANGDOG_LATE") != ""
	pid       = os.Getpid()
	start     = startTime()
	loadedAt  = time.Now()
	loadedNs  = monotonic()
	next      atomic.Uint64
	lost      atomic.Uint64
	file      atomic.Pointer[opened]
	isOff     atomic.Bool
)

type opened struct {
	fd       int
	dev, ino uint64
}

type around struct{}
type phase struct {
	id     string
	name   string
	task   uint64
	outer  *phase
	inner  atomic.Int32 // How many phases just inside of it are open.
	isOver atomic.Bool
}

// Begin begins a phase. The context carries it to what it calls; the function ends it, and is to be deferred itself,
// with the address of the error that the function around returns, or with nil.
func Begin(ctx context.Context, name string, fields ...Field) (context.Context, func(*error)) {
	if path == "" || isOff.Load() {
		return ctx, func(*error) {}
	} else if isFull() {
		lost.Add(1)
		return ctx, func(*error) {}
	}
	look("begin", name)
	p, parent := &phase{name: name, task: next.Add(1)}, outermost
	p.id = fmt.Sprintf("%d-%s-%d", pid, start, p.task)
	if outer, ok := ctx.Value(around{}).(*phase); ok && !outer.isOver.Load() {
		p.outer, parent = outer, outer.id
		if outer.inner.Add(1) == 1 {
			p.task = outer.task
		}
	}
	say(fields, map[string]any{"do": "begin", "id": p.id, "name": cut(name, longest), "pid": pid, "tid": 0,
		"start": start, "task": fmt.Sprint(p.task), "parent": parent, "t": now(), "lost": lost.Swap(0)})
	return context.WithValue(ctx, around{}, p), p.end
}

// Note says of the phase of a context what was not known when it began.
func Note(ctx context.Context, fields ...Field) {
	if p, ok := ctx.Value(around{}).(*phase); ok && !p.isOver.Load() {
		say(fields, map[string]any{"do": "note", "id": p.id})
	}
}

func (p *phase) end(err *error) {
	if !p.isOver.CompareAndSwap(false, true) {
		return
	}
	if p.outer != nil {
		p.outer.inner.Add(-1)
	}
	outcome := "ok"
	// The runtime calls it when a panic or an exit of the goroutine unwinds. To recover here would take the panic's
	// place and trace from the program.
	if caller := caller(); caller == "runtime.gopanic" {
		outcome = "panicked"
	} else if caller == "runtime.Goexit" || err != nil && errors.Is(*err, context.Canceled) {
		outcome = "cancelled"
	} else if err != nil && *err != nil {
		outcome = "failed"
	}
	say(nil, map[string]any{"do": "end", "id": p.id, "pid": pid, "t": now(), "outcome": outcome})
	look("end", p.name)
}

// look is where `hangdog flake` may hold the thread; there is nothing to be found.
func look(at, name string) {
	if isLate && !isOff.Load() {
		syscall.Access("/dev/null/hangdog/"+at+" "+cut(name, 100), 0)
	}
}

func caller() string {
	pcs := make([]uintptr, 1)
	runtime.Callers(3, pcs)
	frame, _ := runtime.CallersFrames(pcs).Next()
	return frame.Function
}

func say(fields []Field, line map[string]any) {
	for _, kept := range []string{"", "hang.", "no field begins like this"} {
		texts := map[string]string{}
		for _, field := range fields {
			if room := longest; strings.HasPrefix(field.key, kept) {
				if strings.HasPrefix(field.key, "hang.") {
					room = longestKey
				}
				texts[cut(field.key, longest)] = cut(fmt.Sprint(field.value), room)
			}
		}
		line["fields"] = texts
		text, err := json.Marshal(line)
		if err == nil && len(text) < longestLine {
			write(append(text, '\n'))
			return
		}
	}
}

func cut(text string, room int) string {
	if len(text) <= room {
		return text
	}
	return strings.ToValidUTF8(text[:room-len("…")], "") + "…"
}

func write(line []byte) {
	var about syscall.Stat_t
	if current := open(&about); current == nil {
		isOff.Store(true)
	} else if n, err := syscall.Write(current.fd, line); err != nil || n != len(line) {
		isOff.Store(true)
	}
}

func isFull() bool {
	var about syscall.Stat_t
	return open(&about) != nil && about.Blocks*512 > fileRoom
}

// open opens the file once, and again after a program that closes all descriptors, as daemons do: it may have this
// number for a file of its own by then. There is no os.File, whose finalizer would close that.
func open(about *syscall.Stat_t) *opened {
	// The file goes with the run; a daemon may stay.
	if o := file.Load(); o != nil && syscall.Fstat(o.fd, about) == nil && about.Nlink > 0 &&
		uint64(about.Dev) == o.dev && about.Ino == o.ino {
		return o
	}
	flags := syscall.O_WRONLY | syscall.O_APPEND | syscall.O_CLOEXEC | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	fd, err := syscall.Open(path, flags, 0)
	if err != nil || syscall.Fstat(fd, about) != nil || about.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil
	}
	o := &opened{fd, uint64(about.Dev), about.Ino}
	file.Store(o)
	return o
}

// startTime is field 22 of /proc/self/stat. It tells this process from another one with its number.
func startTime() string {
	stat, err := os.ReadFile("/proc/self/stat")
	if isOff.Store(err != nil); err != nil {
		return ""
	}
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[19]
}

func monotonic() int64 {
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1 /* CLOCK_MONOTONIC */, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

func now() string { return fmt.Sprint(loadedNs + time.Since(loadedAt).Nanoseconds()) }
