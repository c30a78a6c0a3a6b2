// Package apply performs what the core asks for on the cluster: live reads,
// server-side applies and deletes, each answered by one core event.
package apply
