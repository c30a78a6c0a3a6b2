// Package health turns an object as the API server shows it into what the core
// must know of it: identity, owner, fingerprints and whether it is well.
package health
