package renderer

import (
	"runtime"
	"time"
)

// Limits of one render.
type Limits struct {
	// MemoryBytes of data the child may map (RLIMIT_DATA; RLIMIT_AS kills Go at start).
	MemoryBytes int64 `json:"memoryBytes"`
	// CPU time of one render.
	CPU time.Duration `json:"cpu"`
	// OutputBytes of one response.
	OutputBytes int64 `json:"outputBytes"`
	// MaxObjects of one bundle.
	MaxObjects int `json:"maxObjects"`
	// Renders a child may do before it is replaced.
	Renders int `json:"renders"`
}

// Confinement says which parts of a child's cell hold on this machine.
type Confinement struct {
	// Limits: memory, CPU, file size and open files are limited by the kernel.
	Limits bool `json:"limits"`
	// Syscalls: a seccomp filter refuses sockets, programs and files.
	Syscalls bool `json:"syscalls"`
	// Detail says what is missing and why; empty if nothing is.
	Detail string `json:"detail,omitempty"`
}

// Sandbox tells what children are confined by on this operating system. What a
// child really got is told by Pool.Confinement.
func Sandbox() Confinement {
	c := Confinement{Limits: limitsSupported, Syscalls: syscallsSupported()}
	if !c.Syscalls {
		c.Detail = "no system call filter on " + runtime.GOOS + ": rendering has no loader that reaches the network, but nothing else stops it"
	}
	return c
}
