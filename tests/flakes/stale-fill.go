// An edge cache before a site: readers ask the edge, the edge keeps pages in files for 90 ms; an editor changes a page at
// the origin and has the edge forget it.
//
// Why it fails: a fill asks the origin and then puts the page into its file. When the editor changes the page and purges
// it between the two, the fill puts the old page back, and the editor does not see the change.
//
// Truth: the page is purged while a fill is in flight, and the fill then stores the page from before the change.
package main

import (
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const freshFor = 90 * time.Millisecond

// From `low` to `high` microseconds.
func pause(low, high int) {
	time.Sleep(time.Duration(low+rand.Intn(high-low)) * time.Microsecond)
}

type site struct {
	mutex    sync.Mutex
	revision int
}

func (s *site) edit() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.revision++
	return s.revision
}

func (s *site) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mutex.Lock()
	revision := s.revision
	s.mutex.Unlock()
	pause(40, 240) // the template is rendered
	fmt.Fprint(w, revision)
}

type edge struct {
	folder, origin string
}

func (e *edge) file(page string) string { return filepath.Join(e.folder, filepath.Base(page)) }

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file := e.file(r.URL.Path)
	if r.Method == "PURGE" {
		os.Remove(file)
		return
	}
	if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) < freshFor {
		if body, err := os.ReadFile(file); err == nil {
			w.Write(body)
			return
		}
	}
	body, err := get(e.origin + r.URL.Path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	partial, err := os.CreateTemp(e.folder, "partial-*")
	if err == nil {
		partial.Write(body)
		partial.Close()
		os.Rename(partial.Name(), file)
	}
	w.Write(body)
}

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func change(origin *site, url string) error {
	want := origin.edit()
	request, _ := http.NewRequest("PURGE", url, nil)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	pause(2_000, 6_000)
	body, err := get(url)
	if err != nil {
		return err
	}
	if got, _ := strconv.Atoi(string(body)); got < want {
		return fmt.Errorf("the page has revision %d after the change to %d", got, want)
	}
	return nil
}

func test(folder string) error {
	origin := &site{revision: 1}
	originServer := httptest.NewServer(origin)
	defer originServer.Close()
	edgeServer := httptest.NewServer(&edge{folder, originServer.URL})
	defer edgeServer.Close()
	url := edgeServer.URL + "/news"
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for n := 0; n < 2; n++ {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				select {
				case <-stop:
					return
				default:
					get(url)
					pause(15_000, 45_000)
				}
			}
		}()
	}
	defer readers.Wait()
	defer close(stop)
	for n := 0; n < 4; n++ {
		pause(150_000, 290_000)
		if err := change(origin, url); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	rand.Seed(time.Now().UnixNano())
	folder, err := os.MkdirTemp("", "stale-fill-")
	if err == nil {
		err = test(folder)
		os.RemoveAll(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
