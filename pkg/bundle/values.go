package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// maxValuesBytes bounds one set of values; they live in the Bundle object.
const maxValuesBytes = 512 << 10

// foldValues lays every values file over the values beside it, in the bundle's
// own options and in each customization, as Fleet does when it reads a
// repository: a customization's values then win over the bundle's values files.
func (r *reading) foldValues() {
	r.parsed = map[string]*apiextensionsv1.JSON{}
	r.fold(r.options.Helm, "helm.valuesFiles")
	for i := range r.options.TargetCustomizations {
		r.fold(r.options.TargetCustomizations[i].Helm, fmt.Sprintf("targetCustomizations[%d].helm.valuesFiles", i))
	}
}

func (r *reading) fold(h *v1alpha1.HelmOptions, key string) {
	if h == nil {
		return
	}
	for i, name := range h.ValuesFiles {
		clean, err := cleanPath(name)
		if err != nil {
			continue // judge has said so
		}
		over, problem := r.valuesFile(clean, fmt.Sprintf("%s[%d]", key, i))
		if problem != nil {
			r.add(*problem)
			if r.full() {
				return
			}
			continue
		}
		if r.folded += size(h.Values) + size(over); r.folded > maxFoldedBytes {
			r.add(errorAt(r.at(key), CodeTooLarge, fmt.Sprintf("%s: all values files together are more than %d MiB to merge", key, maxFoldedBytes>>20)))
			return
		}
		h.Values = mergeValues(h.Values, over)
	}
	if h.Values != nil && len(h.Values.Raw) > maxValuesBytes {
		r.add(errorAt(r.at(key), CodeTooLarge, fmt.Sprintf("%s: values are larger than %d KiB", key, maxValuesBytes>>10)))
	}
}

// maxFoldedBytes bounds the work of merging values files: a thousand entries in
// each of a thousand customizations may name the same large file.
const maxFoldedBytes = 64 << 20

func size(v *apiextensionsv1.JSON) int {
	if v == nil {
		return 1
	}
	return 1 + len(v.Raw)
}

func (r *reading) valuesFile(name, key string) (*apiextensionsv1.JSON, *Problem) {
	if known, ok := r.parsed[name]; ok {
		return known, nil
	}
	at, found := slices.BinarySearchFunc(r.all, name, func(f File, name string) int { return strings.Compare(f.Path, name) })
	if found {
		values, problem := r.parseValues(path.Join(r.c.dir, name), r.all[at].Data)
		if problem == nil {
			r.parsed[name] = values
		}
		return values, problem
	}
	p := errorAt(r.at(key), CodePathNotFound, fmt.Sprintf("%s: there is no file %s in the bundle", key, name))
	return nil, &p
}

func (r *reading) parseValues(file string, data []byte) (*apiextensionsv1.JSON, *Problem) {
	if len(data) > maxOptionsBytes {
		p := errorAt(Position{File: file}, CodeTooLarge, fmt.Sprintf("is larger than %d KiB", maxOptionsBytes>>10))
		return nil, &p
	}
	doc, problem := parseOne(file, data)
	if problem != nil || doc == nil {
		return nil, problem
	}
	raw, err := yaml.YAMLToJSON(data)
	if err != nil {
		p := yamlProblem(file, err)
		return nil, &p
	}
	if raw = bytes.TrimSpace(raw); string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '{' {
		p := errorAt(Position{File: file, Line: 1}, CodeWrongType, "is not a map of values")
		return nil, &p
	}
	return &apiextensionsv1.JSON{Raw: raw}, nil
}

// mergeValues lays one set of values over another: maps merge deeply, lists and
// scalars replace. A null stays, since it also removes the chart's own default.
func mergeValues(base, over *apiextensionsv1.JSON) *apiextensionsv1.JSON {
	if over == nil || len(over.Raw) == 0 {
		return base
	}
	if base == nil || len(base.Raw) == 0 {
		return over
	}
	b, okBase := decodeValues(base.Raw).(map[string]any)
	o, okOver := decodeValues(over.Raw).(map[string]any)
	if !okBase || !okOver {
		return over
	}
	raw, err := json.Marshal(mergeMaps(b, o))
	if err != nil {
		return over // what was decoded from JSON encodes again
	}
	return &apiextensionsv1.JSON{Raw: raw}
}

// decodeValues keeps numbers as they are written: a port or a hash must not become a float.
func decodeValues(raw []byte) any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil
	}
	return v
}

func mergeMaps(base, over map[string]any) map[string]any {
	out := make(map[string]any, len(base)+len(over))
	for k, v := range base {
		out[k] = v
	}
	for k, v := range over {
		below, isMap := v.(map[string]any)
		under, wasMap := out[k].(map[string]any)
		if isMap && wasMap {
			v = mergeMaps(under, below)
		}
		out[k] = v
	}
	return out
}
