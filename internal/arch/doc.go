// Package arch states which package may import which, and checks it. The table
// is the one of the design's import levels: lower never imports higher, decisions
// import values only. It knows packages by path and nothing of what they do; only
// its own test runs it.
package arch
