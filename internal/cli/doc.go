// Package cli is the command line: it reads flags, asks the hub or the files,
// calls the functions the manager calls and prints what they say. It decides
// nothing about bundles, clusters or rollouts itself.
package cli
