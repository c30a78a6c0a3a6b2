// Package protocol holds what travels between the gateway and an agent,
// version /agent/v1: documents, headers, reports, join messages and the tokens
// that prove who speaks. It knows nothing of Kubernetes clients or of HTTP
// servers. Readers keep fields they do not know.
package protocol
