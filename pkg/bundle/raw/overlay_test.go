package raw_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/bundle/raw"
)

const app = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n"

func ExampleRender_overlays() {
	objects, err := raw.Render([]bundle.File{
		{Path: "app.yaml", Data: []byte(app)},
		{Path: "overlays/prod/app_patch.yaml", Data: []byte("spec: {replicas: 3}\n")},
		{Path: "overlays/prod/extra.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n")},
	}, raw.Options{Overlays: []string{"prod"}})
	for _, o := range objects {
		fmt.Println(o.File, o.Kind, o.Name, o.Body["spec"])
	}
	fmt.Println(err)
	// Output:
	// app.yaml Deployment web map[replicas:3]
	// overlays/prod/extra.yaml ConfigMap extra <nil>
	// <nil>
}

// Which file a patch means follows from its name alone, as in Fleet.
func TestTheNameOfAPatchNamesItsTarget(t *testing.T) {
	for name, target := range map[string]string{
		"app_patch.yaml":           "app.yaml",
		"app_patch.yml":            "app.yml",
		"app_patch.json":           "app.json",
		"deep/er/app_patch.yaml":   "deep/er/app.yaml",
		"app_patch.more.yaml":      "app.more.yaml",
		"app_patch_patch.yaml":     "app_patch.yaml",
		"in_patch.dir/a_patch.yml": "in_patch.dir/a.yml",
	} {
		objects, err := raw.Render([]bundle.File{
			{Path: target, Data: []byte(app)}, {Path: "overlays/x/" + name, Data: []byte("metadata: {labels: {patched: 'yes'}}")},
		}, raw.Options{Overlays: []string{"x"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if labels, _ := objects[0].Body["metadata"].(map[string]any)["labels"].(map[string]any); labels["patched"] != "yes" {
			t.Errorf("%s did not patch %s", name, target)
		}
	}
}

// What strangers patch with what either works or is refused with the file that is wrong.
func FuzzPatch(f *testing.F) {
	for _, patch := range []string{
		"spec: {replicas: 3}", "$patch: delete", "$patch: replace\nspec: {}", "spec: {$retainKeys: [a], b: 1}", "- {op: copy, from: '', path: /a}", "[]", "- {op: move, path: /a}",
		"spec: {template: {spec: {containers: [{name: a}, {$patch: delete, name: b}], $setElementOrder/containers: [{name: a}]}}}", "metadata: []", "kind: List\nitems: [1, null]", "null", "- 1",
		"spec: {$deleteFromPrimitiveList/finalizers: [a]}", "metadata: {finalizers: [a], $deleteFromPrimitiveList/finalizers: [b]}", "kind: Deployment\nmetadata: {name: other}\n---\n$patch: 7",
	} {
		f.Add([]byte(app), []byte(patch))
	}
	f.Add([]byte("kind: List\napiVersion: v1\nitems: [{kind: A, metadata: {name: x}}, 3]"), []byte("kind: A\nmetadata: {name: x}\n$patch: delete"))
	f.Add([]byte("apiVersion: example.com/v1\nkind: W\nmetadata: {name: w}\nspec: 1"), []byte("spec: {a: {b: null}}"))
	f.Fuzz(func(t *testing.T, object, patch []byte) {
		if len(object)+len(patch) > 4096 {
			return
		}
		files := []bundle.File{{Path: "a.yaml", Data: object}, {Path: "overlays/x/a_patch.yaml", Data: patch}}
		_, err := raw.Render(files, raw.Options{Overlays: []string{"x"}, MaxObjects: 100})
		var fault *manifest.Fault
		if err != nil && (!errors.As(err, &fault) || fault.Code == "" || fault.File == "") {
			t.Fatalf("%q patched with %q: %v is not a fault of a file", object, patch, err)
		}
	})
}
