package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// spec is the Bundle's spec: the options file with the GitRepo's fields merged in.
func (r *reading) spec() v1alpha1.BundleSpec {
	o := r.options
	spec := v1alpha1.BundleSpec{
		BundleOptions:           o.BundleOptions,
		Targets:                 o.OverrideTargets,
		TargetCustomizations:    o.TargetCustomizations,
		TargetCustomizationMode: o.TargetCustomizationMode,
		DependsOn:               o.DependsOn,
		RolloutStrategy:         o.RolloutStrategy,
		Rollout:                 o.Rollout,
		Paused:                  o.Paused || r.repo.Spec.Paused,
	}
	dropValuesFiles(spec.Helm)
	for i := range spec.TargetCustomizations {
		dropValuesFiles(spec.TargetCustomizations[i].Helm)
	}
	r.target(&spec)
	r.mergeRepo(&spec)
	return spec
}

// maxSpecBytes bounds the Bundle object; etcd stores one and a half MiB.
const maxSpecBytes = 1 << 20

// judgeSize refuses a bundle whose object the API server would.
func (r *reading) judgeSize(spec v1alpha1.BundleSpec) {
	data, err := json.Marshal(spec)
	if err != nil {
		r.add(errorAt(Position{File: r.optionsPath()}, CodeInvalidValue, "cannot be stored: "+err.Error()))
		return
	}
	if len(data) > maxSpecBytes {
		r.add(errorAt(r.at(""), CodeTooLarge, fmt.Sprintf("the options are %d KiB with their values files, at most %d KiB can be stored", len(data)>>10, maxSpecBytes>>10)))
	}
}

func dropValuesFiles(h *v1alpha1.HelmOptions) {
	if h != nil {
		h.ValuesFiles = nil
	}
}

// target gives the bundle its targets: its own, else the GitRepo's, else Fleet's default group.
func (r *reading) target(spec *v1alpha1.BundleSpec) {
	if len(spec.Targets) > 0 { // an empty list says nothing, as with Fleet
		moved := map[string]Position{}
		for key, pos := range r.options.where {
			if rest, ok := strings.CutPrefix(key, "overrideTargets["); ok {
				moved["targets["+rest] = pos
			}
		}
		maps.Copy(r.options.where, moved)
		return
	}
	spec.Targets, r.inherits = slices.Clone(r.repo.Spec.Targets), true
	if len(spec.Targets) == 0 {
		spec.Targets = []v1alpha1.Target{{Criteria: v1alpha1.Criteria{Name: "default", ClusterGroup: "default"}}}
	}
}

// mergeRepo lays the GitRepo's fields over the options. What the GitRepo fixes,
// namespace and account, no file of the repository can change back.
func (r *reading) mergeRepo(spec *v1alpha1.BundleSpec) {
	g := r.repo.Spec
	yes := true
	if g.TargetNamespace != "" {
		spec.Namespace = &g.TargetNamespace
		for i := range spec.TargetCustomizations {
			spec.TargetCustomizations[i].Namespace = nil
		}
	}
	if g.ServiceAccount != "" {
		spec.ServiceAccount = &g.ServiceAccount
		for i := range spec.TargetCustomizations {
			r.fixAccount(&spec.TargetCustomizations[i], i)
		}
	}
	if g.KeepResources {
		spec.KeepResources = &yes
	}
	if g.DeleteNamespace {
		spec.DeleteNamespace = &yes
	}
	if g.CorrectDrift != nil && spec.CorrectDrift == nil {
		spec.CorrectDrift = g.CorrectDrift.DeepCopy()
	}
}

func (r *reading) fixAccount(c *v1alpha1.Customization, i int) {
	if c.ServiceAccount == nil {
		return
	}
	key := fmt.Sprintf("targetCustomizations[%d].serviceAccount", i)
	r.add(warningAt(r.at(key), CodeOverridden, key+" has no effect: the GitRepo sets the service account"))
	c.ServiceAccount = nil
}
