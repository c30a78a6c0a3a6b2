// Package content holds rendered manifests, bundle inputs and wants as
// immutable items named by digest: their canonical form, how items are packed
// together, and the interface of the store that keeps packs. It knows nothing
// of Kubernetes clients.
package content
