package lab

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func aCluster(name string, connected metav1.ConditionStatus) v1alpha1.Cluster {
	return v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     v1alpha1.ClusterStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionConnected, Status: connected}}},
	}
}

func anAssignment(t *testing.T, cluster string, d protocol.Document) v1alpha1.Assignment {
	t.Helper()
	d.Assignment = "a-" + cluster
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Name: "default." + cluster}, Spec: v1alpha1.AssignmentSpec{Document: string(text)}}
}

func aReport(cluster string, revision int64, bundles ...v1alpha1.BundleReport) v1alpha1.ClusterReport {
	return v1alpha1.ClusterReport{
		ObjectMeta: metav1.ObjectMeta{Name: "default." + cluster},
		Spec:       v1alpha1.ClusterReportSpec{Assignment: "a-" + cluster, Revision: revision, Bundles: bundles},
	}
}

// A bundle is Pending until its cluster acknowledged it, then what the report
// says, else Ready; what no assignment names is not there.
func TestBoardShowsEachStateWhereItHolds(t *testing.T) {
	shop := protocol.Entry{Bundle: "shop", UID: "u1", Revision: 3}
	tools := protocol.Entry{Bundle: "tools", UID: "u2", Revision: 5}
	b := newBoard(
		[]v1alpha1.GitRepo{{
			ObjectMeta: metav1.ObjectMeta{Name: "fleet"},
			Status: v1alpha1.GitRepoStatus{Commit: "0123456789abcdef", Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: "False", Reason: "InvalidBundle", Message: "a.yaml:3: is wrong"},
			}},
		}},
		[]v1alpha1.Cluster{aCluster("us-1", "True"), aCluster("eu-1", "False")},
		[]v1alpha1.Assignment{
			anAssignment(t, "eu-1", protocol.Document{Entries: []protocol.Entry{shop, tools}}),
			anAssignment(t, "us-1", protocol.Document{Entries: []protocol.Entry{shop}, Removals: []protocol.Removal{{Bundle: "tools"}}}),
		},
		[]v1alpha1.ClusterReport{aReport("eu-1", 4), aReport("us-1", 6, v1alpha1.BundleReport{UID: "u1", State: "Modified"})},
	)
	want := strings.TrimSpace(`
GitRepo fleet at 01234567: InvalidBundle: a.yaml:3: is wrong
BUNDLE   eu-1 (away)   us-1
shop     Ready         Modified
tools    Pending       Removing`)
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("board (-want +got):\n%s", diff)
	}
}

// A report of an earlier Assignment says nothing of this one.
func TestBoardDoesNotBelieveAReportOfAnotherAssignment(t *testing.T) {
	report := aReport("eu-1", 9)
	report.Spec.Assignment = "an older one"
	b := newBoard(nil, []v1alpha1.Cluster{aCluster("eu-1", "True")},
		[]v1alpha1.Assignment{anAssignment(t, "eu-1", protocol.Document{Entries: []protocol.Entry{{Bundle: "shop", UID: "u1", Revision: 1}}})},
		[]v1alpha1.ClusterReport{report})
	if got := b.cells["shop"]["eu-1"]; got != "Pending" {
		t.Errorf("shop on eu-1 is %q, want Pending", got)
	}
}

// Above six clusters there is a line for each, with counts.
func TestBoardCountsWhenThereAreManyClusters(t *testing.T) {
	var clusters []v1alpha1.Cluster
	var assignments []v1alpha1.Assignment
	var reports []v1alpha1.ClusterReport
	for _, c := range NumberedClusters(7) {
		clusters = append(clusters, aCluster(c.Name, "True"))
		assignments = append(assignments, anAssignment(t, c.Name, protocol.Document{Entries: []protocol.Entry{{Bundle: "shop", UID: "u1", Revision: 1}}}))
		reports = append(reports, aReport(c.Name, 1))
	}
	reports[1].Spec.Bundles = []v1alpha1.BundleReport{{UID: "u1", State: "Failed"}}
	lines := strings.Split(newBoard(nil, clusters, assignments, reports).String(), "\n")
	want := []string{"CLUSTER     READY   BUNDLES   OTHER", "cluster-1   1       1         ", "cluster-2   0       1         shop Failed"}
	if diff := cmp.Diff(want, lines[:3]); diff != "" || len(lines) != 8 {
		t.Errorf("board has %d lines, want 8; the first (-want +got):\n%s", len(lines), diff)
	}
}

// A redrawn board begins where the last one did, whatever the width.
func TestScreenDrawsOverItsLastDrawing(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out, terminal: true}
	s.draw("first\n" + strings.Repeat("x", 3*defaultWidth))
	s.draw("first\n" + strings.Repeat("x", 3*defaultWidth)) // the same: nothing to do
	s.draw("second")
	want := "first\n" + strings.Repeat("x", defaultWidth-1) + "\n\n" + "\x1b[3A\x1b[J" + "second\n\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
}
