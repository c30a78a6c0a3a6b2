// Package items keeps content items in memory, compressed, since most of them
// are looked at once a generation, and unpacks the few that are in use.
package items
