package hub_test

import (
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

// late makes a chart's values come from its clusters.
func late(d distribution.Desired) distribution.Desired {
	d = chart(d)
	d.Bundle.Spec.Helm = &v1alpha1.HelmOptions{ValuesFrom: []v1alpha1.ValuesFrom{{SecretKeyRef: &v1alpha1.KeyRef{Name: "values", Key: "v.yaml"}}}}
	return d
}

func TestWhatOnlyAClusterCanRenderTravelsAsSourceAndLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.cluster("b", nil)
	h := w.process()
	objects := append(many(10), "PersistentVolumeClaim/data")
	h.deploy(chart(w.fromGit("app", objects...)))
	h.wantRenders(1)

	h.deploy(late(w.fromGit("app", objects...)))
	h.wantRenders(0)
	if holds := w.rollout("app").Status.Holds; len(holds) != 0 {
		t.Fatalf("what is not known is held as lost: %+v", holds)
	}
	w.wantSays("a", "app@2")
	id, item := h.contentOn("a")
	if other, _ := h.contentOn("b"); other != id {
		t.Error("clusters with the same options have different source content")
	}
	s := item.Source
	if item.Kind != content.KindSource || s == nil || !strings.Contains(s.Reason, "values") || s.Renderer != "helm" ||
		!strings.Contains(string(s.Options), `"valuesFrom"`) || item.Options.Helm != "app" {
		t.Fatalf("content: %+v, source %+v", item, s)
	}
	data, err := h.store.Get(t.Context(), w.workspace, s.Inputs)
	check(t, err)
	inputs, err := distribution.DecodeInputs(data)
	check(t, err)
	if len(inputs.Files) != len(objects)+1 {
		t.Errorf("%d files travel, want %d", len(inputs.Files), len(objects)+1)
	}

	// Nobody wrote a thing: nothing is written.
	h.calls.take()
	h = w.process()
	h.all()
	h.deploy(late(w.fromGit("app", objects...)))
	wantWrites(t, h)

	h.deploy(chart(w.fromGit("app", objects...)))
	if holds := w.rollout("app").Status.Holds; len(holds) != 0 {
		t.Errorf("the way back is held: %+v", holds)
	}
	w.wantSays("a", "app@3")
}

// Only the hub knows a cluster's labels.
func TestLabelsTravelToChartsThatMayReadThem(t *testing.T) {
	cases := map[string]struct {
		template string
		want     bool
	}{
		"names them":       {"{{ .Values.global.fleet.clusterLabels.env }}", true},
		"executes values":  {"{{ tpl .Values.text . }}", true},
		"reads its values": {"{{ .Values.text }}", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cluster("a", map[string]string{"env": "prod"})
			w.cluster("b", map[string]string{"env": "test"})
			h := w.process()
			made := func() distribution.Desired {
				d := late(w.fromGit("app", "ConfigMap/one"))
				d.Inputs.Files = append(d.Inputs.Files, bundle.File{Path: "templates/t.yaml", Data: []byte(c.template)})
				return d
			}
			h.deploy(made())
			a, item := h.contentOn("a")
			b, _ := h.contentOn("b")
			if (a != b) != c.want || (item.Source.Labels["env"] == "prod") != c.want {
				t.Errorf("labels %v, contents %s and %s", item.Source.Labels, a, b)
			}
			h = w.process()
			h.calls.take()
			h.all()
			h.deploy(made())
			wantWrites(t, h)

			w.label("b", map[string]string{"env": "prod"})
			disagree := h.composer.Disagreeing(w.workspace+"/b", distribution.FactsOf(w.mustCluster("b")))
			h.redeploy("app")
			if b, _ = h.contentOn("b"); b != a || (len(disagree) == 1) != c.want {
				t.Errorf("b has %s with a's labels, a has %s; its label concerned %v", b, a, disagree)
			}
			w.wantSays("a", "app@1")
		})
	}
}

// Between source and manifests nothing is known to be lost; against the last
// good manifests it is.
func TestALossIsNotSmuggledThroughSource(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(chart(w.fromGit("app", "ConfigMap/one", "PersistentVolumeClaim/data")))
	h.deploy(late(w.fromGit("app", "ConfigMap/one")))
	h.deploy(chart(w.fromGit("app", "ConfigMap/one")))
	if len(w.rollout("app").Status.Holds) != 1 {
		t.Errorf("the deletion of a PersistentVolumeClaim is not held; the document says %q", w.says("a"))
	}
}

func TestAClusterThatLeavesABundleItRendersItselfCountsAsLost(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b"} {
		w.cluster(name, map[string]string{"env": "prod"})
	}
	h := w.process()
	prod := map[string]string{"env": "prod"}
	h.deploy(only(late(w.fromGit("app", "ConfigMap/one")), prod))
	h.deploy(only(late(w.fromGit("app", "ConfigMap/one")), map[string]string{"env": "none"}))
	if holds := w.rollout("app").Status.Holds; len(holds) != 1 || !strings.Contains(holds[0].Message, "2 of 2 clusters") {
		t.Errorf("holds: %+v", holds)
	}
}

// The files of source content stay as long as a document names the content.
func TestTheFilesOfAssignedSourceAreNotSwept(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(late(w.fromGit("app", "ConfigMap/one")))
	_, item := h.contentOn("a")
	w.editCluster("a", func(c *v1alpha1.Cluster) { c.Spec.Paused = true }) // it keeps its document
	h.deploy(late(w.fromGit("app", "ConfigMap/two")))
	h.deploy(late(w.fromGit("app", "ConfigMap/three")))
	if !h.reachable(t).Has(w.workspace, item.Source.Inputs) {
		t.Error("what the cluster is to render is not reachable")
	}

	w.editCluster("a", func(c *v1alpha1.Cluster) { c.Spec.Paused = false })
	h.mark(w.workspace + "/a")
	check(t, h.compose())
	h.remove("app")
	if h.reachable(t).Has(w.workspace, item.Source.Inputs) {
		t.Error("what nothing names any more stays for ever")
	}
}

func (h *hub) reachable(t *testing.T) distribution.ReachSet {
	t.Helper()
	set, err := distribution.Reachable(t.Context(), h.client, h.machine, h.reader, h.composer)
	check(t, err)
	check(t, set.FollowSources(t.Context(), h.reader, h.store.PackItems()))
	return set
}
