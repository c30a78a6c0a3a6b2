package hub_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// questions as charts ask them.
const (
	askMinor  = "ConfigMap/one=ask KubeVersion.Minor"
	askLabels = "ConfigMap/one=ask clusterLabels"
)

func TestFactsThatChangeNoAnswerWriteAndRenderNothing(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.facts("a", "v1.31.1")
	h := w.process()
	h.deploy(chart(w.fromGit("asks", askMinor)), chart(w.fromGit("silent", "ConfigMap/two")))
	h.wantRenders(2)
	h.calls.take()

	w.facts("a", "v1.31.7")
	h.redeploy("asks", "silent")
	h.wantRenders(0)
	wantWrites(t, h)
	w.wantSays("a", "asks@1 silent@1")

	w.facts("a", "v1.32.0")
	h.redeploy("asks", "silent")
	h.wantRenders(1)
	wantWrites(t, h, "POST secrets", "PUT assignments", "PUT rollouts")
	w.wantSays("a", "asks@2 silent@1")
}

func TestLabelsAreFactsForThoseWhoAsk(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", map[string]string{"env": "prod"})
	h := w.process()
	h.deploy(chart(w.fromGit("asks", askLabels)), chart(w.fromGit("silent", "ConfigMap/two")))
	w.label("a", map[string]string{"env": "prod", "color": "blue"})
	if got := h.composer.Disagreeing(w.workspace+"/a", distribution.FactsOf(w.mustCluster("a"))); len(got) != 1 || got[0] != w.workspace+"/asks" {
		t.Errorf("bundles that a label concerns: %v", got)
	}
	h.redeploy("asks", "silent")
	w.wantSays("a", "asks@2 silent@1")
}

func TestClustersThatAnswerAlikeShareARender(t *testing.T) {
	w := newWorld(t)
	for i := range 12 {
		name := fmt.Sprintf("c%02d", i)
		w.cluster(name, nil)
		w.facts(name, fmt.Sprintf("v1.%d.%d", 31+i%2, i))
	}
	h := w.process()
	h.deploy(chart(w.fromGit("app", askMinor)))
	h.wantRenders(2)
	one, _ := h.contentOn("c00")
	two, _ := h.contentOn("c01")
	if again, _ := h.contentOn("c10"); again != one || one == two {
		t.Errorf("contents: %s and %s on 1.31, %s on 1.32", one, again, two)
	}

	// A stored variant serves a cluster that joins, also after a restart.
	w.cluster("late", nil)
	w.facts("late", "v1.32.99")
	h = w.process()
	h.redeploy("app")
	h.wantRenders(0)
	if id, _ := h.contentOn("late"); id != two {
		t.Errorf("the newcomer got %s, want %s", id, two)
	}
}

// What a chart would not render with is not known: other facts are tried.
func TestAChartThatDoesNotRenderIsTriedAgainWithOtherFacts(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.facts("a", "v1.31.1")
	h := w.process()
	h.deploy(chart(w.fromGit("app", "Broken/x")))
	h.redeploy("app")
	h.wantRenders(1)
	w.facts("a", "v1.31.2")
	h.redeploy("app")
	h.wantRenders(1)
}

// asPreviousVersion stores a bundle's wants as they were stored before renders
// said what they ask: named by all facts, with no answers.
func (h *hub) asPreviousVersion(name string, facts map[string]string) {
	h.t.Helper()
	r := h.rollout(name)
	wants, err := h.reader.Wants(h.t.Context(), h.workspace, r.Status.Wants)
	check(h.t, err)
	old := distribution.Wants{Version: 1, Clusters: wants.Clusters}
	sum := sha256.New()
	seen := map[int]bool{}
	for _, v := range wants.Variants {
		old.Variants = append(old.Variants, distribution.Variant{Content: v.Content, Identity: v.Identity})
	}
	for _, cluster := range sortedKeys(wants.Clusters) {
		i := wants.Clusters[cluster].Variant
		digest := sha256.Sum256([]byte(facts[cluster] + "\n"))
		key := wants.Variants[i].Options + "-" + hex.EncodeToString(digest[:8])
		if seen[i] && old.Variants[i].Options != key {
			h.t.Fatal("the previous version knew one set of facts for each variant")
		}
		old.Variants[i].Options, seen[i] = key, true
		for _, text := range []string{cluster, key, ""} {
			fmt.Fprintf(sum, "%d:%s", len(text), text)
		}
	}
	blob, err := old.Encode()
	check(h.t, err)
	check(h.t, h.store.Put(h.t.Context(), content.Pack{Workspace: h.workspace, Bundle: name, Blobs: []content.Blob{blob}}))
	files, _, _ := strings.Cut(r.Status.ObservedInputs, ".")
	r.Status.Wants, r.Status.ObservedInputs = string(blob.ID), files+"."+hex.EncodeToString(sum.Sum(nil)[:16])
	check(h.t, h.api.Update(h.t.Context(), r))
}

func TestAnUpgradeOfMusterWritesNothing(t *testing.T) {
	w := newWorld(t)
	facts := map[string]string{}
	for _, name := range []string{"a", "b"} {
		w.cluster(name, nil)
		w.facts(name, "v1.31.1")
		facts[w.workspace+"/"+name] = "v1.31.1"
	}
	h := w.process()
	h.deploy(chart(w.fromGit("app", askMinor)))
	h.asPreviousVersion("app", facts)
	before := w.says("a")

	h = w.process()
	h.all()
	h.deploy(chart(w.fromGit("app", askMinor)))
	wantWrites(t, h)
	h.wantRenders(0)

	// Facts that it counted and that change no answer are noted once, and redeploy nothing.
	w.facts("a", "v1.31.2")
	h.redeploy("app")
	wantWrites(t, h, "POST secrets", "PUT rollouts")
	w.facts("a", "v1.31.3")
	h.redeploy("app")
	wantWrites(t, h)
	w.wantSays("a", before)
}

func TestAPasswordThatThePreviousVersionSharedIsNotDrawnAnew(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.facts("a", "v1.31.1")
	h := w.process()
	h.deploy(chart(w.fromGit("app", "Secret/password=random")))
	shared, _ := h.contentOn("a")
	h.asPreviousVersion("app", map[string]string{w.workspace + "/a": "v1.31.1"})

	w.cluster("b", nil)
	w.facts("b", "v1.31.1")
	h = w.process()
	h.redeploy("app")
	if id, _ := h.contentOn("a"); id != shared {
		t.Errorf("a runs %s, had %s", id, shared)
	}
	if id, _ := h.contentOn("b"); id == shared {
		t.Error("a newcomer shares a's password")
	}
}

func TestTwoClustersDrawTwoPasswords(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.cluster("b", nil)
	h := w.process()
	h.deploy(chart(w.fromGit("app", "Secret/password=random", askMinor)))
	h.wantRenders(3) // one to see that it is volatile, one for each cluster
	a, item := h.contentOn("a")
	b, _ := h.contentOn("b")
	if a == b || !strings.Contains(string(item.Objects[0].Manifest), w.workspace+"/a-") {
		t.Fatalf("a has %s, b has %s: %s", a, b, item.Objects[0].Manifest)
	}
	h.calls.take()

	// A restart loses every memory of renders.
	h = w.process()
	h.all()
	h.deploy(chart(w.fromGit("app", "Secret/password=random", askMinor)))
	h.wantRenders(0)
	wantWrites(t, h)

	// An answer that changes nothing in the objects but what it is, and a newcomer: the others keep theirs.
	w.cluster("c", nil)
	h.redeploy("app")
	h.wantRenders(2)
	for cluster, had := range map[string]content.ID{"a": a, "b": b} {
		if id, _ := h.contentOn(cluster); id != had {
			t.Errorf("%s was drawn anew when c joined", cluster)
		}
	}
	if c, _ := h.contentOn("c"); c == a || c == b {
		t.Error("c shares a password")
	}
}

func TestAnUpgradeOfAChartRendersForEachClusterAndACommentForNone(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.cluster("b", nil)
	h := w.process()
	h.deploy(chart(w.fromGit("app", "Secret/password=random")))
	a, _ := h.contentOn("a")
	h.wantRenders(3)

	commented := chart(w.fromGit("app", "Secret/password=random"))
	commented.Inputs.Files[0].Data = append([]byte("# words\n"), commented.Inputs.Files[0].Data...)
	h.deploy(commented)
	h.wantRenders(1)
	if id, _ := h.contentOn("a"); id != a {
		t.Error("a comment has the password drawn anew")
	}

	h.deploy(chart(w.fromGit("app", "Secret/password=random", "ConfigMap/more")))
	h.wantRenders(3)
	w.wantSays("a", "app@2")
	newA, _ := h.contentOn("a")
	if b, _ := h.contentOn("b"); b == newA {
		t.Error("the upgrade made the clusters share a password")
	}
}

// templated gives every cluster options of its own.
func templated(d distribution.Desired) distribution.Desired {
	d.Bundle.Spec.Helm = &v1alpha1.HelmOptions{Values: &apiextensionsv1.JSON{Raw: []byte(`{"name":"${ .ClusterName }"}`)}}
	return d
}

// Clusters with different options are rendered side by side, and each gets its own.
func TestDifferentOptionsOfOneBundleAreRenderedSideBySide(t *testing.T) {
	w := newWorld(t)
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("c%d", i))
		w.cluster(names[i], nil)
	}
	h := w.process()
	arrived := make(chan struct{})
	h.rendering = func() {
		select {
		case arrived <- struct{}{}: // somebody else waits here
		case <-arrived:
		case <-time.After(patience):
			t.Error("one render waits for the other")
		}
	}
	h.deploy(templated(chart(w.fromGit("app", "ConfigMap/one"))))
	h.wantRenders(8)
	for _, name := range names {
		if got, want := h.shown(name, "context"), fmt.Sprintf("%q", name); got != want {
			t.Errorf("%s got the content of %s", name, got)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (w *world) mustCluster(name string) *v1alpha1.Cluster {
	w.t.Helper()
	var c v1alpha1.Cluster
	check(w.t, w.api.Get(w.t.Context(), client.ObjectKey{Namespace: w.workspace, Name: name}, &c))
	return &c
}
