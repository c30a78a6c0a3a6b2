// Package inventory stores what an agent must not forget as Secrets in its own
// namespace, compressed and in chunks: the journal, and one state per bundle.
package inventory
