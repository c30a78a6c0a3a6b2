package helm

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// ValuesInput is where a release's values come from, weakest first; the chart's
// own defaults lie below all of them.
type ValuesInput struct {
	// Inline is helm.values as JSON.
	Inline []byte
	// Files are helm.valuesFiles, paths in the bundle.
	Files []string
	// Templates are helm.templateValues.
	Templates map[string]string
	// Hub and Late are documents read from ConfigMaps and Secrets, in order; they lie over all others, Late on top.
	Hub, Late [][]byte
	// Context for "${ }" and label references; nil leaves both alone.
	Context map[string]any
	// Labels of the cluster, for label references.
	Labels map[string]string
	// Later executes templates as if at a later time; see Release.Later.
	Later bool
	// DisablePreProcess leaves "${ }" alone even with a context.
	DisablePreProcess bool
}

const (
	// labelReference is a whole value that stands for a cluster's label, or "".
	labelReference = "global.fleet.clusterLabels."
	// maxValuesDepth bounds nesting.
	maxValuesDepth = 200
)

// ReadValues merges, substitutes and executes. Maps merge deeply, lists
// replace, and null stays null, so that it removes a chart's default. Only what
// the bundle says is executed: documents from ConfigMaps and Secrets are data.
func ReadValues(files []bundle.File, in ValuesInput) (map[string]any, error) {
	values, err := written(files, in)
	if err != nil {
		return nil, err
	}
	for _, from := range []struct {
		name      string
		documents [][]byte
	}{{"hubValuesFrom", in.Hub}, {"helm.valuesFrom", in.Late}} {
		for i, document := range from.documents {
			read, err := readDocument(fmt.Sprintf("%s[%d]", from.name, i), document)
			if err != nil {
				return nil, err
			}
			values = merge(values, read)
		}
	}
	return values, checkDepth(values, "values")
}

// written are the values that stand in the bundle.
func written(files []bundle.File, in ValuesInput) (map[string]any, error) {
	values, err := readDocument("helm.values", in.Inline)
	if err != nil {
		return nil, err
	}
	for _, name := range in.Files {
		read, err := valuesFile(files, name)
		if err != nil {
			return nil, err
		}
		values = merge(values, read)
	}
	if in.Context == nil {
		if len(in.Templates) > 0 && !in.DisablePreProcess {
			return nil, manifest.NewFault("", 0, manifest.InvalidOption, "helm.templateValues need a cluster to be executed for")
		}
		return values, nil
	}
	substituteLabels(values, in.Labels)
	if in.DisablePreProcess {
		return values, nil
	}
	return preProcess(files, values, in)
}

// readDocument reads values that are no file of the bundle.
func readDocument(source string, data []byte) (map[string]any, error) {
	values := map[string]any{}
	if len(data) == 0 {
		return values, nil
	}
	if err := manifest.CheckAliases("", data); err != nil {
		return nil, manifest.NewFault("", 0, manifest.InvalidValues, "%s: %s", source, withoutValues(err.Error()))
	}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, manifest.NewFault("", 0, manifest.InvalidValues, "%s: %s", source, withoutValues(err.Error()))
	}
	if values == nil {
		values = map[string]any{}
	}
	return values, checkDepth(values, source)
}

func valuesFile(files []bundle.File, name string) (map[string]any, error) {
	i := slices.IndexFunc(files, func(f bundle.File) bool { return f.Path == strings.TrimPrefix(name, "./") })
	if i < 0 {
		return nil, manifest.NewFault(name, 0, manifest.InvalidOption, "helm.valuesFiles: no such file in the bundle")
	}
	if err := manifest.CheckAliases(name, files[i].Data); err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(files[i].Data, &values); err != nil {
		fault := manifest.YAMLFault(name, err)
		fault.Message = withoutValues(fault.Message)
		return nil, fault
	}
	return values, checkDepth(values, name)
}

func checkDepth(v any, source string) error {
	if depth(v, 0) > maxValuesDepth {
		return manifest.NewFault("", 0, manifest.LimitExceeded, "%s: values nested more than %d deep", source, maxValuesDepth)
	}
	return nil
}

func depth(v any, at int) int {
	deepest := at
	if at > maxValuesDepth {
		return at
	}
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			deepest = max(deepest, depth(child, at+1))
		}
	case []any:
		for _, child := range v {
			deepest = max(deepest, depth(child, at+1))
		}
	}
	return deepest
}

// merge lays over onto base and returns base.
func merge(base, over map[string]any) map[string]any {
	if base == nil {
		base = map[string]any{}
	}
	for key, value := range over {
		below, isMap := base[key].(map[string]any)
		above, overMap := value.(map[string]any)
		if isMap && overMap {
			base[key] = merge(below, above)
			continue
		}
		base[key] = value
	}
	return base
}

// withLabels puts the cluster's labels below values, where Fleet has charts find them.
func withLabels(values map[string]any, labels map[string]string) map[string]any {
	given := make(map[string]any, len(labels))
	for key, value := range labels {
		given[key] = value
	}
	global := map[string]any{"fleet": map[string]any{"clusterLabels": given}}
	return merge(map[string]any{"global": global}, values)
}

// substituteLabels replaces whole values that name a label of the cluster.
func substituteLabels(v any, labels map[string]string) any {
	switch v := v.(type) {
	case string:
		if label, ok := strings.CutPrefix(v, labelReference); ok {
			return labels[label]
		}
	case map[string]any:
		for key, child := range v {
			v[key] = substituteLabels(child, labels)
		}
	case []any:
		for i, child := range v {
			v[i] = substituteLabels(child, labels)
		}
	}
	return v
}
