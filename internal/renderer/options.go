package renderer

import (
	"runtime"
	"time"
)

// Options of a pool; the zero value works.
type Options struct {
	// Binary is the render program; empty = muster-render beside this executable,
	// else this executable with ChildArgument.
	Binary string
	// Workers is how many renders run at once; 0 = half the processors, at least 1, at most 4.
	Workers int
	// MemoryBytes one child may use; 0 = 512 MiB.
	MemoryBytes int64
	// CPU time of one render; 0 = 30 s.
	CPU time.Duration
	// Wall time of one render, waiting for a worker and starting it not counted; 0 = 60 s.
	Wall time.Duration
	// StartWithin is how long a child may take until it answers the first time; 0 = 20 s.
	StartWithin time.Duration
	// OutputBytes of one render; 0 = 16 MiB.
	OutputBytes int64
	// MaxObjects of one bundle; 0 = 20,000.
	MaxObjects int
	// RendersPerWorker until a child is replaced; 0 = 200.
	RendersPerWorker int
	// IdleFor is how long an unused child is kept; 0 = 60 s.
	IdleFor time.Duration
	// MemoBytes of results kept in memory; 0 = 64 MiB, negative = none.
	MemoBytes int64
	// Files fills content.Item.Files and Origins: in which file each object stands,
	// and which template functions made its volatile values.
	Files bool
}

func (o Options) withDefaults() Options {
	o.Workers = or(o.Workers, min(max(runtime.GOMAXPROCS(0)/2, 1), 4))
	o.MemoryBytes = or(o.MemoryBytes, 512<<20)
	o.CPU = or(o.CPU, 30*time.Second)
	o.Wall = or(o.Wall, 60*time.Second)
	o.StartWithin = or(o.StartWithin, 20*time.Second)
	o.OutputBytes = or(o.OutputBytes, 16<<20)
	o.MaxObjects = or(o.MaxObjects, 20_000)
	o.RendersPerWorker = or(o.RendersPerWorker, 200)
	o.IdleFor = or(o.IdleFor, time.Minute)
	o.MemoBytes = or(o.MemoBytes, 64<<20)
	return o
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
