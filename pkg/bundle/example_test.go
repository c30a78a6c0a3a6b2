package bundle_test

import (
	"fmt"
	"testing/fstest"

	"github.com/muster-dev/muster/pkg/bundle"
)

func ExampleLoad() {
	tree := fstest.MapFS{
		"apps/web/fleet.yaml": {Data: []byte("namespace: web\n")},
		"apps/web/cm.yaml":    {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n")},
		"apps/api/fleet.yaml": {Data: []byte("namepsace: api\n")},
	}
	result := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "shop"})
	for _, b := range result.Bundles {
		fmt.Println(b.Name, b.Kind, b.Path, len(b.Files))
	}
	for _, p := range result.Problems {
		fmt.Printf("%s:%d:%d: %s; %s\n", p.File, p.Line, p.Column, p.Message, p.Suggestion)
	}
	// Output:
	// shop-apps-web raw apps/web 1
	// apps/api/fleet.yaml:1:1: unknown key "namepsace" in the file; did you mean namespace?
}
