// Package agent keeps one cluster as its document says: it holds what the
// agent needs of the hub. The decisions are in core, the performing in loop.
package agent
