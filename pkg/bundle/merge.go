package bundle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// Merge lays the options of a customization over those of a bundle. Every field
// can be overridden and taken back: a boolean by false, a text by "" or "-", a
// list by [], a map by {}; a single value by null. Maps merge. Lists replace, but
// for those that Fleet appends to: valuesFrom, overlays, comparePatches and
// downstreamResources, and likewise our own hubValuesFrom and drift.ignore.
// Neither argument is changed; the result may share
// what it did not have to merge, so treat options as read-only.
func Merge(base, over v1alpha1.BundleOptions) v1alpha1.BundleOptions {
	return v1alpha1.BundleOptions{
		DefaultNamespace:     text(base.DefaultNamespace, over.DefaultNamespace),
		Namespace:            text(base.Namespace, over.Namespace),
		CreateNamespace:      said(base.CreateNamespace, over.CreateNamespace),
		NamespaceLabels:      mergeTexts(base.NamespaceLabels, over.NamespaceLabels),
		NamespaceAnnotations: mergeTexts(base.NamespaceAnnotations, over.NamespaceAnnotations),
		Kustomize:            both(base.Kustomize, over.Kustomize, mergeKustomize),
		Helm:                 both(base.Helm, over.Helm, mergeHelm),
		YAML:                 both(base.YAML, over.YAML, mergeYAML),
		ServiceAccount:       text(base.ServiceAccount, over.ServiceAccount),
		ForceSyncGeneration:  said(base.ForceSyncGeneration, over.ForceSyncGeneration),
		KeepResources:        said(base.KeepResources, over.KeepResources),
		DeleteNamespace:      said(base.DeleteNamespace, over.DeleteNamespace),
		DeleteCRDResources:   said(base.DeleteCRDResources, over.DeleteCRDResources),
		CorrectDrift:         both(base.CorrectDrift, over.CorrectDrift, mergeCorrectDrift),
		Diff:                 both(base.Diff, over.Diff, mergeDiff),
		Ignore:               both(base.Ignore, over.Ignore, mergeIgnore),
		DownstreamResources:  appended(base.DownstreamResources, over.DownstreamResources, itself),
		HubValuesFrom:        appended(base.HubValuesFrom, over.HubValuesFrom, valuesFromKey),
		Health:               list(base.Health, over.Health),
		Drift:                both(base.Drift, over.Drift, mergeDrift),
		Windows:              list(base.Windows, over.Windows),
	}
}

func mergeKustomize(base, over v1alpha1.KustomizeOptions) v1alpha1.KustomizeOptions {
	return v1alpha1.KustomizeOptions{Dir: text(base.Dir, over.Dir)}
}

func mergeHelm(base, over v1alpha1.HelmOptions) v1alpha1.HelmOptions {
	return v1alpha1.HelmOptions{
		Chart:                   text(base.Chart, over.Chart),
		Repo:                    text(base.Repo, over.Repo),
		Version:                 text(base.Version, over.Version),
		ReleaseName:             text(base.ReleaseName, over.ReleaseName),
		Values:                  mergeValues(base.Values, over.Values),
		ValuesFiles:             list(base.ValuesFiles, over.ValuesFiles),
		TemplateValues:          mergeTexts(base.TemplateValues, over.TemplateValues),
		ValuesFrom:              appended(base.ValuesFrom, over.ValuesFrom, valuesFromKey),
		TakeOwnership:           said(base.TakeOwnership, over.TakeOwnership),
		Force:                   said(base.Force, over.Force),
		Atomic:                  said(base.Atomic, over.Atomic),
		WaitForJobs:             said(base.WaitForJobs, over.WaitForJobs),
		TimeoutSeconds:          said(base.TimeoutSeconds, over.TimeoutSeconds),
		MaxHistory:              said(base.MaxHistory, over.MaxHistory),
		DisablePreProcess:       said(base.DisablePreProcess, over.DisablePreProcess),
		DisableDNS:              said(base.DisableDNS, over.DisableDNS),
		SkipSchemaValidation:    said(base.SkipSchemaValidation, over.SkipSchemaValidation),
		DisableDependencyUpdate: said(base.DisableDependencyUpdate, over.DisableDependencyUpdate),
	}
}

func mergeYAML(base, over v1alpha1.YAMLOptions) v1alpha1.YAMLOptions {
	return v1alpha1.YAMLOptions{Overlays: appended(base.Overlays, over.Overlays, itself)}
}

func mergeCorrectDrift(base, over v1alpha1.CorrectDrift) v1alpha1.CorrectDrift {
	return v1alpha1.CorrectDrift{
		Enabled:         said(base.Enabled, over.Enabled),
		Force:           said(base.Force, over.Force),
		KeepFailHistory: said(base.KeepFailHistory, over.KeepFailHistory),
	}
}

func mergeDiff(base, over v1alpha1.DiffOptions) v1alpha1.DiffOptions {
	return v1alpha1.DiffOptions{ComparePatches: appended(base.ComparePatches, over.ComparePatches, comparePatchKey)}
}

func mergeIgnore(base, over v1alpha1.IgnoreOptions) v1alpha1.IgnoreOptions {
	return v1alpha1.IgnoreOptions{Conditions: list(base.Conditions, over.Conditions)}
}

func mergeDrift(base, over v1alpha1.DriftOptions) v1alpha1.DriftOptions {
	mode := base.Mode
	if over.Mode != "" {
		mode = over.Mode
	}
	if mode == v1alpha1.DriftReset {
		mode = ""
	}
	return v1alpha1.DriftOptions{Mode: mode, Ignore: appended(base.Ignore, over.Ignore, comparePatchKey)}
}

// text returns over where it says something; a reset says nothing again.
func text(base, over *string) *string {
	chosen := said(base, over)
	if chosen != nil && isReset(*chosen) {
		return nil
	}
	return chosen
}

func said[T any](base, over *T) *T {
	if over != nil {
		return over
	}
	return base
}

// list returns over where it says something; an empty list says nothing again.
func list[T any](base, over []T) []T {
	chosen := base
	if over != nil {
		chosen = over
	}
	if len(chosen) == 0 {
		return nil
	}
	return chosen
}

// appended adds what over says, each entry once by its key; an empty list says nothing again.
func appended[T any, K comparable](base, over []T, key func(T) K) []T {
	if len(base) == 0 || len(over) == 0 {
		return list(base, over)
	}
	seen := make(map[K]bool, len(base)+len(over))
	out := make([]T, 0, len(base)+len(over))
	for _, entry := range slices.Concat(base, over) {
		if k := key(entry); !seen[k] {
			seen[k] = true
			out = append(out, entry)
		}
	}
	return out
}

func itself[T comparable](entry T) T { return entry }

// valuesFromKey tells entries of valuesFrom apart, which are behind pointers.
func valuesFromKey(v v1alpha1.ValuesFrom) [2]v1alpha1.KeyRef {
	var key [2]v1alpha1.KeyRef
	if v.ConfigMapKeyRef != nil {
		key[0] = *v.ConfigMapKeyRef
	}
	if v.SecretKeyRef != nil {
		key[1] = *v.SecretKeyRef
	}
	return key
}

func comparePatchKey(p v1alpha1.ComparePatch) string { return fmt.Sprintf("%#v", p) }

// both merges two blocks; merging with an absent one still takes resets out.
func both[T any](base, over *T, merge func(base, over T) T) *T {
	if base == nil && over == nil {
		return nil
	}
	var none T
	b, o := &none, &none
	if base != nil {
		b = base
	}
	if over != nil {
		o = over
	}
	out := merge(*b, *o)
	return &out
}

// mergeTexts lays one map over another; an empty one takes everything back.
func mergeTexts(base, over map[string]string) map[string]string {
	switch {
	case over != nil && len(over) == 0, len(base) == 0 && len(over) == 0:
		return nil
	case len(over) == 0:
		return base
	}
	out := maps.Clone(base)
	if out == nil {
		out = make(map[string]string, len(over))
	}
	maps.Copy(out, over)
	return out
}
