// Package charts resolves and fetches Helm charts that a repository names: from
// HTTP repositories, OCI registries and archive URLs. It knows nothing of
// Kubernetes and renders nothing.
//
// Credentials are bound to the scheme, host, port and path of the reference's own
// URL, segment by segment, and to nothing else:
//
//   - an archive that an index names elsewhere is fetched without them;
//   - a redirect that leaves the binding loses them. Indexes, archives and blobs may be
//     redirected to another origin, and never from https to http. A manifest, a token or
//     a list of tags may only move from http to https on the same host;
//   - insecureSkipVerify holds for the reference's own host and port. A CA bundle is
//     trusted in addition to the system's, for everything the reference leads to;
//   - a registry's token service gets them if it is the registry's own origin, or if it
//     speaks https on port 443 under the same registrable domain (docker.io and
//     auth.docker.io, registry.gitlab.com and gitlab.com), by the public suffix list.
//     Any other token service is asked anonymously if there are no credentials, and
//     refused if there are some.
package charts
