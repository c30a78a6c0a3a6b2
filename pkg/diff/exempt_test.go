package diff_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/diff"
)

func TestExemptFieldsAreLeftOutOfWhatIsDesired(t *testing.T) {
	web := diff.Object{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web-1"}
	pointers := []string{"/spec/replicas"}
	const whole, stripped = `{"metadata":{"name":"web-1"},"spec":{"replicas":3,"list":[1,{"a":1,"b":2},3],"a/b":1}}`,
		`{"metadata":{"name":"web-1"},"spec":{"list":[1,{"a":1,"b":2},3],"a/b":1}}`
	for name, c := range map[string]struct {
		patch v1alpha1.ComparePatch
		want  string
	}{
		"everything named":      {v1alpha1.ComparePatch{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web-1", JSONPointers: pointers}, stripped},
		"nothing named":         {v1alpha1.ComparePatch{JSONPointers: pointers}, stripped},
		"another version":       {v1alpha1.ComparePatch{APIVersion: "apps/v1beta1", Kind: "Deployment", JSONPointers: pointers}, stripped},
		"another group":         {v1alpha1.ComparePatch{APIVersion: "v1", Kind: "Deployment", JSONPointers: pointers}, whole},
		"another kind":          {v1alpha1.ComparePatch{APIVersion: "apps/v1", Kind: "StatefulSet", JSONPointers: pointers}, whole},
		"another namespace":     {v1alpha1.ComparePatch{Namespace: "other", JSONPointers: pointers}, whole},
		"a regular expression":  {v1alpha1.ComparePatch{Name: "web-[0-9]+", JSONPointers: pointers}, stripped},
		"an expression in part": {v1alpha1.ComparePatch{Name: "web", JSONPointers: pointers}, whole},
		"no expression at all":  {v1alpha1.ComparePatch{Name: "web-1(", JSONPointers: pointers}, whole},
		"a removal":             {v1alpha1.ComparePatch{Operations: []v1alpha1.Operation{{Op: "remove", Path: "/spec/replicas"}}}, stripped},
		"another operation":     {v1alpha1.ComparePatch{Operations: []v1alpha1.Operation{{Op: "add", Path: "/spec/replicas"}}}, whole},
		"in a list":             {v1alpha1.ComparePatch{JSONPointers: []string{"/spec/list/1/b", "/spec/list/2", "/spec/a~1b"}}, `{"metadata":{"name":"web-1"},"spec":{"replicas":3,"list":[1,{"a":1}]}}`},
		"nowhere":               {v1alpha1.ComparePatch{JSONPointers: []string{"", "/", "x", "/spec/list/9", "/spec/list/x/y", "/none/of", "/spec/replicas/x"}}, whole},
	} {
		t.Run(name, func(t *testing.T) {
			desired := decode(t, whole)
			diff.NewExemptions([]v1alpha1.ComparePatch{c.patch}).Strip(web, desired)
			if d := cmp.Diff(decode(t, c.want), desired); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestAWholeObjectIsExemptByAnIgnoreOnly(t *testing.T) {
	job := diff.Object{Group: "batch", Kind: "Job", Namespace: "shop", Name: "once"}
	ignore := []v1alpha1.Operation{{Op: "ignore"}}
	for name, c := range map[string]struct {
		patch v1alpha1.ComparePatch
		want  bool
	}{
		"ignored":        {v1alpha1.ComparePatch{APIVersion: "batch/v1", Kind: "Job", Name: "on.*", Operations: ignore}, true},
		"another":        {v1alpha1.ComparePatch{APIVersion: "batch/v1", Kind: "Job", Name: "twice", Operations: ignore}, false},
		"fields of it":   {v1alpha1.ComparePatch{Kind: "Job", JSONPointers: []string{"/spec"}}, false},
		"a part removed": {v1alpha1.ComparePatch{Kind: "Job", Operations: []v1alpha1.Operation{{Op: "remove", Path: "/spec"}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := diff.NewExemptions([]v1alpha1.ComparePatch{c.patch}).Whole(job); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
