package helm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
)

func context() map[string]any {
	return map[string]any{
		"ClusterName": "eu-1", "ClusterNamespace": "fleet",
		"ClusterLabels": map[string]any{"env": "prod"}, "ClusterAnnotations": map[string]any{}, "ClusterValues": map[string]any{"n": 3.0},
	}
}

func TestReadValues(t *testing.T) {
	files := []bundle.File{{Path: "a.yaml", Data: []byte("m: {x: 2}\nl: [9]\n")}, {Path: "b.yaml", Data: []byte("m: {x: null}\n")}}
	cases := map[string]struct {
		in   helm.ValuesInput
		want map[string]any
	}{
		"nothing":                        {helm.ValuesInput{}, map[string]any{}},
		"maps merge, lists replace":      {helm.ValuesInput{Inline: []byte(`{"m":{"x":1,"y":1},"l":[1,2]}`), Files: []string{"a.yaml"}}, map[string]any{"m": map[string]any{"x": 2.0, "y": 1.0}, "l": []any{9.0}}},
		"null stays to remove a default": {helm.ValuesInput{Files: []string{"a.yaml", "b.yaml"}}, map[string]any{"m": map[string]any{"x": nil}, "l": []any{9.0}}},
		"without a context text is text": {helm.ValuesInput{Inline: []byte(`{"a":"${ .ClusterName }"}`)}, map[string]any{"a": "${ .ClusterName }"}},
		"templates in values and keys":   {helm.ValuesInput{Inline: []byte(`{"${ .ClusterName }":"${ .ClusterLabels.env | upper }"}`), Context: context()}, map[string]any{"eu-1": "PROD"}},
		"a template may give a number":   {helm.ValuesInput{Inline: []byte(`{"a":"${ .ClusterValues.n }"}`), Context: context()}, map[string]any{"a": 3.0}},
		"switched off":                   {helm.ValuesInput{Inline: []byte(`{"a":"${ .Nope }"}`), Context: context(), DisablePreProcess: true}, map[string]any{"a": "${ .Nope }"}},
		"labels, also when switched off": {helm.ValuesInput{Inline: []byte(`{"a":["global.fleet.clusterLabels.env"],"b":"global.fleet.clusterLabels.nope"}`), Context: context(), Labels: map[string]string{"env": "prod"}, DisablePreProcess: true}, map[string]any{"a": []any{"prod"}, "b": ""}},
		"templateValues lie over values": {helm.ValuesInput{Inline: []byte(`{"m":{"x":1,"y":1}}`), Templates: map[string]string{"m": "{x: ${ .ClusterValues.n }}"}, Context: context()}, map[string]any{"m": map[string]any{"x": 3.0, "y": 1.0}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := helm.ReadValues(files, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestValueTemplatesReachNothingOutside(t *testing.T) {
	for _, call := range []string{`env "HOME"`, `expandenv "$HOME"`, `getHostByName "localhost"`, `include "x" .`, `tpl "x" .`} {
		_, err := helm.ReadValues(nil, helm.ValuesInput{Templates: map[string]string{"a": "${ " + call + " }"}, Context: context()})
		if err == nil || !strings.Contains(err.Error(), "not defined") {
			t.Errorf("%s: got %v, want a function that is not defined", call, err)
		}
	}
}

func TestValueErrorsDoNotShowValues(t *testing.T) {
	for _, text := range []string{
		`${ "s3cret" | mustToDate "2006" }`, `${ mustRegexMatch "s3cret(" "x" }`, `${ fromJson "s3cret" | required }`, "a: b: s3cret",
		`${ index .ClusterLabels.env "s3cret" }`,
	} {
		_, err := helm.ReadValues(nil, helm.ValuesInput{Templates: map[string]string{"a": strings.ReplaceAll(text, "\\", "")}, Context: context()})
		if err == nil {
			t.Errorf("%s: no error", text)
			continue
		}
		// The template itself is no secret, what it was given is: only the call's result may not be quoted back.
		if after := err.Error(); strings.Contains(after[strings.LastIndex(after, "error calling")+1:], "s3cret") && strings.Contains(after, "error calling") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
