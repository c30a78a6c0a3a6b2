package bundle_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

func zipped(t *testing.T, data []byte) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}

func TestAHandMadeBundleIsReadAndJudged(t *testing.T) {
	yes := true
	good := v1alpha1.BundleSpec{Resources: []v1alpha1.BundleResource{
		{Name: "z.yaml", Content: configMap},
		{Name: "a.yaml", Content: base64.StdEncoding.EncodeToString([]byte(configMap)) + "\n", Encoding: "base64"},
		{Name: "sub/b.yaml", Content: zipped(t, []byte(configMap)), Encoding: "base64+gz"},
		{Content: configMap},
	}}
	b, problems := bundle.HandMade("mine", good)
	var names []string
	for _, f := range b.Files {
		names = append(names, f.Path)
		if string(f.Data) != configMap {
			t.Errorf("%s is %q", f.Path, f.Data)
		}
	}
	if diff := cmp.Diff([]string{"a.yaml", "resource-3.yaml", "sub/b.yaml", "z.yaml"}, names); diff != "" || len(problems) != 0 || b.Kind != bundle.KindRaw {
		t.Errorf("problems %v, files (-want +got):\n%s", problems, diff)
	}
	remote := "oci://registry.example/app"
	for name, spec := range map[string]v1alpha1.BundleSpec{
		"helm.chart": {BundleOptions: v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{Chart: &remote}}},
		"dependsOn":  {DependsOn: []v1alpha1.Dependency{{Name: "x"}}},
	} {
		b, problems := bundle.HandMade("mine", spec)
		if len(problems) != 1 || problems[0].Severity != bundle.Error || !slices.Equal(b.Unsupported, []string{name}) {
			t.Errorf("%s: unsupported %v, problems %v", name, b.Unsupported, problems)
		}
	}
	bad := map[string]v1alpha1.BundleSpec{
		bundle.CodeUnreadable:    {Resources: []v1alpha1.BundleResource{{Name: "a.yaml", Content: "!", Encoding: "base64"}}},
		bundle.CodeInvalidPath:   {Resources: []v1alpha1.BundleResource{{Name: "../a.yaml", Content: configMap}}},
		bundle.CodePathCollision: {Resources: []v1alpha1.BundleResource{{Name: "a.yaml", Content: configMap}, {Name: "A.yaml", Content: configMap}}},
		bundle.CodeInvalidObject: {Resources: []v1alpha1.BundleResource{{Name: "a.yaml", Content: "a: b\n"}}},
		bundle.CodeNotSupported:  {BundleOptions: v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{Atomic: &yes}}},
		bundle.CodeInvalidValue:  {TargetCustomizationMode: "Sometimes"},
	}
	for code, spec := range bad {
		if _, problems := bundle.HandMade("mine", spec); !slices.ContainsFunc(problems, func(p bundle.Problem) bool {
			return p.Code == code && p.Severity == bundle.Error && p.Bundle == "mine"
		}) {
			t.Errorf("%s: %v", code, problems)
		}
	}
	taken := v1alpha1.BundleSpec{Resources: []v1alpha1.BundleResource{{Name: bundle.ChartRef{Chart: remote}.File(), Content: "x"}}}
	if b, problems := bundle.HandMade("mine", taken); len(b.Files) != 0 || len(problems) != 1 || problems[0].Code != bundle.CodeInvalidPath {
		t.Errorf("a resource in the place of a fetched chart: %d files, %v", len(b.Files), problems)
	}
	bomb := v1alpha1.BundleResource{Name: "a.yaml", Content: zipped(t, make([]byte, 16<<20)), Encoding: "base64+gz"}
	if b, problems := bundle.HandMade("mine", v1alpha1.BundleSpec{Resources: []v1alpha1.BundleResource{bomb}}); len(b.Files) != 0 || len(problems) != 1 {
		t.Errorf("a resource that unpacks to 16 MiB: %d files, %v", len(b.Files), problems)
	}
}
