// Command muster-controlplane is one part of a local Kubernetes control plane:
// etcd, an API server or a controller manager, chosen by its first argument. The
// demo, the tests and the benchmarks start one process per part. It knows
// nothing about Muster, and Muster's own module does not import it: it is a
// module of its own because Kubernetes can only be imported with replaces.
package main
