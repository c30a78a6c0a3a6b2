// Package loop is the shell around the core: it owns the goroutines, feeds
// events in, performs effects and feeds their answers back. One goroutine owns
// the core; everything else reaches it through the inbox.
package loop
