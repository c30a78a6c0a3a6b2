// Package process starts the programs of a local lab so that none outlives it:
// each runs in a process group of its own, writes to a log file, and is killed
// by the kernel when the lab itself is. It does not know what it starts.
package process
