package helm

import (
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// maxReleaseName is Helm's own bound, which leaves room for suffixes of names.
const maxReleaseName = 53

// Release says what is rendered and how.
type Release struct {
	// Name is .Release.Name, at most 53 bytes.
	Name string
	// Namespace is .Release.Namespace.
	Namespace string
	// Chart is the chart's directory or archive in the bundle; empty = the bundle's root. With a
	// scheme, or with Repo, it is one that was fetched: see bundle.ChartRef.File.
	Chart string
	// Repo and Version are helm.repo and helm.version.
	Repo, Version string
	// DisableDependencyUpdate renders without dependencies that are not in charts/.
	DisableDependencyUpdate bool
	// Values as ReadValues gives them.
	Values map[string]any
	// SkipSchemaValidation leaves values.schema.json unchecked.
	SkipSchemaValidation bool
	// Facts about the cluster; what is asked of them is written into Result.Answers.
	Facts Facts
	// MaxObjects bounds the result; 0 means no bound.
	MaxObjects int
	// Later renders as if at a later time, of which no part is the present one's: what then
	// differs depends on when it is rendered, however coarsely it is printed.
	Later bool
	// Progress, if not nil, is told each template before it is executed, one at a
	// time. That finds the template that breaks a limit; the objects may be incomplete.
	Progress func(file string)
}

// Result of a render.
type Result struct {
	Objects []manifest.Object
	// Answers holds the questions that templates asked about the cluster and what
	// they were told, up to the error if there is one. See Answer.
	Answers map[string]string
}

// Render returns the objects of a chart, hooks and crds/ included, tests and notes left out.
func Render(files []bundle.File, r Release) (Result, error) {
	asked := newRecorder(r.Facts)
	objects, err := r.render(files, asked)
	return Result{Objects: objects, Answers: asked.answers}, err
}

func (r Release) render(files []bundle.File, asked *recorder) ([]manifest.Object, error) {
	if err := r.Facts.check(); err != nil {
		return nil, err
	}
	c, err := load(files, r)
	if err != nil {
		return nil, err
	}
	values, err := r.prepare(c, asked)
	if err != nil {
		return nil, err
	}
	printed, err := r.execute(c, values)
	if err != nil {
		return nil, err
	}
	return r.objects(c, printed)
}

// prepare checks the chart and makes what its templates see.
func (r Release) prepare(c *loaded, asked *recorder) (chartutil.Values, error) {
	if err := r.check(c); err != nil {
		return nil, err
	}
	if want := c.Metadata.KubeVersion; want != "" && asked.ask(questionRange+want) != "true" {
		return nil, c.fault("Chart.yaml", manifest.RenderFailed, "the chart wants Kubernetes %s, which the cluster is not", want)
	}
	if err := chartutil.ProcessDependenciesWithMerge(c.Chart, r.Values); err != nil {
		return nil, c.fault("Chart.yaml", manifest.RenderFailed, "dependencies: %s", withoutValues(err.Error()))
	}
	c.settle()
	if r.Later {
		postpone(c.Chart)
	}
	found := surveyChart(c.Chart, r.Values)
	if found.labels {
		asked.ask(questionLabels)
		r.Values = withLabels(r.Values, r.Facts.Labels)
	}
	options := chartutil.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValuesWithSchemaValidation(c.Chart, r.Values, options, r.Facts.capabilities(), r.SkipSchemaValidation)
	if err != nil {
		return nil, c.fault("values.schema.json", manifest.InvalidValues, "%s", schemaReport(err.Error()))
	}
	if found.unrecordable {
		values["Capabilities"] = asked.everything()
	} else {
		values["Capabilities"] = recording(asked)
	}
	return values, nil
}

func (r Release) check(c *loaded) error {
	if err := chartutil.ValidateReleaseName(r.Name); err != nil || len(r.Name) > maxReleaseName {
		return manifest.NewFault("", 0, manifest.InvalidOption, "release name %q: at most %d lower-case letters, digits, - and .; set helm.releaseName", r.Name, maxReleaseName)
	}
	if err := c.Validate(); err != nil {
		return c.fault("Chart.yaml", manifest.RenderFailed, "%v", err)
	}
	if c.Metadata.Type != "" && c.Metadata.Type != "application" {
		return c.fault("Chart.yaml", manifest.RenderFailed, "a chart of type %s cannot be installed", c.Metadata.Type)
	}
	if !r.SkipSchemaValidation {
		return checkSchemas(c, c.Chart)
	}
	return nil
}

// execute runs the templates. With Progress they run one at a time: the others
// are turned into partials, which are parsed but print nothing.
func (r Release) execute(c *loaded, values chartutil.Values) (map[string]string, error) {
	if r.Progress == nil {
		return c.run(values)
	}
	all := map[string]string{}
	for _, only := range executable(c.Chart) {
		r.Progress(c.file(only.path))
		restore := muteOthers(c.Chart, only.file)
		printed, err := c.run(values)
		restore()
		if err != nil {
			continue // it may include one that is a partial now; another names the file that is looked for
		}
		for name, text := range printed {
			all[name] = text
		}
	}
	return all, nil
}

// enginePanic begins what Helm's engine says of a panic that it caught itself.
const enginePanic = "rendering template failed: "

func (c *loaded) run(values chartutil.Values) (printed map[string]string, err error) {
	defer func() {
		if p := recover(); p != nil {
			printed, err = nil, manifest.NewPanic(c.in("Chart.yaml"), manifest.RenderFailed, "the template engine gave up: %v", p)
		}
	}()
	printed, err = engine.Render(c.Chart, values)
	if err != nil && strings.HasPrefix(err.Error(), enginePanic) {
		return nil, manifest.NewPanic(c.in("Chart.yaml"), manifest.RenderFailed, "%s", withoutValues(err.Error()))
	}
	if err != nil {
		return nil, c.templateFault(err)
	}
	return printed, nil
}

type template struct {
	path string
	file *chart.File
}

// executable lists every template that prints, with its full path as the engine has it.
func executable(c *chart.Chart) []template {
	var list []template
	for _, f := range c.Templates {
		if f != nil && !strings.HasPrefix(path.Base(f.Name), "_") {
			list = append(list, template{path: path.Join(c.ChartFullPath(), f.Name), file: f})
		}
	}
	for _, dependency := range c.Dependencies() {
		list = append(list, executable(dependency)...)
	}
	return list
}

// muteOthers renames every other template to a partial until restore is called.
func muteOthers(c *chart.Chart, only *chart.File) (restore func()) {
	names := map[*chart.File]string{}
	for _, t := range executable(c) {
		if t.file != only {
			names[t.file] = t.file.Name
			t.file.Name = path.Join(path.Dir(t.file.Name), "_"+path.Base(t.file.Name))
		}
	}
	return func() {
		for file, name := range names {
			file.Name = name
		}
	}
}

// objects reads what was printed, in the order of names, and the chart's crds/.
func (r Release) objects(c *loaded, printed map[string]string) ([]manifest.Object, error) {
	var objects []manifest.Object
	for _, crd := range c.CRDObjects() {
		file, known := c.places[crd.File]
		if !known {
			file = c.in(crd.Filename)
		}
		found, err := manifest.Decode(file, crd.File.Data, manifest.Options{Lenient: true, MaxObjects: r.MaxObjects})
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i].ChartCRD = true
		}
		objects = append(objects, found...)
	}
	names := make([]string, 0, len(printed))
	for name := range printed {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasSuffix(name, "NOTES.txt") {
			continue
		}
		found, err := manifest.Decode(c.file(name), []byte(asReleased(printed[name])), manifest.Options{Lenient: true, MaxObjects: r.MaxObjects, Printed: true})
		if err != nil {
			return nil, unquoted(err)
		}
		objects = append(objects, found...)
		if r.MaxObjects > 0 && len(objects) > r.MaxObjects {
			return nil, manifest.NewFault(c.file(name), 0, manifest.LimitExceeded, "more than %d objects in the bundle", r.MaxObjects)
		}
	}
	return objects, nil
}

// asReleased is what a template printed as Helm keeps it: each document ends in
// one line end. A text that keeps its last empty lines ("|+") has fewer then.
func asReleased(printed string) string {
	const marker = "\n---"
	var out strings.Builder
	for i, document := range strings.Split(strings.TrimSpace(printed), marker) {
		if i > 0 {
			out.WriteString(marker)
		}
		out.WriteString(strings.TrimRight(document, " \t\r\n\f"))
	}
	out.WriteByte('\n')
	return out.String()
}
