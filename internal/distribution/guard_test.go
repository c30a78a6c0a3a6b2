package distribution_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

func TestALossIsTooMuchAboveFiveAndThirtyPercentOrAllOfSeveral(t *testing.T) {
	cases := []struct {
		lost, had int
		want      bool
	}{
		{0, 0, false}, {0, 10, false}, {1, 1, false}, {2, 2, true}, {1, 2, false}, {3, 3, true},
		{4, 5, false}, {5, 5, true}, {5, 10, false}, {6, 10, true}, {5, 6, false}, {6, 7, true},
		{6, 100, false}, {30, 100, false}, {31, 100, true}, {100, 100, true}, {3000, 10000, false}, {3001, 10000, true},
	}
	for _, c := range cases {
		if got := distribution.Exceeds(c.lost, c.had); got != c.want {
			t.Errorf("%d of %d: got %v, want %v", c.lost, c.had, got, c.want)
		}
	}
}

func TestAPersonsOwnActIsJudgedByCountOnly(t *testing.T) {
	claim := []string{"w/a /PersistentVolumeClaim/x/data"}
	cases := map[string]struct {
		loss         distribution.Loss
		content, own string // what the verdict says; "" lets it pass
	}{
		"nothing lost":       {distribution.Loss{HadClusters: 3}, "", ""},
		"an empty render":    {distribution.Loss{Empty: true, Objects: []string{"w/a k"}, WorstLost: 1, WorstHad: 1}, "nothing is left", ""},
		"a protected object": {distribution.Loss{Protected: claim, Objects: claim, WorstLost: 1, WorstHad: 9}, "1 protected", ""},
		"too many objects":   {distribution.Loss{Objects: []string{"1", "2", "3", "4", "5", "6"}, WorstLost: 6, WorstHad: 10}, "6 of 10 objects", "6 of 10 objects"},
		"too many clusters":  {distribution.Loss{Clusters: []string{"w/a", "w/b"}, HadClusters: 2}, "2 of 2 clusters", "2 of 2 clusters"},
		"one of two":         {distribution.Loss{Clusters: []string{"w/a"}, HadClusters: 2}, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for own, want := range map[bool]string{false: c.content, true: c.own} {
				if got := c.loss.Verdict(own); (want == "") != (got == "") || !strings.Contains(got, want) {
					t.Errorf("own act %v: got %q, want %q", own, got, want)
				}
			}
		})
	}
}

func TestProtectedKindsHoldDataOrOthersObjects(t *testing.T) {
	cases := map[distribution.Keyed]bool{
		{Key: "/Namespace//x"}:                                          true,
		{Key: "/PersistentVolume//x"}:                                   true,
		{Key: "/PersistentVolumeClaim/x/y"}:                             true,
		{Key: "apiextensions.k8s.io/CustomResourceDefinition//x.y"}:     true,
		{Key: "apps/StatefulSet/x/y", Claims: true}:                     true,
		{Key: "apps/StatefulSet/x/y"}:                                   false,
		{Key: "/ConfigMap/x/y"}:                                         false,
		{Key: "example.com/Namespace/x/y"}:                              false,
		{Key: "example.com/PersistentVolumeClaim/x/Namespace//x/claim"}: false,
	}
	for k, want := range cases {
		if got := k.Protected(); got != want {
			t.Errorf("%s (claims %v): got %v, want %v", k.Key, k.Claims, got, want)
		}
	}
}

func TestAHoldIsNamedAfterWhatWouldBeLost(t *testing.T) {
	a := distribution.Loss{Objects: []string{"w/a k1", "w/b k2"}, Clusters: []string{"w/c"}}
	b := distribution.Loss{Clusters: []string{"w/c"}, Objects: []string{"w/b k2", "w/a k1"}}
	if got, want := distribution.HoldID(a.Set()), distribution.HoldID(b.Set()); got != want {
		t.Errorf("the order of losses changes the id: %s, %s", got, want)
	}
	b.Objects = b.Objects[:1]
	if distribution.HoldID(a.Set()) == distribution.HoldID(b.Set()) {
		t.Error("other losses have the same id")
	}
	if !distribution.Covered(b.Set(), a.Set()) || distribution.Covered(a.Set(), b.Set()) {
		t.Error("an approval covers every subset, and nothing more")
	}
}

// keyed names objects of one content.
func keyed(keys ...content.Key) []distribution.Keyed {
	out := make([]distribution.Keyed, 0, len(keys))
	for _, k := range keys {
		out = append(out, distribution.Keyed{Key: k})
	}
	return out
}

func TestLossesAreCountedNetOfWhatOthersTakeOver(t *testing.T) {
	store := map[content.ID][]distribution.Keyed{
		"abc": keyed("/ConfigMap/x/a", "/ConfigMap/x/b", "/PersistentVolumeClaim/x/c"), "ab": keyed("/ConfigMap/x/a", "/ConfigMap/x/b"), "none": {},
	}
	at := func(clusters map[string]content.ID) distribution.Wants {
		variants := map[string]distribution.Variant{}
		for name, id := range clusters {
			variants[name] = distribution.Variant{Content: id, Identity: id}
		}
		return distribution.BuildWants(variants, 1)
	}
	both := map[string]content.ID{"w/a": "abc", "w/b": "abc"}
	cases := map[string]struct {
		after   map[string]content.ID
		moved   map[content.Key]bool
		gone    string
		deleted bool
		forgets bool
		want    distribution.Loss
	}{
		"nothing changes": {after: both, want: distribution.Loss{HadClusters: 2}},
		"one object everywhere": {after: map[string]content.ID{"w/a": "ab", "w/b": "ab"}, want: distribution.Loss{
			HadClusters: 2, WorstLost: 1, WorstHad: 3,
			Objects:   []string{"w/a /PersistentVolumeClaim/x/c", "w/b /PersistentVolumeClaim/x/c"},
			Protected: []string{"w/a /PersistentVolumeClaim/x/c", "w/b /PersistentVolumeClaim/x/c"},
		}},
		"that another bundle takes over": {
			after: map[string]content.ID{"w/a": "ab", "w/b": "ab"}, moved: map[content.Key]bool{"/PersistentVolumeClaim/x/c": true},
			want: distribution.Loss{HadClusters: 2},
		},
		"a cluster leaves": {after: map[string]content.ID{"w/a": "abc"}, want: distribution.Loss{
			HadClusters: 2, Clusters: []string{"w/b"},
			Objects:   []string{"w/b /ConfigMap/x/a", "w/b /ConfigMap/x/b", "w/b /PersistentVolumeClaim/x/c"},
			Protected: []string{"w/b /PersistentVolumeClaim/x/c"},
		}},
		"a cluster was deleted":                      {after: map[string]content.ID{"w/a": "abc"}, gone: "w/b", want: distribution.Loss{HadClusters: 1}},
		"a cluster leaves and objects stay":          {after: map[string]content.ID{"w/a": "abc"}, forgets: true, want: distribution.Loss{HadClusters: 2}},
		"an empty render on one of two":              {after: map[string]content.ID{"w/a": "abc", "w/b": "none"}, want: distribution.Loss{HadClusters: 2, Empty: true, WorstLost: 3, WorstHad: 3, Objects: []string{"w/b /ConfigMap/x/a", "w/b /ConfigMap/x/b", "w/b /PersistentVolumeClaim/x/c"}, Protected: []string{"w/b /PersistentVolumeClaim/x/c"}}},
		"the bundle is deleted and all of it moves":  {deleted: true, moved: map[content.Key]bool{"/ConfigMap/x/a": true, "/ConfigMap/x/b": true, "/PersistentVolumeClaim/x/c": true}, want: distribution.Loss{HadClusters: 2}},
		"what the cluster renders is not known":      {after: map[string]content.ID{"w/a": "source", "w/b": "source"}, want: distribution.Loss{HadClusters: 2}},
		"the bundle is deleted but objects are kept": {deleted: true, forgets: true, want: distribution.Loss{HadClusters: 2}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := distribution.MeasureLoss(distribution.LossInput{
				Before: at(both), After: at(c.after), Deleted: c.deleted, Forgets: c.forgets,
				Objects:        indexes(store),
				Gone:           func(cluster string) bool { return cluster == c.gone },
				OwnedElsewhere: func(_ string, k content.Key) (bool, error) { return c.moved[k], nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("loss (-want +got):\n%s", diff)
			}
		})
	}
}

// indexes knows what is stored; the content "source" is rendered on the cluster.
func indexes(store map[content.ID][]distribution.Keyed) func(distribution.Variant) (distribution.Index, error) {
	return func(v distribution.Variant) (distribution.Index, error) {
		if v.Content == "source" {
			return distribution.OnCluster(), nil
		}
		return distribution.Known(store[v.Content]), nil
	}
}

// Nothing is known of what runs, so no object is lost; a cluster is.
func TestALossOfWhatTheClusterRenderedIsCountedByCluster(t *testing.T) {
	source := distribution.Variant{Content: "source", Identity: "source"}
	before := distribution.BuildWants(map[string]distribution.Variant{"w/a": source, "w/b": source, "w/c": source}, 1)
	after := distribution.BuildWants(map[string]distribution.Variant{"w/a": {Content: "few", Identity: "few"}, "w/b": source}, 1)
	got, err := distribution.MeasureLoss(distribution.LossInput{
		Before: before, After: after,
		Objects:        indexes(map[content.ID][]distribution.Keyed{"few": keyed("/ConfigMap/x/a")}),
		Gone:           func(string) bool { return false },
		OwnedElsewhere: func(string, content.Key) (bool, error) { return false, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(distribution.Loss{HadClusters: 3, Clusters: []string{"w/c"}}, got); diff != "" {
		t.Errorf("loss (-want +got):\n%s", diff)
	}
}

// A thousand clusters with a password each are weighed by reading two indexes.
func TestContentThatDiffersInWhatWasDrawnIsReadOnce(t *testing.T) {
	before, after := map[string]distribution.Variant{}, map[string]distribution.Variant{}
	for i := range 1000 {
		name := fmt.Sprintf("w/c%04d", i)
		before[name] = distribution.Variant{Content: content.ID(fmt.Sprintf("old-%d", i)), Identity: "old"}
		after[name] = distribution.Variant{Content: content.ID(fmt.Sprintf("new-%d", i)), Identity: "new"}
	}
	reads := 0
	loss, err := distribution.MeasureLoss(distribution.LossInput{
		Before: distribution.BuildWants(before, 1), After: distribution.BuildWants(after, 2),
		Objects: func(v distribution.Variant) (distribution.Index, error) {
			reads++
			if v.Identity == "old" {
				return distribution.Known(keyed("/ConfigMap/x/a", "/Secret/x/password")), nil
			}
			return distribution.Known(keyed("/Secret/x/password")), nil
		},
		Gone:           func(string) bool { return false },
		OwnedElsewhere: func(string, content.Key) (bool, error) { return false, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if reads != 2 || len(loss.Objects) != 1000 {
		t.Errorf("%d reads, %d objects lost", reads, len(loss.Objects))
	}
}

func TestALossThatCannotBeWeighedIsNoLossOfNothing(t *testing.T) {
	broken := errors.New("content not found")
	_, err := distribution.MeasureLoss(distribution.LossInput{
		Before:  distribution.BuildWants(map[string]distribution.Variant{"w/a": {Content: "x"}}, 1),
		Objects: func(distribution.Variant) (distribution.Index, error) { return distribution.Known(nil), broken },
		Gone:    func(string) bool { return false },
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func guardInput(lost int) distribution.GuardInput {
	in := distribution.GuardInput{
		Bundle: "bundle/app", Planned: distribution.BuildWants(map[string]distribution.Variant{"w/a": {Content: "new"}}, 2),
		Left: []string{"w/gone"}, Loss: distribution.Loss{WorstLost: lost, WorstHad: 10, HadClusters: 1},
		Now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	for i := range lost {
		in.Loss.Objects = append(in.Loss.Objects, fmt.Sprintf("w/a k%d", i))
	}
	return in
}

func TestAHoldKeepsTheLossAndNothingElse(t *testing.T) {
	out, err := distribution.Guard(guardInput(8))
	if err != nil {
		t.Fatal(err)
	}
	_, want, ok := out.Wants.VariantOf("w/a")
	if out.Hold == nil || !ok || !want.Retain || want.Generation != 2 {
		t.Fatalf("hold %v, want %+v", out.Hold, want)
	}
	if diff := cmp.Diff([]string{"w/gone"}, out.Wants.HeldClusters); diff != "" {
		t.Errorf("held clusters:\n%s", diff)
	}
	if !strings.Contains(out.Hold.Message, "muster approve bundle/app "+out.Hold.ID) {
		t.Errorf("the hold does not say how to release it: %s", out.Hold.Message)
	}
}

func TestAnApprovalReleasesItsLossesAndEverySmallerOne(t *testing.T) {
	in := guardInput(8)
	in.Approve, in.By, in.Reason = distribution.HoldID(in.Loss.Set()), "jo", "meant"
	out, err := distribution.Guard(in)
	if err != nil {
		t.Fatal(err)
	}
	if out.Hold != nil || !out.Released || len(out.Approved) != 1 || out.Approved[0].By != "jo" || out.Approved[0].At.Nanosecond() != 0 {
		t.Fatalf("got %+v", out)
	}
	for lost, held := range map[int]bool{7: false, 8: false, 9: true} {
		later := guardInput(lost)
		later.Approved = out.Approved
		later.ApprovedSets = map[string][]string{out.Approved[0].Losses: in.Loss.Set()}
		got, err := distribution.Guard(later)
		if err != nil || (got.Hold != nil) != held || got.Released {
			t.Errorf("loss of %d after 8 were approved: hold %v, %v", lost, got.Hold, err)
		}
	}
}

func TestApprovalsAreBounded(t *testing.T) {
	in := guardInput(8)
	for i := range 20 {
		in.Approved = append(in.Approved, v1alpha1.Approval{Hold: fmt.Sprint(i)})
	}
	in.Approve = distribution.HoldID(in.Loss.Set())
	out, err := distribution.Guard(in)
	if err != nil || len(out.Approved) != 20 || out.Approved[19].Hold != in.Approve || !out.Released {
		t.Errorf("got %d approvals, released %v, %v", len(out.Approved), out.Released, err)
	}
}

func TestWhatIsHeldIsNotReleasedByAPersonsOwnAct(t *testing.T) {
	in := guardInput(1)
	in.Loss.Protected, in.OwnAct = in.Loss.Objects, true
	if out, err := distribution.Guard(in); err != nil || out.Hold != nil {
		t.Errorf("a person's own act is held: %v, %v", out.Hold, err)
	}
	in.Held = []v1alpha1.Hold{{ID: "earlier"}}
	if out, err := distribution.Guard(in); err != nil || out.Hold == nil {
		t.Errorf("a hold was released by an act of somebody else: %v", err)
	}
}
