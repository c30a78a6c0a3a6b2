package renderer

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/bundle/raw"
	"github.com/muster-dev/muster/pkg/content"
)

// job is one render inside the child.
type job struct {
	inputs   Inputs
	limits   Limits
	progress func(file string) // nil unless traced
}

// rendered is what a job gives.
type rendered struct {
	item content.Item
	// tainted says that this process has state left over that the next bundle could see.
	tainted bool
}

// run renders in this process. Errors are *manifest.Fault where the inputs are at fault.
func (j job) run() (rendered, error) {
	objects, tainted, err := j.objects()
	if err != nil {
		return rendered{tainted: tainted}, err
	}
	finished, err := manifest.Finish(objects, settingsOf(j.inputs))
	if err != nil {
		return rendered{tainted: tainted}, err
	}
	if len(finished) > j.limits.MaxObjects {
		return rendered{tainted: tainted}, manifest.NewFault("", 0, manifest.LimitExceeded, "%d objects, at most %d are allowed", len(finished), j.limits.MaxObjects)
	}
	item := content.Item{
		Version: content.Version,
		Kind:    content.KindManifests,
		Bundle:  j.inputs.Bundle,
		Options: ContentOptions(j.inputs),
		Objects: finished,
	}
	return rendered{item: item, tainted: tainted}, nil
}

func (j job) objects() (objects []manifest.Object, tainted bool, err error) {
	switch j.inputs.Kind {
	case bundle.KindRaw:
		objects, err = raw.Render(j.inputs.Files, raw.Options{MaxObjects: j.limits.MaxObjects, Progress: j.progress})
		return objects, false, err
	default:
		return nil, false, fmt.Errorf("kind %q is not one this renderer knows", j.inputs.Kind)
	}
}
