package helm

import (
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// complete adds the dependencies that charts/ lacks: directories of the bundle
// (file://), and archives that were fetched.
func (c *loaded) complete(from *reader, files []bundle.File) error {
	for _, want := range bundle.Dependencies(files, c.place) {
		if c.holds(want) {
			continue // bundle judges archives by their names, this by what is in them
		}
		child, err := c.dependency(from, files, want)
		if err != nil {
			return err
		}
		if child.Name() != want.Name || !fits(want.Version, child) {
			return c.fault("Chart.yaml", manifest.RenderFailed, "dependency %s %s: %s has %s %s", want.Name, want.Version, want.Repository, child.Name(), child.Metadata.Version)
		}
		c.replace(child)
	}
	return nil
}

// holds tells whether a version that is wanted is there.
func (c *loaded) holds(want bundle.Dependency) bool {
	return slices.ContainsFunc(c.Dependencies(), func(d *chart.Chart) bool {
		return d.Name() == want.Name && fits(want.Version, d)
	})
}

func fits(constraint string, d *chart.Chart) bool {
	return constraint == "" || chartutil.IsCompatibleRange(constraint, d.Metadata.Version)
}

func (c *loaded) dependency(from *reader, files []bundle.File, want bundle.Dependency) (*chart.Chart, error) {
	switch {
	case want.Remote != nil:
		return c.fetchedDependency(from, files, want)
	case want.Dir != "":
		return c.localDependency(from, files, want)
	case want.Repository == "":
		return nil, c.missing(want.Name, "it has no repository: put it into charts/")
	default:
		return nil, c.missing(want.Name, "its repository is none that can be fetched from (https://, oci://) and no directory (file://); run `helm dependency build` and commit charts/")
	}
}

func (c *loaded) missing(name, todo string) error {
	return c.fault("Chart.yaml", manifest.RenderFailed, "dependency %s is not in charts/: %s", name, todo)
}

func (c *loaded) fetchedDependency(from *reader, files []bundle.File, want bundle.Dependency) (*chart.Chart, error) {
	data, found := find(files, want.Remote.File())
	if !found {
		return nil, c.fault("Chart.yaml", manifest.RemoteRefused, "dependency %s is not in charts/ and was not fetched (%s); `helm dependency build` puts it into charts/", want.Name, refText(*want.Remote))
	}
	return from.archive(path.Join(c.place, "charts", fetchedName(*want.Remote)), data, 1)
}

// localDependency reads a directory that a file:// repository names. Like Helm
// it takes the directory as it is: what that one depends on lies in its charts/.
func (c *loaded) localDependency(from *reader, files []bundle.File, want bundle.Dependency) (*chart.Chart, error) {
	dir := path.Clean(want.Dir)
	if path.IsAbs(dir) || dir == ".." || strings.HasPrefix(dir, "../") {
		return nil, c.fault("Chart.yaml", manifest.PathRefused, "dependency %s: %s leaves the bundle; run `helm dependency build` and commit charts/, or make the bundle's directory the one above", want.Name, want.Repository)
	}
	if dir == c.place || strings.HasPrefix(c.place+"/", dir+"/") || dir == "." {
		return nil, c.fault("Chart.yaml", manifest.PathRefused, "dependency %s: %s holds this chart itself", want.Name, want.Repository)
	}
	return from.directory(files, dir, 1)
}

// replace adds a dependency in place of versions that nothing asks for any more,
// as `helm dependency update` leaves charts/ behind.
func (c *loaded) replace(child *chart.Chart) {
	kept := slices.DeleteFunc(slices.Clone(c.Dependencies()), func(d *chart.Chart) bool {
		return d.Name() == child.Name() && !c.wants(d)
	})
	c.SetDependencies(append(kept, child)...)
}

func (c *loaded) wants(d *chart.Chart) bool {
	return slices.ContainsFunc(c.Metadata.Dependencies, func(want *chart.Dependency) bool {
		return want != nil && want.Name == d.Name() && fits(want.Version, d)
	})
}

// checkDependencies wants everything that Chart.yaml lists, as Helm does.
func (c *loaded) checkDependencies() error {
	for _, want := range c.Metadata.Dependencies {
		have := want == nil || slices.ContainsFunc(c.Dependencies(), func(d *chart.Chart) bool { return d.Name() == want.Name })
		if !have {
			return c.missing(want.Name, "put it there, or set helm.disableDependencyUpdate to render without it")
		}
	}
	return nil
}
