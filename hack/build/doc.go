// Command build fills bin/: the local control plane and kwok first, because
// they take longest, then Muster's own commands. It shows progress while Go
// compiles and does nothing when nothing changed. It knows how to compile and
// nothing about what it compiles; it uses the standard library only, so that it
// starts within a second on a machine with empty caches.
package main
