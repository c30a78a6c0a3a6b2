package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pkg is one package of a build.
type pkg struct {
	Path    string
	Imports []string
	Bytes   int64 // size of its sources: compile time is roughly proportional
	Asked   bool  // named on go build's command line, not only a dependency
}

// parsePackages reads what `go list` printed in the format of target.list.
func parsePackages(r io.Reader) ([]pkg, error) {
	var packages []pkg
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		fields := strings.Split(scanner.Text(), "\t")
		if len(fields) != 5 {
			return nil, fmt.Errorf("go list printed %q", scanner.Text())
		}
		packages = append(packages, pkg{
			Path:    fields[0],
			Imports: strings.Split(fields[3], ","),
			Bytes:   sourceBytes(fields[1], strings.Split(fields[2], ",")),
			Asked:   fields[4] == "false",
		})
	}
	return packages, scanner.Err()
}

// sourceBytes is an estimate's input: a file that cannot be read counts nothing.
func sourceBytes(dir string, files []string) int64 {
	var total int64
	for _, name := range files {
		if info, err := os.Stat(filepath.Join(dir, name)); name != "" && err == nil {
			total += info.Size()
		}
	}
	return total
}

// progress counts a build's packages. Go names a package when it starts
// compiling it, and starts only when all its imports are done; so a name tells
// that everything below it is done, also what came from the cache and was
// therefore never named.
type progress struct {
	packages map[string]pkg
	begun    time.Time
	named    map[string]bool
	finished map[string]bool

	total, left   int64 // bytes
	compiledBytes int64
	compiled      int // packages
}

func newProgress(packages []pkg, begun time.Time) *progress {
	p := &progress{packages: map[string]pkg{}, begun: begun, named: map[string]bool{}, finished: map[string]bool{}}
	for _, one := range packages {
		p.packages[one.Path] = one
		p.total += one.Bytes
	}
	p.left = p.total
	return p
}

// started notes that Go named path; false if it is no package of this build,
// and so a message.
func (p *progress) started(path string) bool {
	one, ok := p.packages[path]
	if !ok {
		return false
	}
	p.named[path] = true
	p.compiled++
	p.compiledBytes += one.Bytes
	for _, below := range one.Imports {
		p.finish(below)
	}
	return true
}

// finish counts path and everything below it as done, once.
func (p *progress) finish(path string) {
	one, ok := p.packages[path]
	if !ok || p.finished[path] {
		return
	}
	p.finished[path] = true
	p.left -= one.Bytes
	for _, below := range one.Imports {
		p.finish(below)
	}
}

// done is how many packages need no more work, counting those being compiled:
// on a few cores that overstates by at most a few.
func (p *progress) done() int {
	n := len(p.finished)
	for path := range p.named {
		if !p.finished[path] {
			n++
		}
	}
	return n
}

// remaining estimates from the speed so far; not before some work was seen, and
// linking comes on top, which is about a twentieth.
func (p *progress) remaining(now time.Time) (time.Duration, bool) {
	elapsed := now.Sub(p.begun)
	if p.compiledBytes < p.total/50 || elapsed < 5*time.Second {
		return 0, false
	}
	perByte := float64(elapsed) / float64(p.compiledBytes)
	return time.Duration(perByte * (float64(p.left) + float64(p.total)/20)), true
}

// linking is true once everything asked for was named: only then nothing is
// left but putting it together.
func (p *progress) linking() bool {
	for path, one := range p.packages {
		if one.Asked && !p.named[path] {
			return false
		}
	}
	return true
}

// line is the one line a waiting person reads.
func (p *progress) line(now time.Time) string {
	text := fmt.Sprintf("%d of %d packages", p.done(), len(p.packages))
	if p.linking() {
		return text + ", linking"
	}
	left, ok := p.remaining(now)
	if !ok {
		return text + ", estimating"
	}
	if left < time.Minute {
		return text + ", less than a minute left"
	}
	return fmt.Sprintf("%s, about %.1f minutes left", text, left.Minutes())
}
