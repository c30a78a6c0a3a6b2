// Package status keeps the status of Bundles, GitRepos and Clusters true: it
// folds cells as documents and reports change, and writes an object's status
// when its meaning changed. What is settled is written at once; what is still
// moving only if it stays so for a moment.
package status
