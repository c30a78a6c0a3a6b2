// Package examples holds the repository of a believable platform team, used by
// the demo and the tests alike.
package examples

import "embed"

// Files are fleet-repo and inventory.yaml as they lie in this directory.
//
//go:embed all:fleet-repo inventory.yaml
var Files embed.FS
