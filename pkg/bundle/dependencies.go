package bundle

import (
	"path"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

// Dependency is an entry of a local chart's dependencies that charts/ does not hold.
type Dependency struct {
	// Name and Version as Chart.yaml has them; Version may be a constraint.
	Name, Version string
	// Repository as Chart.yaml has it.
	Repository string
	// Remote is the chart to fetch, its version from Chart.lock where that fits; nil
	// for a directory (file://), and for what cannot be fetched.
	Remote *ChartRef
	// Dir is the directory that a file:// repository means; "" for any other. Load
	// refuses one that is not among the files.
	Dir string
	// index in Chart.yaml's dependencies.
	index int
	// file that lists it: Chart.yaml or requirements.yaml.
	file string
}

// chartFile is what matters here of Chart.yaml, requirements.yaml and their locks.
type chartFile struct {
	Name         string       `json:"name"`
	Version      string       `json:"version"`
	Dependencies []chartEntry `json:"dependencies"`
}

type chartEntry struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Repository string `json:"repository"`
}

// Dependencies lists what the chart in dir, relative to the bundle, needs and
// does not hold in charts/. Like Helm it looks at the chart's own dependencies
// alone; those of a dependency are that one's to hold. A file that does not
// parse lists nothing: the renderer says so with the line.
func Dependencies(files []File, dir string) []Dependency {
	vendored := vendoredCharts(files, path.Join(dir, "charts"))
	list, wanted, locked := listedDependencies(files, dir)
	var missing []Dependency
	for i, entry := range wanted[:min(len(wanted), maxDependencies)] {
		if !holds(vendored, entry) {
			missing = append(missing, dependency(entry, locked, dir, i, list))
		}
	}
	return missing
}

// maxDependencies bounds those of one chart; Load refuses more.
const maxDependencies = 1000

// listedDependencies returns the file that lists a chart's dependencies, what it
// lists and what its lock says.
func listedDependencies(files []File, dir string) (file string, wanted, locked []chartEntry) {
	list, lock := "Chart.yaml", "Chart.lock"
	if parseChart(files, path.Join(dir, "requirements.yaml")).Dependencies != nil {
		list, lock = "requirements.yaml", "requirements.lock" // Helm has these replace Chart.yaml's
	}
	file = path.Join(dir, list)
	wanted, locked = parseChart(files, file).Dependencies, parseChart(files, path.Join(dir, lock)).Dependencies
	return file, wanted, locked[:min(len(locked), maxDependencies)]
}

func dependency(entry chartEntry, locked []chartEntry, dir string, index int, file string) Dependency {
	d := Dependency{Name: entry.Name, Version: entry.Version, Repository: entry.Repository, index: index, file: file}
	switch {
	case strings.HasPrefix(entry.Repository, "file://"):
		if d.Dir = strings.TrimPrefix(entry.Repository, "file://"); !path.IsAbs(d.Dir) {
			d.Dir = path.Join(dir, d.Dir)
		}
	case strings.HasPrefix(entry.Repository, "oci://"):
		d.Remote = &ChartRef{Chart: strings.TrimSuffix(entry.Repository, "/") + "/" + entry.Name, Version: lockedVersion(entry, locked)}
	case strings.HasPrefix(entry.Repository, "https://"), strings.HasPrefix(entry.Repository, "http://"):
		d.Remote = &ChartRef{Repo: entry.Repository, Chart: entry.Name, Version: lockedVersion(entry, locked)}
	}
	return d
}

// lockedVersion is the version the lock chose if it is still one that is wanted.
func lockedVersion(entry chartEntry, locked []chartEntry) string {
	for _, l := range locked {
		if l.Name == entry.Name && l.Version != "" && (l.Repository == entry.Repository || l.Repository == "") && fits(entry.Version, l.Version) {
			return l.Version
		}
	}
	return entry.Version
}

// holds tells whether charts/ has the dependency in a version that is wanted.
func holds(vendored []chartEntry, entry chartEntry) bool {
	for _, v := range vendored {
		if v.Name == entry.Name && (v.Version == "" || fits(entry.Version, v.Version)) {
			return true
		}
	}
	return false
}

func fits(constraint, version string) bool {
	if constraint == "" || constraint == version {
		return true
	}
	if len(constraint) > maxVersion || len(version) > maxVersion {
		return false
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	c, err := semver.NewConstraint(constraint)
	return err == nil && c.Check(v)
}

// vendoredCharts are the charts in a charts/ directory, archives judged by their names.
func vendoredCharts(files []File, dir string) []chartEntry {
	var found []chartEntry
	for _, f := range files {
		rest, below := strings.CutPrefix(f.Path, dir+"/")
		if !below {
			continue
		}
		if archive, ok := strings.CutSuffix(rest, ".tgz"); ok && !strings.Contains(rest, "/") {
			found = append(found, splitArchive(archive)...)
		}
		if strings.Count(rest, "/") == 1 && path.Base(rest) == "Chart.yaml" {
			c := parseChart([]File{f}, f.Path)
			found = append(found, chartEntry{Name: c.Name, Version: c.Version})
		}
	}
	return found
}

// splitArchive reads "name-1.2.3"; a name may hold dashes itself.
func splitArchive(name string) []chartEntry {
	var found []chartEntry
	for i := 1; i+1 < len(name) && len(name) <= maxVersion; i++ {
		if name[i] != '-' || name[i+1] != 'v' && (name[i+1] < '0' || name[i+1] > '9') {
			continue
		}
		if _, err := semver.NewVersion(name[i+1:]); err == nil {
			found = append(found, chartEntry{Name: name[:i], Version: name[i+1:]})
		}
	}
	return found
}

func parseChart(files []File, name string) chartFile {
	var c chartFile
	for _, f := range files {
		if f.Path != name || len(f.Data) > maxOptionsBytes {
			continue
		}
		if doc, problem := parseOne(name, f.Data); problem != nil || doc == nil {
			return chartFile{}
		}
		if err := yaml.Unmarshal(f.Data, &c); err != nil {
			return chartFile{}
		}
	}
	return c
}
