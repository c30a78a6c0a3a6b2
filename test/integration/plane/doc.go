// Package plane tests that the local control planes of internal/lab/plane are
// real ones: RBAC, separate identities, controllers and audit logs.
package plane
