// Package manager runs the whole manager on a real API server: what it does by
// itself when something changes that bundles depend on.
package manager
