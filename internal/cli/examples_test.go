package cli_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/muster-dev/muster/examples"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// The example repository is what the demo deploys: it needs nothing from
// elsewhere and nothing that is not there yet.
func TestTheExamplesCanBeDeployed(t *testing.T) {
	files, err := fs.Sub(examples.Files, "fleet-repo")
	if err != nil {
		t.Fatal(err)
	}
	r := bundle.Load(bundle.DirTree(files), bundle.Repo{Name: "fleet", Spec: v1alpha1.GitRepoSpec{
		Targets: []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterName: "eu-1"}}},
	}})
	if len(r.Problems) > 0 || len(r.Bundles) < 7 {
		t.Errorf("%d bundles, problems %v, want at least 7 and none", len(r.Bundles), r.Problems)
	}
	for _, b := range r.Bundles {
		if len(b.Unsupported) > 0 {
			t.Errorf("%s uses %v, which the hub does not act on yet", b.Name, b.Unsupported)
		}
		if charts := bundle.RemoteCharts(b.Files, b.Spec); len(charts) > 0 {
			t.Errorf("%s needs charts from elsewhere: %v", b.Name, charts)
		}
	}
}

func TestTheExamplesRenderForAnyCluster(t *testing.T) {
	for _, labels := range []string{"", " --labels env=prod,region=ap", " --labels env=canary", " --labels region=eu"} {
		got := run(t, strings.Fields("muster render ../../examples/fleet-repo --cluster one"+labels))
		if got["exit"] != "0\n" || got["stderr"] != "" || !strings.Contains(got["stdout"], "kind: ") {
			t.Errorf("cluster with%s: exit %s, stderr:\n%s", labels, got["exit"], got["stderr"])
		}
	}
}
