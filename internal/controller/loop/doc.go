// Package loop runs one function over a queue of keys: coalesced, one worker a
// key at a time, backing off on errors, waiting when told to. It must not know
// what the keys name.
package loop
