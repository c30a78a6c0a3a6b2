// Package helm renders a chart from a bundle's files as `helm template` does,
// with no cluster, no network and no environment: values in, objects out, and
// with them what the chart asked about the cluster. It also executes the "${ }"
// templates in values.
package helm
