// What the tests of the Go client run: each function is a program of its own, named on the command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	hangdog "github.com/hangdog-rs/hangdog/tracer/clients/go"
)

var programs = map[string]func(context.Context){
	"nested":             nested,
	"outcomes":           outcomes,
	"tasks":              tasks,
	"thousand":           thousand,
	"huge":               huge,
	"closes_descriptors": closesDescriptors,
	"hang":               hang,
}

func main() {
	programs[os.Args[1]](context.Background())
	fmt.Println("done")
}

func run(ctx context.Context, name string, work func(context.Context) error, fields ...hangdog.Field) (err error) {
	ctx, end := hangdog.Begin(ctx, name, fields...)
	defer end(&err)
	return work(ctx)
}

func nothing(context.Context) error { return nil }

func nested(ctx context.Context) {
	run(ctx, "outer", func(ctx context.Context) error {
		return run(ctx, "inner", func(ctx context.Context) error {
			hangdog.Note(ctx, hangdog.Link("a>b"), hangdog.With("n", 2))
			return nil
		}, hangdog.Wait("lock:cache"))
	}, hangdog.Op("build"), hangdog.With("n", 1))
	_, end := hangdog.Begin(ctx, "by hand")
	cancelled := context.Canceled
	end(&cancelled)
	end(nil)
}

func outcomes(ctx context.Context) {
	run(ctx, "failed", func(context.Context) error { return errors.New("bad") })
	run(ctx, "cancelled", func(context.Context) error { return fmt.Errorf("left: %w", context.Canceled) })
	func() {
		defer func() {
			if value := recover(); value != "the program's own" {
				panic(value)
			}
		}()
		run(ctx, "panicked", func(context.Context) error { panic("the program's own") })
	}()
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		run(ctx, "exit of the goroutine", func(context.Context) error { runtime.Goexit(); return nil })
	}()
	group.Wait()
}

func tasks(ctx context.Context) {
	run(ctx, "main", func(ctx context.Context) error {
		begun, over := make(chan bool), make(chan bool)
		go func() {
			defer close(over)
			run(ctx, "one", func(context.Context) error { begun <- true; <-begun; return nil })
		}()
		<-begun
		run(ctx, "other", nothing)
		begun <- true
		<-over
		return run(ctx, "after", nothing)
	})
}

func thousand(ctx context.Context) {
	run(ctx, "main", func(ctx context.Context) error {
		var arrived, left sync.WaitGroup
		arrived.Add(1000)
		left.Add(1000)
		for n := 0; n < 1000; n++ {
			go func(n int) {
				defer left.Done()
				run(ctx, "wait", func(context.Context) error {
					arrived.Done()
					arrived.Wait()
					return nil
				}, hangdog.With("number", n))
			}(n)
		}
		left.Wait()
		return nil
	})
}

type bad struct{}

func (bad) String() string { panic("no text") }

func huge(ctx context.Context) {
	long := func(letter string) string { return strings.Repeat(letter, 1_000_000) }
	run(ctx, long("x"), func(ctx context.Context) error {
		return run(ctx, "letters", func(ctx context.Context) error {
			fields := []hangdog.Field{hangdog.Op("kept")}
			for n := 0; n < 100; n++ {
				fields = append(fields, hangdog.With(fmt.Sprint("field ", n), strings.Repeat("v", 100)))
			}
			return run(ctx, "many", nothing, fields...)
		}, hangdog.With("quoted", "\"\\\n\t\x00"), hangdog.With("cut", strings.Repeat("ä", 5000)),
			hangdog.With("lone", "\xff"), hangdog.With(strings.Repeat("k", 5000), "v"))
	}, hangdog.Wait("path:/"+long("y")), hangdog.With("note", long("z")))
	run(ctx, "bad", func(ctx context.Context) error {
		return run(ctx, "good", nothing, hangdog.With("value", nil))
	}, hangdog.With("value", bad{}))
}

func closesDescriptors(ctx context.Context) {
	run(ctx, "before", nothing)
	own := os.Getenv("HANGDOG_PHASES")
	for fd := 3; fd < 256; fd++ {
		if target, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd)); err == nil && target == own {
			syscall.Close(fd)
		}
	}
	var files []*os.File
	for n := 0; n < 20; n++ {
		file, err := os.Create(fmt.Sprint("own-", n))
		if err != nil {
			panic(err)
		}
		files = append(files, file)
	}
	run(ctx, "after", nothing)
	for _, file := range files {
		if about, err := file.Stat(); err != nil || about.Size() != 0 {
			panic("a phase was written to a file of the program")
		}
	}
}

// hang: two goroutines wait for each other's locks. A pending timer keeps Go's own detector from ending it.
func hang(ctx context.Context) {
	var orders, stock sync.Mutex
	var both, over sync.WaitGroup
	both.Add(2)
	over.Add(2)
	book := func(first *sync.Mutex, held string, second *sync.Mutex, wanted string) {
		defer over.Done()
		first.Lock()
		run(ctx, "book", func(ctx context.Context) error {
			both.Done()
			both.Wait()
			return run(ctx, "take the second lock", func(context.Context) error { second.Lock(); return nil }, hangdog.Wait(wanted))
		}, hangdog.Hold(held))
	}
	go book(&orders, "lock:orders", &stock, "lock:stock")
	go book(&stock, "lock:stock", &orders, "lock:orders")
	time.AfterFunc(time.Hour, func() {})
	over.Wait()
}
