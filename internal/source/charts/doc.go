// Package charts resolves and fetches Helm charts that a repository names: from
// HTTP repositories, OCI registries and archive URLs. It knows nothing of
// Kubernetes and renders nothing.
package charts

import _ "oras.land/oras-go/v2" // pulled in here until fetching stands
