// Package gitserver is the lab's forge: bare repositories behind Git's own
// http-backend on loopback, open to anonymous pushes, and a webhook per push to
// every GitRepo that names the repository's URL. It knows GitRepos by their
// JSON only, and nothing of how the manager works.
package gitserver
