// Package manifest turns YAML and JSON text into Kubernetes objects and a list
// of objects into what an agent applies: bounded parsing, keys, scopes,
// namespaces, order and canonical bytes. It renders nothing, reads no file and
// asks no cluster.
package manifest
