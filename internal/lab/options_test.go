package lab_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab"
)

func TestParseCluster(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		want    lab.Cluster
		problem string
	}{
		"a name alone":         {text: "eu-1", want: lab.Cluster{Name: "eu-1", Labels: map[string]string{}}},
		"labels":               {text: "eu-1=env=prod,region=eu", want: lab.Cluster{Name: "eu-1", Labels: map[string]string{"env": "prod", "region": "eu"}}},
		"a prefixed label":     {text: "a=example.com/tier=1", want: lab.Cluster{Name: "a", Labels: map[string]string{"example.com/tier": "1"}}},
		"the hub's name":       {text: "hub", problem: "the hub's own name"},
		"no name":              {text: "=env=prod", problem: "RFC 1123"},
		"an upper-case name":   {text: "EU", problem: "RFC 1123"},
		"a label without more": {text: "eu-1=env", problem: "invalid selector"},
		"a value too odd":      {text: "eu-1=env=a b", problem: "a valid label"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := lab.ParseCluster(c.text)
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Fatalf("ParseCluster(%q) = %v, %v; want an error with %q", c.text, got, err, c.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("ParseCluster(%q) (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

func TestNumberedClustersCarryTheirNumber(t *testing.T) {
	want := []lab.Cluster{
		{Name: "cluster-1", Labels: map[string]string{"n": "1"}}, {Name: "cluster-2", Labels: map[string]string{"n": "2"}},
	}
	if diff := cmp.Diff(want, lab.NumberedClusters(2)); diff != "" {
		t.Errorf("NumberedClusters(2) (-want +got):\n%s", diff)
	}
}

func TestADemoIsRefusedBeforeAnythingStarts(t *testing.T) {
	for name, c := range map[string]struct {
		options lab.DemoOptions
		problem string
	}{
		"a seed that is a file":        {lab.DemoOptions{SeedRepo: "options_test.go"}, "not a directory"},
		"a seed that is not there":     {lab.DemoOptions{SeedRepo: "/does/not/exist"}, "not a directory"},
		"a cluster named twice":        {lab.DemoOptions{Clusters: []string{"a", "a"}}, "named twice"},
		"a negative number":            {lab.DemoOptions{Count: -1}, "positive number"},
		"numbered and named":           {lab.DemoOptions{Count: 2, Clusters: []string{"a"}}, "positive number"},
		"a directory that has content": {lab.DemoOptions{DataDir: "."}, "not empty"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			c.options.Stdout, c.options.Stderr = &out, &out
			err := lab.Demo(t.Context(), c.options)
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("Demo() = %v, want an error with %q", err, c.problem)
			}
		})
	}
}
