// Package cluster composes each cluster's document when something it depends
// on changed, and forgets clusters that were deleted.
package cluster
