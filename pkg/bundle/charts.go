package bundle

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

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

// maxCharts bounds the charts that one bundle can choose from.
const maxCharts = 100

// File is the path of the fetched archive among the bundle's files.
func (r ChartRef) File() string {
	sum := sha256.Sum256([]byte(r.Repo + "\n" + r.Chart + "\n" + r.Version))
	return fetchedCharts + hex.EncodeToString(sum[:16]) + ".tgz"
}

// Lock returns the entry for status that says what the reference was resolved to.
func (r ChartRef) Lock(version, digest string) v1alpha1.ChartLock {
	return v1alpha1.ChartLock{Repo: r.Repo, Chart: r.Chart, Version: r.Version, Resolved: version, Digest: digest}
}

// RemoteCharts lists the charts that some cluster may need and that the files do
// not hold: those the options can choose, each on its own or merged with
// customizations, and dependencies of local charts. Sorted, each one once.
func RemoteCharts(files []File, spec v1alpha1.BundleSpec) []ChartRef {
	states, _ := chartChoices(spec)
	found := map[ChartRef]bool{}
	for _, h := range states {
		for _, ref := range remoteOf(files, h) {
			found[ref] = true
		}
	}
	refs := make([]ChartRef, 0, len(found))
	for ref := range found {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b ChartRef) int {
		return cmp.Or(cmp.Compare(a.Repo, b.Repo), cmp.Compare(a.Chart, b.Chart), cmp.Compare(a.Version, b.Version))
	})
	return refs
}

// remoteOf are the charts to fetch under some options.
func remoteOf(files []File, h v1alpha1.HelmOptions) []ChartRef {
	o := v1alpha1.BundleOptions{Helm: &h}
	if ref, remote := RemoteChart(o); remote {
		return []ChartRef{ref}
	}
	if is(h.DisableDependencyUpdate) {
		return nil
	}
	var refs []ChartRef
	for _, d := range Dependencies(files, chartDir(o)) {
		if d.Remote != nil {
			refs = append(refs, *d.Remote)
		}
	}
	return refs
}

// RemoteChart is the chart that merged options name outside of the bundle, if
// they do. With a repository any name means a chart in it, as with Fleet, even
// if a directory of that name is there.
func RemoteChart(o v1alpha1.BundleOptions) (ChartRef, bool) {
	if o.Helm == nil || !isText(o.Helm.Chart) {
		return ChartRef{}, false
	}
	ref := ChartRef{Chart: *o.Helm.Chart, Repo: textOf(o.Helm.Repo), Version: textOf(o.Helm.Version)}
	switch {
	case strings.HasPrefix(ref.Chart, "oci://"):
		ref.Repo = "" // an OCI reference is complete, as with Fleet
		return ref, true
	case ref.Repo != "":
		return ref, true
	}
	return ref, strings.HasPrefix(ref.Chart, "https://") || strings.HasPrefix(ref.Chart, "http://")
}

func textOf(s *string) string {
	if !isText(s) {
		return ""
	}
	return *s
}

// chartChoice is what of the options decides which charts are needed.
type chartChoice struct {
	chart, repo, version string
	vendored             bool
}

// chartChoices are the Helm options, reduced to what chooses charts, that some
// cluster may end up with. It is false when there are more than maxCharts.
func chartChoices(spec v1alpha1.BundleSpec) ([]v1alpha1.HelmOptions, bool) {
	return outcomes(spec, maxCharts, chartPart, mergeHelm, func(h v1alpha1.HelmOptions) chartChoice {
		return chartChoice{textOf(h.Chart), textOf(h.Repo), textOf(h.Version), is(h.DisableDependencyUpdate)}
	})
}

func chartPart(o v1alpha1.BundleOptions) v1alpha1.HelmOptions {
	if o.Helm == nil {
		return v1alpha1.HelmOptions{}
	}
	return v1alpha1.HelmOptions{Chart: o.Helm.Chart, Repo: o.Helm.Repo, Version: o.Helm.Version, DisableDependencyUpdate: o.Helm.DisableDependencyUpdate}
}

// outcomes lists what merging can make of a part of the options: the bundle's
// own, and with each customization (FirstMatch) or any combination (AllMatches).
// Equal ones, by key, count once; it is false when there are more than limit.
func outcomes[T any, K comparable](spec v1alpha1.BundleSpec, limit int, part func(v1alpha1.BundleOptions) T, merge func(base, over T) T, key func(T) K) ([]T, bool) {
	states, seen := []T{}, map[K]bool{}
	add := func(s T) {
		if k := key(s); !seen[k] && len(states) <= limit {
			seen[k] = true
			states = append(states, s)
		}
	}
	base := part(spec.BundleOptions)
	add(base)
	for _, c := range spec.TargetCustomizations {
		if c.DoNotDeploy || matchesNothing(c.Criteria) {
			continue
		}
		from := states
		if spec.TargetCustomizationMode != v1alpha1.AllMatches {
			from = []T{base}
		}
		over := part(c.BundleOptions)
		for _, s := range slices.Clone(from) {
			add(merge(s, over))
		}
	}
	if len(states) > limit {
		return states[:limit], false
	}
	return states, true
}

func matchesNothing(c v1alpha1.Criteria) bool {
	return c.ClusterName == "" && c.ClusterGroup == "" && c.ClusterSelector == nil && c.ClusterGroupSelector == nil
}
