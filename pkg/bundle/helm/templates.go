package helm

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	texttemplate "text/template"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// preProcess executes the templates in values. As in Fleet the values are
// printed as YAML, executed as one template and read again, so that a template
// may give a list or a number.
func preProcess(files []bundle.File, values map[string]any, in ValuesInput) (map[string]any, error) {
	text, err := yaml.Marshal(values)
	if err != nil {
		return nil, manifest.NewFault("", 0, manifest.InvalidValues, "helm.values: %v", err)
	}
	if bytes.Contains(text, []byte("${")) {
		executed := map[string]any{}
		if err := in.executeInto("helm.values", string(text), &executed); err != nil {
			return nil, blame(err, files, in)
		}
		values = executed
	}
	for _, key := range slices.Sorted(maps.Keys(in.Templates)) {
		var value any
		if err := in.executeInto("helm.templateValues."+key, in.Templates[key], &value); err != nil {
			return nil, err
		}
		values = merge(values, map[string]any{key: value})
	}
	return values, nil
}

func (in ValuesInput) executeInto(source, text string, into any) error {
	printed, err := in.executeTemplate(source, text)
	if err != nil {
		return err
	}
	if err := manifest.CheckAliases("", printed); err != nil {
		return manifest.NewFault("", 0, manifest.InvalidValues, "%s: after its templates: %v", source, err)
	}
	if err := yaml.Unmarshal(printed, into); err != nil {
		return manifest.NewFault("", 0, manifest.InvalidValues, "%s: not YAML after its templates: %s", source, withoutValues(err.Error()))
	}
	return nil
}

func (in ValuesInput) executeTemplate(source, text string) (printed []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			printed, err = nil, manifest.NewPanic("", manifest.InvalidValues, "%s: a template function gave up", source)
		}
	}()
	t, err := texttemplate.New(source).Funcs(in.functions()).Option("missingkey=error").Delims("${", "}").Parse(text)
	if err != nil {
		return nil, templateFault(source, err)
	}
	out := &bounded{left: maxTemplateOutput}
	if err := t.Execute(out, in.Context); err != nil {
		return nil, templateFault(source, err)
	}
	return out.Bytes(), nil
}

// templateFault drops text/template's own prefix, whose lines count in a text nobody wrote.
func templateFault(source string, err error) error {
	text := strings.TrimPrefix(err.Error(), "template: ")
	if at := templatePlace.FindStringIndex(text); at != nil {
		text = text[at[1]:]
	}
	text = strings.ReplaceAll(text, fmt.Sprintf("executing %q ", source), "")
	return manifest.NewFault("", 0, manifest.InvalidValues, "%s: %s", source, withoutValues(text))
}

// functions are sprig's without those that reach the environment or the
// network, and without those that only charts have.
func (in ValuesInput) functions() texttemplate.FuncMap {
	f := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName", "include", "tpl"} {
		delete(f, name)
	}
	boundFunctions(f)
	if in.Later {
		postponeFunctions(f)
	}
	return f
}
