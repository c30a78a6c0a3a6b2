// Package diff compares what is desired with what lives on a cluster by the
// fields a manager owns, as server-side apply (KEP-555) records them. It works
// on decoded JSON only and knows no client. Values of Secrets never leave it.
package diff
