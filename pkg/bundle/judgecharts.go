package bundle

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"go.yaml.in/yaml/v3"
)

// otherScheme are the ways to name a chart that are not followed: Fleet's
// downloader knows git::, s3::, hg:: and local files of the hub.
var otherScheme = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)(::|://)`)

// judgeCharts refuses charts that are not there and can never be fetched, in the
// bundle's own part and where a customization chooses another.
func (r *reading) judgeCharts(files []File) {
	base := r.options.BundleOptions
	chosen := chartPart(base)
	r.judgeChart("", chosen, chosen, files)
	for i, c := range r.options.TargetCustomizations {
		part := chartPart(c.BundleOptions)
		r.judgeChart(fmt.Sprintf("targetCustomizations[%d].", i), mergeHelm(chosen, part), part, files)
	}
	spec := v1alpha1.BundleSpec{BundleOptions: base, TargetCustomizations: r.options.TargetCustomizations, TargetCustomizationMode: r.options.TargetCustomizationMode}
	choices, all := chartChoices(spec)
	if !all {
		r.add(errorAt(r.at("targetCustomizations"), CodeTooLarge, fmt.Sprintf("targetCustomizations choose among more than %d charts", maxCharts)))
	}
	r.judgeUnusedRepo(choices)
	r.judgeDependencies(files, choices)
	if n := len(RemoteCharts(files, spec)); all && n > maxCharts {
		r.add(errorAt(r.at("helm"), CodeTooLarge, fmt.Sprintf("needs %d charts from elsewhere, at most %d are fetched for one bundle", n, maxCharts)))
	}
}

// judgeChart looks at the chart of merged options where the part at prefix says
// something about it.
func (r *reading) judgeChart(prefix string, merged, part v1alpha1.HelmOptions, files []File) {
	if !isText(merged.Chart) || !isText(part.Chart) && !isText(part.Repo) && !isText(part.Version) {
		return
	}
	reject := func(key, code, format string, args ...any) {
		r.add(errorAt(r.at(prefix+key), code, prefix+key+": "+fmt.Sprintf(format, args...)))
	}
	ref, remote := RemoteChart(v1alpha1.BundleOptions{Helm: &merged})
	switch {
	case remote:
		judgeRemote(ref, func(key string, err error) { reject(key, CodeInvalidValue, "%v", err) })
	case otherScheme.MatchString(ref.Chart):
		scheme := otherScheme.FindStringSubmatch(ref.Chart)[1]
		reject("helm.chart", CodeInvalidValue, "charts are not read from %s: write a directory or archive of the bundle, an https:// or oci:// URL, or a name in helm.repo", scheme)
	case localChart(files, ref.Chart), r.full() && r.overflow:
	default:
		r.rejectMissing(prefix+"helm.chart", ref.Chart, files)
	}
}

func (r *reading) rejectMissing(key, chart string, files []File) {
	pos := r.at(key)
	clean, err := cleanPath(chart)
	if err != nil {
		r.add(errorAt(pos, CodeInvalidValue, key+": "+err.Error()))
		return
	}
	p := errorAt(pos, CodePathNotFound, fmt.Sprintf("%s: there is no chart %q in the bundle", key, chart))
	p.Suggestion = suggestDir(clean, dirsWith(files, "Chart.yaml"))
	r.add(p)
}

// judgeRemote reports a reference that no server could answer.
func judgeRemote(ref ChartRef, reject func(key string, err error)) {
	switch {
	case ref.Repo != "":
		if strings.Contains(ref.Chart, "://") {
			reject("helm.repo", errors.New("helm.chart is a URL already; remove one of them"))
			return
		}
		if strings.HasPrefix(ref.Repo, "oci://") {
			reject("helm.repo", fmt.Errorf("an OCI chart has no repository: write helm.chart: %s/%s", strings.TrimSuffix(ref.Repo, "/"), ref.Chart))
			return
		}
		if err := judgeURL(ref.Repo, "http", "https"); err != nil {
			reject("helm.repo", err)
		}
	default:
		if err := judgeURL(ref.Chart, "http", "https", "oci"); err != nil {
			reject("helm.chart", err)
		}
	}
	if err := judgeConstraint(ref.Version); err != nil {
		reject("helm.version", err)
	}
}

// judgeURL refuses what is no URL of a server. It never repeats a password.
func judgeURL(text string, schemes ...string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("is not a URL")
	}
	if u.User != nil {
		return errors.New("holds credentials; put them into the Secret that the GitRepo's helmSecretName names")
	}
	for _, s := range schemes {
		if u.Scheme == s && u.Host != "" && u.Fragment == "" && plainText(text) == nil {
			return nil
		}
	}
	return fmt.Errorf("%.200q is not a URL that starts with %s://", text, strings.Join(schemes, ":// or "))
}

// maxVersion bounds versions and constraints; parsing one takes more than its length.
const maxVersion = 256

func judgeConstraint(version string) error {
	if version == "" {
		return nil
	}
	if len(version) > maxVersion {
		return fmt.Errorf("is longer than %d bytes", maxVersion)
	}
	if _, err := semver.NewConstraint(version); err != nil {
		return fmt.Errorf("%.80q is no version and no constraint such as 1.2.3, 1.x or \">=1.2, <2\"", version)
	}
	return nil
}

// judgeUnusedRepo says that a repository without a chart's name chooses nothing.
func (r *reading) judgeUnusedRepo(choices []v1alpha1.HelmOptions) {
	named := false
	for _, h := range choices {
		named = named || isText(h.Chart)
	}
	if !named && r.options.Helm != nil && isText(r.options.Helm.Repo) {
		r.add(warningAt(r.at("helm.repo"), CodeNoEffect, "helm.repo has no effect: helm.chart names no chart in it"))
	}
}

// judgeDependencies refuses dependencies of local charts that cannot be fetched.
func (r *reading) judgeDependencies(files []File, choices []v1alpha1.HelmOptions) {
	judged := map[string]bool{}
	for _, h := range choices {
		o := v1alpha1.BundleOptions{Helm: &h}
		dir := chartDir(o)
		if _, remote := RemoteChart(o); remote || is(h.DisableDependencyUpdate) || judged[dir] {
			continue
		}
		judged[dir] = true
		if list, wanted, _ := listedDependencies(files, dir); len(wanted) > maxDependencies {
			r.add(errorAt(Position{File: path.Join(r.c.dir, list)}, CodeTooLarge, fmt.Sprintf("lists more than %d dependencies", maxDependencies)))
			continue
		}
		for _, d := range Dependencies(files, dir) {
			if err := judgeDependencyChart(files, d); err != nil {
				file := path.Join(r.c.dir, d.file)
				r.add(errorAt(dependencyAt(file, files, d), CodeInvalidValue, fmt.Sprintf("dependencies[%d]: %s: %v", d.index, d.Name, err)))
			}
		}
	}
}

func judgeDependencyChart(files []File, d Dependency) error {
	switch {
	case d.Remote != nil:
		var first error
		judgeRemote(*d.Remote, func(_ string, err error) {
			if first == nil {
				first = err
			}
		})
		return first
	case d.Dir == ".." || strings.HasPrefix(d.Dir, "../") || path.IsAbs(d.Dir):
		return fmt.Errorf("repository %q leads out of the bundle", d.Repository)
	case d.Dir != "":
		if !hasFile(files, path.Join(d.Dir, "Chart.yaml")) {
			return fmt.Errorf("there is no chart in %q of the bundle", d.Dir)
		}
		return nil
	case d.Repository == "":
		return errors.New("is not in charts/ and names no repository")
	}
	return fmt.Errorf("repository %.200q is none that can be read: write an https:// or oci:// URL, file://, or put the chart into charts/", d.Repository)
}

// dependencyAt finds the line of an entry; the file has been parsed before.
func dependencyAt(file string, files []File, d Dependency) Position {
	pos := Position{File: file, Line: 1}
	for _, f := range files {
		var doc struct {
			Dependencies []yaml.Node `yaml:"dependencies"`
		}
		if f.Path == d.file && yaml.Unmarshal(f.Data, &doc) == nil && d.index < len(doc.Dependencies) {
			pos.Line, pos.Column = doc.Dependencies[d.index].Line, doc.Dependencies[d.index].Column
		}
	}
	return pos
}
