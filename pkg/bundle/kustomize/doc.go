// Package kustomize builds kustomizations from a bundle's files alone: in
// memory, with builtin plugins only. What would be fetched, executed or read
// from outside the bundle is refused before kustomize sees it, with the file
// that asks for it.
package kustomize
