package source

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// disk counts the bytes all mirrors take together and refuses more than its cap.
type disk struct {
	limit int64
	// evict frees the mirror that was used longest ago and is not in use; false means there is none.
	evict func() bool

	mu   sync.Mutex // guards used
	used int64
}

// errDiskFull means that the mirrors in use leave no room.
var errDiskFull = errors.New("all mirrors together would take more than the cap")

// take reserves bytes, making room by evicting idle mirrors.
func (d *disk) take(n int64) error {
	for !d.tryTake(n) {
		if !d.evict() {
			return fmt.Errorf("%w of %d bytes: %w", errDiskFull, d.limit, ErrTooLarge)
		}
	}
	return nil
}

func (d *disk) tryTake(n int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.used+n > d.limit {
		return false
	}
	d.used += n
	return true
}

// add counts bytes that are there already.
func (d *disk) add(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used += n
}

// give returns bytes that were freed.
func (d *disk) give(n int64) { d.add(-n) }

// bytes tells how many are taken.
func (d *disk) bytes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used
}

// meteredWriter reserves room before it writes, in steps, and stops at a limit of its own.
type meteredWriter struct {
	w     io.Writer
	disk  *disk
	limit int64
	// taken is what was reserved, written what was used of it.
	taken, written int64
}

const meterStep = 1 << 20

// Write implements io.Writer.
func (m *meteredWriter) Write(p []byte) (int, error) {
	if m.written+int64(len(p)) > m.limit {
		return 0, fmt.Errorf("the pack has more than %d bytes: %w", m.limit, ErrTooLarge)
	}
	for m.written+int64(len(p)) > m.taken {
		if err := m.disk.take(meterStep); err != nil {
			return 0, err
		}
		m.taken += meterStep
	}
	n, err := m.w.Write(p)
	m.written += int64(n)
	return n, err
}

// settle gives back what was reserved beyond what was written.
func (m *meteredWriter) settle() {
	m.disk.give(m.taken - m.written)
	m.taken = m.written
}
