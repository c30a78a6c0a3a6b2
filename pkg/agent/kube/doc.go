// Package kube reaches the agent's own cluster: one constructor makes every
// client, with the agent's rights or with those of a bundle's service account.
// It decodes as little as it can, since the agent has to stay small.
package kube
