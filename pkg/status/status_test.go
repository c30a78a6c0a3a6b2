package status_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
	"github.com/muster-dev/muster/pkg/status"
)

var states = []protocol.State{
	protocol.StateReady, protocol.StatePending, protocol.StateApplying, protocol.StateRemoving,
	protocol.StateModified, protocol.StateNotReady, protocol.StateHeld, protocol.StateFailed,
}

// facing is a bundle that is assigned, acknowledged and not reported: Ready.
func facing(change func(*status.Facing)) status.Facing {
	f := status.Facing{
		UID: "u", Wanted: true, Generation: 3, Content: "c", Joined: true,
		Document: &protocol.Document{Assignment: "a", Epoch: 1, Revision: 9, Entries: []protocol.Entry{{UID: "u", Generation: 3, Content: "c", Revision: 7}}},
		Report:   &v1alpha1.ClusterReportSpec{Assignment: "a", Epoch: 1, Revision: 7},
	}
	change(&f)
	return f
}

func TestACellIsReadyOnlyIfTheClusterSaidSoOfWhatItShallRun(t *testing.T) {
	cases := map[string]struct {
		change func(*status.Facing)
		want   protocol.State // "" = nothing to say
	}{
		"acknowledged and not listed":          {func(*status.Facing) {}, protocol.StateReady},
		"a later revision acknowledged":        {func(f *status.Facing) { f.Report.Revision = 8 }, protocol.StateReady},
		"an older revision acknowledged":       {func(f *status.Facing) { f.Report.Revision = 6 }, protocol.StatePending},
		"another assignment acknowledged":      {func(f *status.Facing) { f.Report.Assignment = "b" }, protocol.StatePending},
		"another epoch acknowledged":           {func(f *status.Facing) { f.Report.Epoch = 2 }, protocol.StatePending},
		"no report":                            {func(f *status.Facing) { f.Report = nil }, protocol.StatePending},
		"no document":                          {func(f *status.Facing) { f.Document = nil }, protocol.StatePending},
		"not joined":                           {func(f *status.Facing) { f.Joined = false }, protocol.StatePending},
		"other content assigned":               {func(f *status.Facing) { f.Content = "newer" }, protocol.StatePending},
		"another generation assigned (revert)": {func(f *status.Facing) { f.Generation = 5 }, protocol.StatePending},
		"reported as failed": {func(f *status.Facing) {
			f.Report.Bundles = []v1alpha1.BundleReport{{UID: "u", State: "Failed", Generation: 3}}
			f.Report.NotReady = 1
		}, protocol.StateFailed},
		"another bundle reported": {func(f *status.Facing) {
			f.Report.Bundles = []v1alpha1.BundleReport{{UID: "x", State: "Failed"}}
			f.Report.NotReady = 1
		}, protocol.StateReady},
		"more are not ready than are listed": {func(f *status.Facing) { f.Report.NotReady = 1 }, protocol.StateApplying},
		"held":                               {func(f *status.Facing) { f.Held, f.Wanted = true, false }, protocol.StateHeld},
		"not wanted, still assigned":         {func(f *status.Facing) { f.Wanted = false }, protocol.StateRemoving},
		"not wanted, removal assigned": {func(f *status.Facing) {
			f.Wanted = false
			f.Document.Entries = nil
			f.Document.Removals = []protocol.Removal{{UID: "u"}}
		}, protocol.StateRemoving},
		"not wanted, nothing of it left":   {func(f *status.Facing) { f.Wanted = false; f.Document.Entries = nil }, ""},
		"not wanted, never had a document": {func(f *status.Facing) { f.Wanted = false; f.Document = nil }, ""},
		"another bundle's removal is no word": {func(f *status.Facing) {
			f.Wanted = false
			f.Document = &protocol.Document{Removals: []protocol.Removal{{UID: "x"}}}
		}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cell, ok := status.Judge(facing(c.change))
			if ok != (c.want != "") || cell.State != c.want {
				t.Errorf("got %+v, %v, want %q", cell, ok, c.want)
			}
			if ok && cell.State != protocol.StateReady && cell.State != protocol.StateFailed && cell.Message == "" {
				t.Error("does not say why")
			}
		})
	}
}

// Random changes of cells against a map that is counted anew each time.
func TestCountsAreTheSumOfTheCells(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		table := status.NewTable()
		oracle := map[[2]string]status.Cell{}
		for step := range 200 {
			bundle, cluster := fmt.Sprint("b", r.IntN(3)), fmt.Sprint("c", r.IntN(4))
			key := [2]string{bundle, cluster}
			old, had := oracle[key]
			if r.IntN(4) == 0 {
				if got := table.Clear(bundle, cluster); got != had {
					t.Fatalf("seed %d step %d: cleared %v, had %v", seed, step, got, had)
				}
				delete(oracle, key)
			} else {
				cell := status.Cell{State: states[r.IntN(len(states))], Generation: int64(r.IntN(2))}
				if got := table.Set(bundle, cluster, cell); got != (!had || old != cell) {
					t.Fatalf("seed %d step %d: changed %v from %+v to %+v", seed, step, got, old, cell)
				}
				if table.Set(bundle, cluster, cell) {
					t.Fatalf("seed %d step %d: replacing a cell twice changes something", seed, step)
				}
				oracle[key] = cell
			}
			for _, name := range []string{"b0", "b1", "b2"} {
				compareCounts(t, table.Bundle(name), oracle, 0, name)
			}
			for _, name := range []string{"c0", "c1", "c2", "c3"} {
				compareCounts(t, table.Cluster(name), oracle, 1, name)
			}
		}
	}
}

func compareCounts(t *testing.T, n status.Counts, oracle map[[2]string]status.Cell, side int, name string) {
	t.Helper()
	want, total, worst := map[protocol.State]int{}, 0, 0
	for key, cell := range oracle {
		if key[side] != name {
			continue
		}
		want[cell.State]++
		if cell.State != protocol.StateRemoving {
			total++
		}
		for i, s := range states {
			if s == cell.State {
				worst = max(worst, i)
			}
		}
	}
	sum := 0
	for _, s := range states {
		sum += n.Of(s)
		if n.Of(s) != want[s] {
			t.Fatalf("%s: %d cells are %s, want %d", name, n.Of(s), s, want[s])
		}
	}
	if n.Total() != total || sum != total+want[protocol.StateRemoving] || n.Worst() != states[worst] {
		t.Fatalf("%s: total %d, sum %d, worst %s; want %d, worst %s", name, n.Total(), sum, n.Worst(), total, states[worst])
	}
}

func TestAStateOfANewerAgentIsNotGood(t *testing.T) {
	table := status.NewTable()
	table.Set("b", "c", status.Cell{State: "Levitating"})
	if n := table.Bundle("b"); n.AllReady() || n.Of(protocol.StateNotReady) != 1 || n.Total() != 1 {
		t.Errorf("got %+v", n.Summary())
	}
	table.Clear("b", "c")
	if n := table.Bundle("b"); n.Total() != 0 || !n.AllReady() {
		t.Errorf("after it went: %+v", n.Summary())
	}
}

func TestAConditionsTimeChangesWithItsStatusOnly(t *testing.T) {
	first := time.Date(2026, 1, 1, 0, 0, 0, 5, time.UTC)
	a := status.Conditions(nil, 1, first, status.Verdict{Reason: "Pending", Message: "waits"}, "waits", "")
	same := status.Conditions(a, 1, first.Add(time.Hour), status.Verdict{Reason: "Pending", Message: "waits"}, "waits", "")
	if diff := cmp.Diff(a, same); diff != "" {
		t.Errorf("nothing changed, and yet:\n%s", diff)
	}
	other := status.Conditions(a, 2, first.Add(time.Hour), status.Verdict{Reason: "Failed", Message: "fails"}, "", "fails")
	ready := meta.FindStatusCondition(other, v1alpha1.ConditionReady)
	if !ready.LastTransitionTime.Time.Equal(first.Truncate(time.Second)) || ready.ObservedGeneration != 2 {
		t.Errorf("another reason of the same status: %+v", ready)
	}
	if meta.FindStatusCondition(other, v1alpha1.ConditionReconciling) != nil || meta.FindStatusCondition(other, v1alpha1.ConditionStalled) == nil {
		t.Errorf("got %+v", other)
	}
	done := status.Conditions(other, 2, first.Add(2*time.Hour), status.Verdict{Ready: true, Reason: "Ready"}, "", "")
	if r := meta.FindStatusCondition(done, v1alpha1.ConditionReady); len(done) != 1 || r.LastTransitionTime.Time.Equal(ready.LastTransitionTime.Time) {
		t.Errorf("got %+v", done)
	}
	held := status.Held(done, 2, first, []v1alpha1.Hold{{ID: "x", Reason: "LossHeld", Message: strings.Repeat("m", 5000)}})
	if c := meta.FindStatusCondition(held, v1alpha1.ConditionHeld); c == nil || len(c.Message) != 1024 {
		t.Errorf("held: %+v", c)
	}
	if left := status.Held(held, 2, first, nil); meta.FindStatusCondition(left, v1alpha1.ConditionHeld) != nil {
		t.Error("held after it was released")
	}
}

func TestExamplesAreTheWorstFirstAndBounded(t *testing.T) {
	table := status.NewTable()
	for i, s := range states {
		table.Set("b", fmt.Sprint("c", i), status.Cell{State: s, Message: strings.Repeat("x", 2000)})
	}
	examples := table.Examples("b", 3)
	var got []string
	for _, e := range examples {
		got = append(got, e.Cluster+" "+e.State)
		if len(e.Message) > 512 {
			t.Errorf("message of %d bytes", len(e.Message))
		}
	}
	if diff := cmp.Diff([]string{"c7 Failed", "c6 Held", "c5 NotReady"}, got); diff != "" {
		t.Errorf("examples (-want +got):\n%s", diff)
	}
}

func ExampleOf() {
	table := status.NewTable()
	table.Set("default/app", "default/eu-1", status.Cell{State: protocol.StateReady})
	table.Set("default/app", "default/us-1", status.Cell{State: protocol.StateFailed})
	v := status.Of(table.Bundle("default/app"), "clusters", []string{"default/us-1: quota exceeded"})
	fmt.Println(v.Reason, "-", v.Message)
	// Output: Failed - 1/2 clusters ready: 1 Failed; default/us-1: quota exceeded
}
