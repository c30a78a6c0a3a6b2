// Package plane runs real Kubernetes control planes on this machine: one etcd
// and any number of API servers, each with its own certificates, RBAC, audit
// log and, if asked for, controller-manager. It knows nothing of Muster but
// where its CRDs are.
package plane
