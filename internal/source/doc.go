// Package source brings Git repositories onto the hub: which commit a branch, tag or commit name means now, and the
// files of that commit as a read-only fs.FS. It lists refs before it fetches anything, keeps one bare depth-1 mirror
// per URL and credentials, reads files straight from Git objects and never writes a work tree.
//
// It knows nothing of bundles, clusters or Kubernetes. Every answer is either known or an error: a missing branch,
// a dead server or half a pack is never an empty tree.
package source
