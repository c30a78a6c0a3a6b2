// Package charts holds Muster's Helm charts, so that programs and tests install
// exactly what users install.
package charts

import "embed"

// Files are the charts as they lie in this directory.
//
//go:embed all:*
var Files embed.FS
