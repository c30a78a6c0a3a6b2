package bundle

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// ChartRef names a chart that does not lie among a bundle's files: in an HTTP
// repository, in an OCI registry or at a URL. Whoever loads a bundle fetches
// what RemoteCharts lists and adds each archive to the bundle's files as File.
type ChartRef struct {
	// Repo is the URL of an HTTP repository; empty for oci:// and archive URLs.
	Repo string
	// Chart is a name in Repo, an oci:// reference or an archive's URL.
	Chart string
	// Version is exact, a constraint, or empty for the latest.
	Version string
}

// fetchedCharts is where archives are added; no file of a repository can lie
// there, since hidden directories are not read.
const fetchedCharts = ".muster/charts/"

// File is the path of the fetched archive among the bundle's files.
func (r ChartRef) File() string {
	sum := sha256.Sum256([]byte(r.Repo + "\n" + r.Chart + "\n" + r.Version))
	return fetchedCharts + hex.EncodeToString(sum[:16]) + ".tgz"
}

// Lock returns the entry for status that says what the reference was resolved to.
func (r ChartRef) Lock(version, digest string) v1alpha1.ChartLock {
	return v1alpha1.ChartLock{Repo: r.Repo, Chart: r.Chart, Version: r.Version, Resolved: version, Digest: digest}
}
