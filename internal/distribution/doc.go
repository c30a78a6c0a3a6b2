// Package distribution turns what bundles want into what each cluster is
// assigned: it plans a bundle's wants from matches and manifests, guards
// against losses, composes one signed document per cluster, and keeps content
// on the hub until nothing reaches it any more. It must not know Git, HTTP or
// how agents apply.
package distribution
