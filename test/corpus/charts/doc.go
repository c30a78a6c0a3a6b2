// Package charts compares what Muster renders of real-world kinds of charts
// with what Helm's own library renders of them, object for object.
package charts
