package raw_test

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/raw"
)

func ExampleRender() {
	objects, err := raw.Render([]bundle.File{
		{Path: "README.md", Data: []byte("# not a manifest")},
		{Path: "app.yaml", Data: []byte("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: key}\n")},
	}, raw.Options{})
	for _, o := range objects {
		fmt.Printf("%s:%d %s %s\n", o.File, o.Line, o.Kind, o.Name)
	}
	fmt.Println(err)
	// Output:
	// app.yaml:1 Service web
	// app.yaml:5 Secret key
	// <nil>
}
