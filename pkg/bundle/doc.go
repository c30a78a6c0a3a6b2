// Package bundle reads a repository as Rancher Fleet reads it: it finds the
// bundles in a tree of files, decodes fleet.yaml strictly, merges options, and
// names what it read by digest. It renders nothing and knows no cluster; every
// fault is a Problem with file and line, never the end of the other bundles.
package bundle
