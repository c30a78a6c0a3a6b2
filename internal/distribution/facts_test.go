package distribution_test

import (
	"testing"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/renderer"
)

func TestClustersOfOneClassAreCapableOfTheSame(t *testing.T) {
	var book distribution.FactBook
	apis := func() []string { return []string{"apps/v1", "v1"} } // a new list each time
	a := book.Class("w/a", renderer.Facts{KubeVersion: "v1.31.1", APIVersions: apis()})
	cases := map[string]struct {
		cluster string
		facts   renderer.Facts
		same    bool
	}{
		"another cluster like it":  {"w/b", renderer.Facts{KubeVersion: "v1.31.1", APIVersions: apis()}, true},
		"labels do not count":      {"w/c", renderer.Facts{KubeVersion: "v1.31.1", APIVersions: apis(), Labels: map[string]string{"a": "b"}}, true},
		"another version":          {"w/d", renderer.Facts{KubeVersion: "v1.31.2", APIVersions: apis()}, false},
		"another API":              {"w/e", renderer.Facts{KubeVersion: "v1.31.1", APIVersions: append(apis(), "x/v1")}, false},
		"the same cluster, looked": {"w/a", renderer.Facts{KubeVersion: "v1.31.1", APIVersions: apis()}, true},
		"nothing known":            {"w/f", renderer.Facts{}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := book.Class(c.cluster, c.facts) == a; got != c.same {
				t.Errorf("of the same class: %v, want %v", got, c.same)
			}
		})
	}
	if book.Class("w/a", renderer.Facts{KubeVersion: "v1.32.0", APIVersions: apis()}) == a {
		t.Error("an upgraded cluster keeps its class")
	}
}

func TestWhichQuestionsAreAboutLabels(t *testing.T) {
	for question, want := range map[string]bool{
		"clusterLabels": true, "KubeVersion.Minor": false, "APIVersions.Has apps/v1": false, "everything": false, "unknown": false,
	} {
		if got := distribution.AsksLabels(map[string]string{question: "x"}); got != want {
			t.Errorf("%s: %v, want %v", question, got, want)
		}
	}
}
