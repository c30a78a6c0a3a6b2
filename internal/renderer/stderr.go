package renderer

import (
	"bytes"
	"strings"
	"sync"
)

// stderr reads a child's stderr as it comes: it keeps the first words, the last
// traced file and the first reason of death, and forgets the rest, since a
// dying Go program prints its stacks and a hostile bundle may print anything.
type stderr struct {
	mu    sync.Mutex // guards everything below
	line  []byte     // the unfinished line
	said  []byte
	trace string
	word  string
}

// Bounds of what is kept of a line and of everything.
const (
	maxStderrLine = 4 << 10
	maxStderrSaid = 2 << 10
)

func (s *stderr) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := p; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte("\n"))
		s.line = append(s.line, part[:min(len(part), maxStderrLine-len(s.line))]...)
		if ended {
			s.endLineLocked()
		}
		rest = after
	}
	return len(p), nil
}

func (s *stderr) endLineLocked() {
	line := string(s.line)
	s.line = s.line[:0]
	if file, ok := strings.CutPrefix(line, tracePrefix); ok {
		s.trace = file
		return
	}
	for _, word := range []string{wordCPU, wordMemory, wordNoMemory, wordNoThread, wordStack} {
		if s.word == "" && strings.Contains(line, word) {
			s.word = word
		}
	}
	if len(s.said) < maxStderrSaid {
		s.said = append(append(s.said, line...), '\n')
	}
}

func (s *stderr) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line, s.said, s.trace, s.word = nil, nil, "", ""
}

func (s *stderr) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.said) + string(s.line)
}

func (s *stderr) lastTrace() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trace
}

func (s *stderr) lastWord() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.word
}
