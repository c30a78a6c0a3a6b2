package distribution_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/distribution"
)

// Wants as the first version stored them, of a chart on three clusters.
const storedByTheFirstVersion = `{"v":1,"variants":[` +
	`{"c":"AAAA","i":"AAAA","o":"digest-0011223344556677"},{"c":"BBBB","i":"CCCC","o":"digest-8899aabbccddeeff"}],` +
	`"clusters":{"w/a":{"v":0,"g":1},"w/b":{"v":1,"g":2},"w/c":{"v":0,"g":1,"r":true}},"held":["w/d"]}`

func TestWantsOfTheFirstVersionAreReadAndPlannedToTheSameBytes(t *testing.T) {
	stored, err := distribution.DecodeWants([]byte(storedByTheFirstVersion))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := stored.Encode()
	if err != nil || string(blob.Data) != storedByTheFirstVersion {
		t.Errorf("written again, %v: %s", err, blob.Data)
	}
	// Planning what is there changes nothing but what a plan does not keep: holds.
	var outcomes []distribution.Outcome
	for _, cluster := range []string{"w/a", "w/b", "w/c"} {
		v, _, _ := stored.VariantOf(cluster)
		outcomes = append(outcomes, distribution.Outcome{Cluster: cluster, Variant: v})
	}
	planned := plan(2, stored, outcomes...)
	stored.HeldClusters = nil
	if got, want := encoded(t, planned.Wants), encoded(t, stored); got != want || planned.Generation != 2 {
		t.Errorf("planned at generation %d:\n%s\nwant\n%s", planned.Generation, got, want)
	}
	if v, _, _ := stored.VariantOf("w/b"); !v.Volatile() {
		t.Error("a variant whose identity is not its content is not called volatile")
	}
}

func TestEqualWantsHaveEqualBytes(t *testing.T) {
	build := func() distribution.Wants {
		clusters := map[string]distribution.Variant{}
		for i := range 40 {
			answers := map[string]string{"KubeVersion.Minor": fmt.Sprint(31 + i%4), "APIVersions.Has x/v1": fmt.Sprint(i%2 == 0)}
			clusters[fmt.Sprintf("w/c%02d", i)] = distribution.Variant{Content: "same", Identity: "same", Options: "o", Answers: answers}
		}
		return distribution.BuildWants(clusters, 1)
	}
	first := build()
	if len(first.Variants) != 4 {
		t.Errorf("%d variants for 4 sets of answers", len(first.Variants))
	}
	want := encoded(t, first)
	for range 20 {
		if got := encoded(t, build()); got != want {
			t.Fatalf("equal wants differ:\n%s\n%s", want, got)
		}
	}
	back, err := distribution.DecodeWants([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, back); diff != "" {
		t.Errorf("stored and read again (-want +got):\n%s", diff)
	}
}

func TestTheSameIdentityTakesOverNewAnswers(t *testing.T) {
	old := got("a", "1")
	old.Variant.Answers = map[string]string{"KubeVersion.Minor": "31"}
	now := got("a", "1")
	now.Variant.Answers = map[string]string{"KubeVersion.Minor": "32"}
	out := plan(1, plan(0, distribution.Wants{}, old).Wants, now)
	v, want, _ := out.Wants.VariantOf("a")
	if v.Answers["KubeVersion.Minor"] != "32" || want.Generation != 1 || out.Generation != 1 {
		t.Errorf("got %+v at generation %d of %d", v, want.Generation, out.Generation)
	}
}

func TestAnswersAreStoredUnderShortNamesAndLeftOutWhenThereAreNone(t *testing.T) {
	for _, c := range []struct {
		variant distribution.Variant
		want    string
	}{
		{distribution.Variant{Content: "c", Identity: "i"}, `{"c":"c","i":"i"}`},
		{distribution.Variant{Content: "c", Identity: "i", Options: "o", Answers: map[string]string{"q": "a"}}, `{"c":"c","i":"i","o":"o","a":{"q":"a"}}`},
	} {
		data, err := json.Marshal(c.variant)
		if err != nil || string(data) != c.want {
			t.Errorf("%s, %v, want %s", data, err, c.want)
		}
	}
}
