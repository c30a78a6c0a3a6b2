package helm_test

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
)

func ExampleRender() {
	files := []bundle.File{
		{Path: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		{Path: "templates/web.yaml", Data: []byte(`apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {v1: "{{ .Capabilities.APIVersions.Has "policy/v1" }}"}
`)},
	}
	result, err := helm.Render(files, helm.Release{Name: "shop", Namespace: "shop", Facts: helm.Facts{APIVersions: []string{"v1"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Objects[0].Name, result.Objects[0].Body["data"])
	fmt.Println(result.Answers)
	// Output:
	// shop map[v1:false]
	// map[APIVersions.Has policy/v1:false]
}
