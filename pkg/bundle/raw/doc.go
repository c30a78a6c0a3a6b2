// Package raw reads bundles of plain manifests: every YAML and JSON file outside
// overlays/, in the order of their paths, with the chosen overlays laid over
// them. It knows no templates.
package raw
