// Package receiver takes webhooks from Git servers. A delivery can do one thing: make a repository be polled now. It
// names no commit and changes no object, so polling stays the truth and a lost or forged delivery costs nothing.
//
// The signature is checked over the raw bytes before anything in them is read. It knows nothing of Kubernetes: who
// listens to which path, and what polling means, are functions of the caller.
package receiver
