package renderer

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
	"github.com/muster-dev/muster/pkg/bundle/kustomize"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/bundle/raw"
	"github.com/muster-dev/muster/pkg/content"
)

// job is one render inside the child.
type job struct {
	inputs   Inputs
	limits   Limits
	progress func(file string) // nil unless traced
	later    bool              // as if at a later time
	files    bool              // say in which file each object stands, and what made its volatile values
}

// rendered is what a job gives.
type rendered struct {
	objects []content.Object
	files   map[content.Key]string
	origins []content.Origin
	answers map[string]string
	// tainted says that this process has state left over that the next bundle could see.
	tainted bool
}

// runSafely turns a panic of a library into a fault: it parses what strangers
// wrote. The render is run again to learn which file it is about.
func (j job) runSafely() (done rendered, err error) {
	defer func() {
		if p := recover(); p != nil {
			done, err = rendered{}, manifest.NewPanic(j.lastFile(), manifest.RenderFailed, "the renderer gave up on this input")
		}
	}()
	return j.run()
}

// lastFile is where a render that ends in a panic was.
func (j job) lastFile() (file string) {
	defer func() { _ = recover() }() // it is expected, and reported already
	j.progress = func(at string) { file = at }
	_, _ = j.run() // only the way there counts
	return file
}

// run renders in this process. Errors are *manifest.Fault where the inputs are
// at fault; what was asked about the cluster by then is told with them.
func (j job) run() (rendered, error) {
	first, err := j.finished()
	done := rendered{answers: first.answers, tainted: first.tainted}
	if err != nil {
		return done, err
	}
	// Only templates can print something else the second time.
	if j.inputs.Kind == bundle.KindHelm && j.progress == nil {
		second := j
		second.later = true
		again, err := second.finished()
		done.answers = joined(done.answers, again.answers)
		if err != nil {
			return done, err
		}
		if err := j.checkNames(first, again); err != nil {
			return done, err
		}
		if err := j.markVolatile(first, again); err != nil {
			return done, err
		}
	}
	if err := j.checkSize(first); err != nil {
		return done, err
	}
	done.objects = first.finished
	if j.files {
		done.files, done.origins = fileOfKeys(first.objects), j.originsOf(first)
	}
	return done, nil
}

func (j job) checkSize(p pass) error {
	if len(p.finished) > j.limits.MaxObjects {
		return manifest.NewFault(manifest.LargestFile(p.objects), 0, manifest.LimitExceeded, "%d objects, at most %d are allowed", len(p.finished), j.limits.MaxObjects)
	}
	size := outputSize(p.finished)
	if j.files {
		for key, file := range fileOfKeys(p.objects) {
			size += int64(len(key) + len(file))
		}
	}
	if size > j.limits.OutputBytes {
		return manifest.NewFault(manifest.LargestFile(p.objects), 0, manifest.LimitExceeded, "%d bytes of rendered output, at most %d are allowed", size, j.limits.OutputBytes)
	}
	return nil
}

// pass is one of the two renders of a job.
type pass struct {
	// objects are what the finished ones were made of.
	objects  []manifest.Object
	finished []content.Object
	// answers are what templates asked about the cluster, and what they were told.
	answers map[string]string
	tainted bool
}

// finished renders once.
func (j job) finished() (pass, error) {
	p, err := j.objects()
	if err != nil {
		return p, err
	}
	copied, err := copiedObjects(j.inputs)
	if err != nil {
		return p, err
	}
	p.objects = append(copied, p.objects...)
	p.finished, err = manifest.Finish(p.objects, settingsOf(j.inputs))
	return p, err
}

// outputSize is about what objects take in a response.
func outputSize(objects []content.Object) int64 {
	var size int64
	for _, o := range objects {
		size += int64(len(o.Manifest)) + int64(len(o.Key)) + 64
		for _, pointer := range o.Volatile {
			size += int64(len(pointer)) + 4
		}
	}
	return size
}

func (j job) objects() (p pass, err error) {
	if err := checkLate(j.inputs); err != nil {
		return p, err
	}
	switch j.inputs.Kind {
	case bundle.KindRaw:
		p.objects, err = raw.Render(j.inputs.Files, raw.Options{Overlays: overlays(j.inputs.Options), MaxObjects: j.limits.MaxObjects, Progress: j.progress})
		return p.plain(), err
	case bundle.KindKustomize:
		p.objects, p.tainted, err = j.kustomize(nil)
		return p.plain(), err
	case bundle.KindHelm:
		return j.helm()
	default:
		return p, fmt.Errorf("kind %q is not one this renderer knows", j.inputs.Kind)
	}
}

// plain says that no chart printed these objects.
func (p pass) plain() pass {
	for i := range p.objects {
		p.objects[i].Plain = true
	}
	return p
}

func overlays(o v1alpha1.BundleOptions) []string {
	if o.YAML == nil {
		return nil
	}
	return o.YAML.Overlays
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
func (j job) helm() (p pass, err error) {
	j.tell(j.optionsFile())
	release, err := j.release()
	if err != nil {
		return p, err
	}
	j.tell(chartFile(j.inputs))
	result, err := helm.Render(j.inputs.Files, release)
	p.objects, p.answers = result.Objects, result.Answers
	if err != nil {
		p.answers = ofFailure(result.Answers, j.inputs.Facts)
		return p, err
	}
	dir := kustomizeDir(j.inputs.Options)
	if dir == "" && kustomize.Find(j.inputs.Files, "") == "" {
		return p, nil
	}
	aside, rest := splitForKustomize(p.objects)
	text, err := manifest.Print(rest)
	if err != nil {
		return p, err
	}
	p.objects, p.tainted, err = j.kustomize(text)
	p = p.plain()
	p.objects = append(aside, p.objects...)
	return p, err
}

func (j job) optionsFile() string { return or(j.inputs.OptionsFile, optionsFile) }

// tell says where a traced render is.
func (j job) tell(file string) {
	if j.progress != nil {
		j.progress(file)
	}
}

// splitForKustomize sets aside what Helm does not give its post-renderer either:
// hooks, and a chart's crds/.
func splitForKustomize(objects []manifest.Object) (aside, rest []manifest.Object) {
	for _, o := range objects {
		if o.ChartCRD || o.IsHook() {
			aside = append(aside, o)
			continue
		}
		rest = append(rest, o)
	}
	return aside, rest
}
