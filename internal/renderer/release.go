package renderer

import (
	"encoding/json"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle/helm"
	"github.com/muster-dev/muster/pkg/targets"
)

// release says what Helm renders, from a bundle's options.
func (j job) release() (helm.Release, error) {
	in := j.inputs
	h := in.Options.Helm
	if h == nil {
		h = &v1alpha1.HelmOptions{}
	}
	values, err := helm.ReadValues(in.Files, j.valuesInput(h, in))
	if err != nil {
		return helm.Release{}, err
	}
	return helm.Release{
		Name:                    ReleaseName(in.Bundle, in.Options),
		Namespace:               settingsOf(in).ReleaseNamespace(),
		Chart:                   said(h.Chart),
		Repo:                    said(h.Repo),
		Version:                 said(h.Version),
		DisableDependencyUpdate: isTrue(h.DisableDependencyUpdate),
		Values:                  values,
		SkipSchemaValidation:    isTrue(h.SkipSchemaValidation),
		Facts:                   helm.Facts(in.Facts),
		MaxObjects:              j.limits.MaxObjects,
		Later:                   j.later,
		Progress:                j.progress,
	}, nil
}

func (j job) valuesInput(h *v1alpha1.HelmOptions, in Inputs) helm.ValuesInput {
	v := helm.ValuesInput{
		Files: h.ValuesFiles, Templates: h.TemplateValues, DisablePreProcess: isTrue(h.DisablePreProcess), Later: j.later,
		Hub: documents(in.HubValues), Late: documents(in.LateValues),
	}
	if h.Values != nil {
		v.Inline = h.Values.Raw
	}
	if c := in.Context; c != nil {
		v.Context, v.Labels = templateContext(*c), c.ClusterLabels
	}
	return v
}

func documents(raw []json.RawMessage) [][]byte {
	var list [][]byte
	for _, document := range raw {
		list = append(list, document)
	}
	return list
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
