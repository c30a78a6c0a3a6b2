package kustomize_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/kustomize"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

func ExampleBuild() {
	built, err := kustomize.Build([]bundle.File{
		{Path: "base/kustomization.yaml", Data: []byte("resources: [app.yaml]")},
		{Path: "base/app.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")},
		{Path: "dev/kustomization.yaml", Data: []byte("namePrefix: dev-\nresources: [../base]")},
	}, kustomize.Options{Dir: "dev"})
	for _, o := range built.Objects {
		fmt.Println(o.Kind, o.Name)
	}
	fmt.Println(err)
	// Output:
	// ConfigMap dev-web
	// <nil>
}

// Every way a kustomization has to name something, with an address in it: the
// scan has to refuse each, since on other systems than Linux nothing stands behind it.
func TestNoFieldMayNameAnAddress(t *testing.T) {
	const address = "http://127.0.0.1:1/x.yaml"
	inline := "|-\n    apiVersion: builtin\n    kind: PatchTransformer\n    metadata: {name: p}\n    path: " + address
	for _, text := range []string{
		"resources: [" + address + "]", "bases: [" + address + "]", "components: [" + address + "]",
		"crds: [" + address + "]", "configurations: [" + address + "]", "openapi: {path: " + address + "}",
		"generators: [" + address + "]", "transformers: [" + address + "]", "validators: [" + address + "]",
		"transformers:\n- " + inline, "generators:\n- " + inline, "validators:\n- " + inline,
		"patches: [{path: " + address + "}]", "patchesJson6902: [{path: " + address + "}]", "replacements: [{path: " + address + "}]",
		"patchesStrategicMerge: [" + address + "]",
		"configMapGenerator: [{name: a, files: [" + address + "]}]", "configMapGenerator: [{name: a, files: [k=" + address + "]}]",
		"configMapGenerator: [{name: a, envs: [" + address + "]}]", "secretGenerator: [{name: a, env: " + address + "}]",
		"ReSoUrCeS: [" + address + "]", "resources: []\nRESOURCES: [" + address + "]", "patches: [{PATH: " + address + "}]",
		"{\"resources\": [\"" + address + "\"]}", "x: &x [" + address + "]\nresources: *x",
	} {
		_, err := kustomize.Build([]bundle.File{{Path: "kustomization.yaml", Data: []byte(text)}}, kustomize.Options{})
		var fault *manifest.Fault
		if !errors.As(err, &fault) || fault.Code != manifest.RemoteRefused || fault.File != "kustomization.yaml" {
			t.Errorf("%s\ngot %v, want %s", text, err, manifest.RemoteRefused)
		}
	}
}

func TestABuildThatSetsTheSchemaSaysSo(t *testing.T) {
	for text, want := range map[string]bool{
		"namePrefix: a-":                   false,
		"openapi: {version: v1.21.2}":      true,
		"OpenAPI: {version: v1.21.2}":      true,
		"crds: [crd.json]":                 true,
		"resources: [sub]\nnamePrefix: b-": true,
	} {
		built, _ := kustomize.Build([]bundle.File{ // whether it builds is not the question
			{Path: "kustomization.yaml", Data: []byte(text)},
			{Path: "crd.json", Data: []byte("{}")},
			{Path: "sub/kustomization.yaml", Data: []byte("crds: [../crd.json]")},
		}, kustomize.Options{})
		if built.Tainted != want {
			t.Errorf("%s: tainted %v, want %v", text, built.Tainted, want)
		}
	}
}
