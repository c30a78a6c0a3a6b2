// Package scenarios holds what a repository written for Rancher Fleet, and the
// people who wrote it, expect: one golden file per row of the acceptance
// scenarios on reading, targeting and values, driven through the command line.
package scenarios
