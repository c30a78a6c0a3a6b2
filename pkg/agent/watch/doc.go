// Package watch keeps one label-filtered list and watch per kind in the
// inventories, and tells what it sees as core events.
package watch
