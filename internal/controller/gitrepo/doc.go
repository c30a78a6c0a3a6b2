// Package gitrepo follows Git repositories: it looks at the remote when a
// poll, a webhook or a person asks, reads what changed, and has the bundles
// deployed. A source that fails keeps the last good revision live.
package gitrepo
