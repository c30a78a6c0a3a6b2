package bundle

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// reading is one bundle while it is read.
type reading struct {
	*loader
	c        candidate
	options  decoded
	all      []File // as found, values files included
	problems []Problem
	// held are the keys that keep the bundle from being deployed.
	held map[string]bool
	// overlays are those that the bundle or a customization chooses.
	overlays map[string]bool
	// inherits says that the targets are the GitRepo's.
	inherits bool
	// overflow says that there was an error among the problems that were not kept.
	overflow bool
	// folded counts what reading values files has cost so far.
	folded int
	// parsed are the values files read so far, by path.
	parsed map[string]*apiextensionsv1.JSON
}

// readBundle reads options and files of a candidate and judges both; every
// fault is collected, none ends the reading.
func (l *loader) readBundle(c candidate) (Bundle, outcome) {
	r := &reading{loader: l, c: c}
	unnamed := r.readOptions()
	r.readFiles()
	r.foldValues()
	b := Bundle{Path: c.dir, OptionsFile: c.options, Labels: r.options.Labels, Where: r.options.where}
	b.Name = r.name()
	b.Files = r.bundleFiles()
	b.Kind = KindOf(b.Files, r.options.BundleOptions)
	r.judgeFiles(b.Files)
	b.Spec, b.Unsupported = r.spec(), r.unsupportedKeys()
	r.judgeSize(b.Spec)
	return b, r.outcome(b, unnamed)
}

// judgeFiles holds the options against the files they speak of.
func (r *reading) judgeFiles(files []File) {
	kinds := kindsOf(files, r.options.BundleOptions, r.options.TargetCustomizations)
	r.judgeSupport(files)
	r.judgeCharts(files)
	r.judgeOverlays(files, kinds)
	r.judgeManifests(files, kinds)
}

func (r *reading) outcome(b Bundle, unnamed bool) outcome {
	problems := slices.Concat(r.options.problems, r.problems)
	broken := hasError(problems) || r.overflow || r.faults.all || r.inherits && r.faults.targets // before any is left out
	if len(problems) > maxProblems {
		slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Severity, b.Severity) }) // errors first
		problems = problems[:maxProblems]
	}
	for i := range problems {
		problems[i].Bundle = b.Name
	}
	return outcome{
		name: b.Name, nameAt: r.options.where["name"], labels: b.Labels, kind: b.Kind, needs: r.needs(),
		problems: problems, broken: broken, unnamed: broken && unnamed, unsupported: b.Unsupported,
	}
}

func (r *reading) needs() []need {
	var needs []need
	for i, d := range r.options.DependsOn {
		needs = append(needs, need{Dependency: d, at: r.at(fmt.Sprintf("dependsOn[%d]", i))})
	}
	return needs
}

func (r *reading) optionsPath() string { return path.Join(r.c.dir, r.c.options) }

// at is where a key stands; of a bundle without an options file, its directory.
func (r *reading) at(key string) Position {
	if r.c.options == "" {
		return Position{File: r.c.dir}
	}
	return r.options.at(r.optionsPath(), key)
}

// readOptions decodes the options file and tells whether it left the bundle's name in doubt.
func (r *reading) readOptions() bool {
	if r.c.options == "" {
		return false
	}
	file := r.optionsPath()
	if r.c.both {
		r.add(warningAt(Position{File: path.Join(r.c.dir, "fleet.yml")}, CodeAmbiguousFiles, "is ignored: fleet.yaml is there too"))
	}
	if info, err := lookup(r.tree, file); err == nil && info == nil {
		r.add(errorAt(Position{File: file}, CodeSymlink, "is a symbolic link: links are not followed"))
		return true
	}
	data, err := readFile(r.tree, file, maxOptionsBytes)
	if err != nil {
		r.add(unreadable(file, err))
		return true
	}
	r.options = decodeOptions(file, data)
	if !hasError(r.options.problems) {
		return false
	}
	if r.options.Name == "" {
		r.options.Name = guessName(data)
	}
	return nameInDoubt(r.options)
}

// nameInDoubt tells whether a broken options file may mean another name than the
// one taken: it does not parse and shows none, the name is no name, is there
// twice, or one of the keys looks like a slip of it.
func nameInDoubt(d decoded) bool {
	if d.Name == "" && d.where == nil {
		return true
	}
	return slices.ContainsFunc(d.problems, func(p Problem) bool {
		return d.Name == "" && p.Suggestion == "did you mean name?" ||
			p.Code == CodeDuplicateKey && strings.HasPrefix(p.Message, "name is") ||
			p.Severity == Error && strings.HasPrefix(p.Message, "name:")
	})
}

var topLevelName = regexp.MustCompile(`(?m)^name:[ \t]*["']?([a-z0-9][-.a-z0-9]*)["']?[ \t]*(?:#.*)?\r?$`)

// guessName finds the name in an options file that is otherwise broken, so that
// the bundle it belongs to keeps its last good revision.
func guessName(data []byte) string {
	if m := topLevelName.FindSubmatch(data); m != nil {
		return string(m[1])
	}
	return ""
}

// unsupportedKeys are the keys for which the hub cannot deploy the bundle.
func (r *reading) unsupportedKeys() []string {
	return slices.Sorted(maps.Keys(r.held))
}

// add notes problems. Of very many the rest is counted as said; that one of them
// was an error is not forgotten.
func (r *reading) add(p ...Problem) {
	if r.full() {
		r.overflow = r.overflow || hasError(p)
		return
	}
	r.problems = append(r.problems, p...)
}

func (r *reading) full() bool { return len(r.problems) >= 2*maxProblems }

func (r *reading) name() string {
	if isName(r.options.Name) {
		return r.options.Name
	}
	return r.computedName(r.c)
}

// bundleFiles leaves out what has become options: fleet.yaml and values files.
func (r *reading) bundleFiles() []File {
	dropped := map[string]bool{r.c.options: true}
	for _, name := range r.c.without {
		dropped[name] = true
	}
	for _, name := range valuesFiles(r.options.Helm) {
		dropped[name] = true
	}
	spec := v1alpha1.BundleSpec{BundleOptions: r.options.BundleOptions, TargetCustomizations: r.options.TargetCustomizations, TargetCustomizationMode: r.options.TargetCustomizationMode}
	choices, _ := chartChoices(spec)
	defaults := map[string]bool{}
	for _, h := range choices {
		defaults[path.Join(chartDir(v1alpha1.BundleOptions{Helm: &h}), "values.yaml")] = true
	}
	for _, c := range r.options.TargetCustomizations {
		for _, name := range valuesFiles(c.Helm) {
			// One target's choice must not take the chart's defaults from the others.
			if !defaults[name] {
				dropped[name] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(r.all), func(f File) bool { return dropped[f.Path] || isOptionsFile(path.Base(f.Path)) })
}

func valuesFiles(h *v1alpha1.HelmOptions) []string {
	if h == nil {
		return nil
	}
	names := make([]string, 0, len(h.ValuesFiles))
	for _, name := range h.ValuesFiles {
		if clean, err := cleanPath(name); err == nil {
			names = append(names, clean)
		}
	}
	return names
}
