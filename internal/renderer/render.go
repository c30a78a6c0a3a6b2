package renderer

import (
	"encoding/json"
	"fmt"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
	"github.com/muster-dev/muster/pkg/bundle/kustomize"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/bundle/raw"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/targets"
)

// job is one render inside the child.
type job struct {
	inputs   Inputs
	limits   Limits
	progress func(file string) // nil unless traced
	files    bool              // say in which file each object stands
}

// rendered is what a job gives.
type rendered struct {
	item  content.Item
	files map[content.Key]string
	// tainted says that this process has state left over that the next bundle could see.
	tainted bool
}

// runSafely turns a panic of a library into a fault: it parses what strangers wrote.
func (j job) runSafely() (done rendered, err error) {
	defer func() {
		if p := recover(); p != nil {
			done, err = rendered{}, manifest.NewFault("", 0, manifest.RenderFailed, "the renderer gave up on this input")
		}
	}()
	return j.run()
}

// run renders in this process. Errors are *manifest.Fault where the inputs are at fault.
func (j job) run() (rendered, error) {
	objects, finished, tainted, err := j.finished()
	if err != nil {
		return rendered{tainted: tainted}, err
	}
	// Only templates can print something else the second time.
	if j.inputs.Kind == bundle.KindHelm && j.progress == nil {
		_, again, _, err := j.finished()
		if err != nil {
			return rendered{tainted: tainted}, err
		}
		if err := markVolatile(finished, again); err != nil {
			return rendered{tainted: tainted}, err
		}
	}
	if len(finished) > j.limits.MaxObjects {
		return rendered{tainted: tainted}, manifest.NewFault("", 0, manifest.LimitExceeded, "%d objects, at most %d are allowed", len(finished), j.limits.MaxObjects)
	}
	if size := outputSize(finished); size > j.limits.OutputBytes {
		return rendered{tainted: tainted}, manifest.NewFault(manifest.LargestFile(objects), 0, manifest.LimitExceeded, "%d bytes of rendered output, at most %d are allowed", size, j.limits.OutputBytes)
	}
	item := content.Item{
		Version: content.Version,
		Kind:    content.KindManifests,
		Bundle:  j.inputs.Bundle,
		Options: ContentOptions(j.inputs),
		Objects: finished,
	}
	return rendered{item: item, files: j.filesOf(objects), tainted: tainted}, nil
}

// filesOf says where finished objects were written, if that was asked for.
func (j job) filesOf(objects []manifest.Object) map[content.Key]string {
	if !j.files {
		return nil
	}
	files := make(map[content.Key]string, len(objects))
	for i := range objects {
		files[objects[i].Key()] = objects[i].File
	}
	return files
}

// finished renders once; objects are what the manifests were made of.
func (j job) finished() (objects []manifest.Object, finished []content.Object, tainted bool, err error) {
	objects, tainted, err = j.objects()
	if err != nil {
		return nil, nil, tainted, err
	}
	finished, err = manifest.Finish(objects, settingsOf(j.inputs))
	return objects, finished, tainted, err
}

// outputSize is about what objects take in a response.
func outputSize(objects []content.Object) int64 {
	var size int64
	for _, o := range objects {
		size += int64(len(o.Manifest)) + int64(len(o.Key)) + 64
	}
	return size
}

func (j job) objects() (objects []manifest.Object, tainted bool, err error) {
	if err := notYet(j.inputs.Options); err != nil {
		return nil, false, err
	}
	switch j.inputs.Kind {
	case bundle.KindRaw:
		objects, err = raw.Render(j.inputs.Files, raw.Options{MaxObjects: j.limits.MaxObjects, Progress: j.progress})
		return objects, false, err
	case bundle.KindKustomize:
		return j.kustomize(nil)
	case bundle.KindHelm:
		return j.helm()
	default:
		return nil, false, fmt.Errorf("kind %q is not one this renderer knows", j.inputs.Kind)
	}
}

// notYet refuses options that would change objects and are not followed yet:
// rendering without them would give chart defaults for somebody's values.
func notYet(o v1alpha1.BundleOptions) error {
	var key string
	switch {
	case o.YAML != nil && len(o.YAML.Overlays) > 0:
		key = "yaml.overlays"
	case len(o.HubValuesFrom) > 0:
		key = "hubValuesFrom"
	case o.Helm != nil && len(o.Helm.ValuesFrom) > 0:
		key = "helm.valuesFrom"
	case o.Helm != nil && said(o.Helm.Repo) != "":
		key = "helm.repo"
	default:
		return nil
	}
	return manifest.NewFault("", 0, manifest.NotSupportedYet, "not supported yet: %s", key)
}

// kustomize builds the kustomization; manifests are a chart's output, or nil.
func (j job) kustomize(manifests []byte) ([]manifest.Object, bool, error) {
	built, err := kustomize.Build(j.inputs.Files, kustomize.Options{
		Dir: kustomizeDir(j.inputs.Options), Manifests: manifests, MaxObjects: j.limits.MaxObjects, Progress: j.progress,
	})
	return built.Objects, built.Tainted, err
}

func kustomizeDir(o v1alpha1.BundleOptions) string {
	if o.Kustomize == nil {
		return ""
	}
	return said(o.Kustomize.Dir)
}

// helm renders the chart, and has kustomize work on the result if the bundle holds a kustomization too.
func (j job) helm() ([]manifest.Object, bool, error) {
	release, err := j.release()
	if err != nil {
		return nil, false, err
	}
	result, err := helm.Render(j.inputs.Files, release)
	if err != nil {
		return nil, false, err
	}
	objects := result.Objects
	dir := kustomizeDir(j.inputs.Options)
	if dir == "" && kustomize.Find(j.inputs.Files, "") == "" {
		return objects, false, nil
	}
	crds, rest := splitCRDs(objects)
	text, err := manifest.Print(rest)
	if err != nil {
		return nil, false, err
	}
	built, tainted, err := j.kustomize(text)
	return append(crds, built...), tainted, err
}

// splitCRDs sets a chart's crds/ aside: they belong to no release, and no kustomization.
func splitCRDs(objects []manifest.Object) (crds, rest []manifest.Object) {
	for _, o := range objects {
		if o.ChartCRD {
			crds = append(crds, o)
			continue
		}
		rest = append(rest, o)
	}
	return crds, rest
}

func (j job) release() (helm.Release, error) {
	in := j.inputs
	h := in.Options.Helm
	if h == nil {
		h = &v1alpha1.HelmOptions{}
	}
	values, err := helm.ReadValues(in.Files, valuesInput(h, in.Context))
	if err != nil {
		return helm.Release{}, err
	}
	return helm.Release{
		Name:                 ReleaseName(in.Bundle, in.Options),
		Namespace:            settingsOf(in).ReleaseNamespace(),
		Chart:                said(h.Chart),
		Values:               values,
		SkipSchemaValidation: isTrue(h.SkipSchemaValidation),
		Facts:                helm.Facts(in.Facts),
		MaxObjects:           j.limits.MaxObjects,
		Progress:             j.progress,
	}, nil
}

func valuesInput(h *v1alpha1.HelmOptions, c *targets.Context) helm.ValuesInput {
	v := helm.ValuesInput{Files: h.ValuesFiles, Templates: h.TemplateValues, DisablePreProcess: isTrue(h.DisablePreProcess)}
	if h.Values != nil {
		v.Inline = h.Values.Raw
	}
	if c != nil {
		v.Context, v.Labels = templateContext(*c), c.ClusterLabels
	}
	return v
}

// templateContext is what "${ }" sees: sprig's functions want maps of any.
func templateContext(c targets.Context) map[string]any {
	values := map[string]any{}
	if len(c.ClusterValues) > 0 {
		// What is no JSON is no mapping either: a template that uses it fails on its own.
		_ = json.Unmarshal(c.ClusterValues, &values)
	}
	return map[string]any{
		"ClusterNamespace":   c.ClusterNamespace,
		"ClusterName":        c.ClusterName,
		"ClusterLabels":      anyMap(c.ClusterLabels),
		"ClusterAnnotations": anyMap(c.ClusterAnnotations),
		"ClusterValues":      values,
	}
}

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for key, value := range m {
		out[key] = value
	}
	return out
}
