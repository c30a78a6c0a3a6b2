package distribution_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// contents maps a content id to its keys: the tests' whole store.
type contents map[content.ID][]content.Key

func (c contents) keys(_ string, id content.ID) ([]content.Key, error) {
	keys, ok := c[id]
	if !ok {
		return nil, fmt.Errorf("no content %s", id)
	}
	return keys, nil
}

func wanted(uid string, gen int64, id content.ID) distribution.BundleWant {
	return distribution.BundleWant{Workspace: "default", Bundle: "b-" + uid, UID: uid, Verdict: distribution.Wanted, Generation: gen, Content: id}
}

func verdict(uid string, v distribution.Verdict) distribution.BundleWant {
	return distribution.BundleWant{Workspace: "default", Bundle: "b-" + uid, UID: uid, Verdict: v}
}

func composeInput(previous *protocol.Document, store contents, wants ...distribution.BundleWant) distribution.ComposeInput {
	return distribution.ComposeInput{
		Hub: "hub", Cluster: "cluster", Assignment: "assignment", Epoch: 1, Previous: previous, Wants: wants, Keys: store.keys,
		Trust: protocol.TrustSet{HubKeys: []string{"key"}},
	}
}

func mustCompose(t *testing.T, in distribution.ComposeInput) distribution.Composed {
	t.Helper()
	out, err := distribution.Compose(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func acknowledged(revision int64, heads ...protocol.Head) *distribution.Acknowledged {
	return &distribution.Acknowledged{Assignment: "assignment", Epoch: 1, Revision: revision, Heads: heads, Unsettled: map[string]bool{}}
}

func head(uid string) protocol.Head {
	return protocol.Head{UID: uid, Workspace: "default", Bundle: "b-" + uid, Generation: 1}
}

func TestTheSameWantsChangeNothing(t *testing.T) {
	store := contents{"c1": {"/ConfigMap/x/a"}}
	first := mustCompose(t, composeInput(nil, store, wanted("u1", 1, "c1")))
	if !first.Changed || first.Document.Revision != 1 {
		t.Fatalf("first document: changed %v, revision %d", first.Changed, first.Document.Revision)
	}
	again := mustCompose(t, composeInput(&first.Document, store, wanted("u1", 1, "c1")))
	if again.Changed {
		t.Errorf("composed again:\n%s", cmp.Diff(first.Document, again.Document))
	}
}

func TestAnEntryKeepsTheRevisionInWhichItChanged(t *testing.T) {
	store := contents{"c1": {"/ConfigMap/x/a"}, "c2": {"/ConfigMap/x/b"}, "c3": {"/ConfigMap/x/b"}}
	first := mustCompose(t, composeInput(nil, store, wanted("u1", 1, "c1"), wanted("u2", 1, "c2")))
	second := mustCompose(t, composeInput(&first.Document, store, wanted("u1", 1, "c1"), wanted("u2", 2, "c3")))
	got := map[string]int64{}
	for _, e := range second.Document.Entries {
		got[e.UID] = e.Revision
	}
	if diff := cmp.Diff(map[string]int64{"u1": 1, "u2": 2}, got); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatIsKnownToBeUnwantedIsRemoved(t *testing.T) {
	store := contents{"c1": {"/ConfigMap/x/a"}}
	before := mustCompose(t, composeInput(nil, store, wanted("u1", 1, "c1"))).Document
	cases := map[string]struct {
		wants    []distribution.BundleWant
		entries  int
		removals int
		left     int
	}{
		"known not to be wanted":    {[]distribution.BundleWant{verdict("u1", distribution.NotWanted)}, 0, 1, 0},
		"wants that cannot be read": {[]distribution.BundleWant{verdict("u1", distribution.Unknown)}, 1, 0, 0},
		"nobody speaks of it":       {nil, 1, 0, 0},
		"a loss that is held":       {[]distribution.BundleWant{verdict("u1", distribution.HeldLoss)}, 0, 0, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out := mustCompose(t, composeInput(&before, store, c.wants...))
			d := out.Document
			if len(d.Entries) != c.entries || len(d.Removals) != c.removals || len(out.Unassigned) != c.left {
				t.Errorf("got %d entries, %d removals, %d unassigned, want %d, %d, %d",
					len(d.Entries), len(d.Removals), len(out.Unassigned), c.entries, c.removals, c.left)
			}
		})
	}
}

func TestARemovalStaysUntilAReportLacksTheHead(t *testing.T) {
	store := contents{"c1": {"/ConfigMap/x/a"}}
	first := mustCompose(t, composeInput(nil, store, wanted("u1", 1, "c1"))).Document
	removing := mustCompose(t, composeInput(&first, store, verdict("u1", distribution.NotWanted))).Document
	cases := map[string]struct {
		report *distribution.Acknowledged
		want   int
	}{
		"no report":                         {nil, 1},
		"an older revision, no head":        {acknowledged(1), 1},
		"the revision, head still there":    {acknowledged(2, head("u1")), 1},
		"the revision, head gone":           {acknowledged(2), 0},
		"another assignment, head gone":     {&distribution.Acknowledged{Assignment: "other", Epoch: 1, Revision: 9}, 1},
		"another epoch, head gone":          {&distribution.Acknowledged{Assignment: "assignment", Epoch: 2, Revision: 9}, 1},
		"a later revision, another's heads": {acknowledged(3, head("u9")), 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := composeInput(&removing, store)
			in.Report = c.report
			if got := len(mustCompose(t, in).Document.Removals); got != c.want {
				t.Errorf("got %d removals, want %d", got, c.want)
			}
		})
	}
}

func TestABundleThatIsWantedAgainIsNotRemoved(t *testing.T) {
	store := contents{"c1": {"/ConfigMap/x/a"}}
	first := mustCompose(t, composeInput(nil, store, wanted("u1", 1, "c1"))).Document
	removing := mustCompose(t, composeInput(&first, store, verdict("u1", distribution.NotWanted))).Document
	back := mustCompose(t, composeInput(&removing, store, wanted("u1", 3, "c1"))).Document
	if len(back.Removals) != 0 || len(back.Entries) != 1 || back.Entries[0].Revision != back.Revision {
		t.Errorf("got %+v", back)
	}
}

func TestAHeadOfAnUnknownBundleIsShownAndKept(t *testing.T) {
	in := composeInput(nil, contents{})
	in.Report = acknowledged(0, head("stranger"))
	out := mustCompose(t, in)
	if len(out.Document.Removals) != 0 || len(out.Unassigned) != 1 {
		t.Errorf("got removals %v, unassigned %v", out.Document.Removals, out.Unassigned)
	}
}

func TestKeysThatMoveAreHandedOver(t *testing.T) {
	store := contents{
		"both": {"/ConfigMap/x/a", "/ConfigMap/x/b"}, "a": {"/ConfigMap/x/a"}, "b": {"/ConfigMap/x/b"}, "other": {"/ConfigMap/x/z"},
	}
	cases := map[string]struct {
		before, after []distribution.BundleWant
		want          []string
	}{
		"a rename": {
			[]distribution.BundleWant{wanted("old", 1, "both")},
			[]distribution.BundleWant{verdict("old", distribution.NotWanted), wanted("new", 1, "both")},
			[]string{"/ConfigMap/x/a old>new", "/ConfigMap/x/b old>new"},
		},
		"a split": {
			[]distribution.BundleWant{wanted("one", 1, "both")},
			[]distribution.BundleWant{wanted("one", 2, "a"), wanted("two", 1, "b")},
			[]string{"/ConfigMap/x/b one>two"},
		},
		"a move into a bundle that had it already": {
			[]distribution.BundleWant{wanted("one", 1, "both"), wanted("two", 1, "b")},
			[]distribution.BundleWant{wanted("one", 2, "a"), wanted("two", 1, "b")},
			[]string{"/ConfigMap/x/b one>two"},
		},
		"an ordinary edit": {
			[]distribution.BundleWant{wanted("one", 1, "both"), wanted("two", 1, "other")},
			[]distribution.BundleWant{wanted("one", 2, "a"), wanted("two", 1, "other")},
			nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := mustCompose(t, composeInput(nil, store, c.before...)).Document
			after := mustCompose(t, composeInput(&before, store, c.after...)).Document
			var got []string
			for _, h := range after.Handovers {
				got = append(got, fmt.Sprintf("%s %s>%s", h.Key, h.From, h.To))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("handovers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHandoverStaysUntilBothSidesAreSettled(t *testing.T) {
	store := contents{"both": {"/ConfigMap/x/a"}}
	before := mustCompose(t, composeInput(nil, store, wanted("old", 1, "both"))).Document
	moving := mustCompose(t, composeInput(&before, store, verdict("old", distribution.NotWanted), wanted("new", 1, "both"))).Document
	unsettled := acknowledged(2)
	unsettled.Unsettled["new"] = true
	vague := acknowledged(2)
	vague.More = true
	cases := map[string]struct {
		report *distribution.Acknowledged
		want   int
	}{
		"more are not ready than named": {vague, 1},
		"not acknowledged":              {acknowledged(1), 1},
		"the receiver is not ready":     {unsettled, 1},
		"the giver's head is there":     {acknowledged(2, head("old")), 1},
		"both settled":                  {acknowledged(2), 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := composeInput(&moving, store, wanted("new", 1, "both"))
			in.Report = c.report
			if got := len(mustCompose(t, in).Document.Handovers); got != c.want {
				t.Errorf("got %d handovers, want %d", got, c.want)
			}
		})
	}
}

func TestAHandoverWhoseReceiverLeftIsWithdrawn(t *testing.T) {
	store := contents{"both": {"/ConfigMap/x/a"}}
	before := mustCompose(t, composeInput(nil, store, wanted("old", 1, "both"))).Document
	moving := mustCompose(t, composeInput(&before, store, verdict("old", distribution.NotWanted), wanted("new", 1, "both"))).Document
	out := mustCompose(t, composeInput(&moving, store, wanted("old", 3, "both"), verdict("new", distribution.NotWanted))).Document
	for _, h := range out.Handovers {
		if h.To == "new" {
			t.Errorf("handover to a bundle that left is still there: %+v", h)
		}
	}
}

func TestAPausedBundleKeepsWhatItHas(t *testing.T) {
	store := contents{"c1": {"/ConfigMap/x/a"}, "c2": {"/ConfigMap/x/b"}}
	before := mustCompose(t, composeInput(nil, store, wanted("u1", 1, "c1"))).Document
	paused := wanted("u1", 2, "c2")
	paused.Paused = true
	fresh := wanted("u2", 1, "c2")
	fresh.Paused = true
	d := mustCompose(t, composeInput(&before, store, paused, fresh)).Document
	if len(d.Entries) != 1 || d.Entries[0].Generation != 1 || len(d.Paused) != 2 {
		t.Errorf("got entries %+v, paused %v", d.Entries, d.Paused)
	}
}

func TestManyEntriesGoToTheirOwnItem(t *testing.T) {
	store := contents{"c": {"/ConfigMap/x/a"}}
	var wants []distribution.BundleWant
	for i := range protocol.MaxEntries + 1 {
		wants = append(wants, wanted(fmt.Sprintf("u%04d", i), 1, "c"))
	}
	out := mustCompose(t, composeInput(nil, store, wants...))
	if out.EntryList == nil || len(out.EntryList.Entries) != protocol.MaxEntries+1 {
		t.Errorf("no entry list for %d entries", len(wants))
	}
}

func TestTheOrderOfWantsDoesNotMatter(t *testing.T) {
	store := contents{"c1": {"/ConfigMap/x/a"}, "c2": {"/ConfigMap/x/b"}}
	a := mustCompose(t, composeInput(nil, store, wanted("u1", 1, "c1"), wanted("u2", 1, "c2"))).Document
	b := mustCompose(t, composeInput(nil, store, wanted("u2", 1, "c2"), wanted("u1", 1, "c1"))).Document
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("order changes the document:\n%s", diff)
	}
}

func TestAReportThatNamesFewerThanItCountsIsVague(t *testing.T) {
	spec := v1alpha1.ClusterReportSpec{NotReady: 51, Bundles: []v1alpha1.BundleReport{{UID: "u1"}}}
	if got := distribution.AcknowledgedBy(&spec); !got.More || !got.Unsettled["u1"] {
		t.Errorf("got %+v", got)
	}
	spec.NotReady = 1
	if distribution.AcknowledgedBy(&spec).More {
		t.Error("a report that names all is called vague")
	}
}

func ExampleCompose() {
	keys := func(string, content.ID) ([]content.Key, error) { return []content.Key{"/ConfigMap/shop/settings"}, nil }
	first, err := distribution.Compose(distribution.ComposeInput{
		Keys:  keys,
		Wants: []distribution.BundleWant{{Workspace: "default", Bundle: "old", UID: "u1", Verdict: distribution.Wanted, Generation: 1, Content: "c1"}},
	})
	if err != nil {
		panic(err)
	}
	// The directory was renamed: one bundle leaves, another has its objects.
	second, err := distribution.Compose(distribution.ComposeInput{
		Keys: keys, Previous: &first.Document,
		Wants: []distribution.BundleWant{
			{Workspace: "default", Bundle: "old", UID: "u1", Verdict: distribution.NotWanted},
			{Workspace: "default", Bundle: "new", UID: "u2", Verdict: distribution.Wanted, Generation: 1, Content: "c2"},
		},
	})
	if err != nil {
		panic(err)
	}
	d := second.Document
	fmt.Println("revision", d.Revision, "runs", d.Entries[0].Bundle, "removes", d.Removals[0].Bundle)
	fmt.Println("handed over:", d.Handovers[0].Key)
	// Output:
	// revision 2 runs new removes old
	// handed over: /ConfigMap/shop/settings
}
