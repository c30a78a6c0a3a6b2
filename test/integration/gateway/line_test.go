package gateway_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/protocol"
)

func TestDocumentTravelsToTheAgentAndItsReportBack(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("eu-1")
	c := r.client(id)
	updates, _ := watching(t, c, "")

	manifest := `{"v":1,"kind":"manifests","bundle":"web"}`
	item := h.put(manifest)
	sent := time.Now()
	signature := h.compose(id, 0, 1, h.entry("u1", item, 1))
	u := next(t, "the first document", updates)
	t.Logf("from write to agent: %s", time.Since(sent))
	if u.Document.Revision != 1 || u.Envelope.Signature != signature {
		t.Fatalf("delivered revision %d, want 1 with the stored signature", u.Document.Revision)
	}
	data, err := c.Content(t.Context(), string(item))
	check(t, err)
	if string(data) != manifest {
		t.Fatalf("content %q, want %q", data, manifest)
	}

	await(t, "connected is stored", func() bool { return h.cluster("eu-1").Status.LastSeen != nil })
	r.calls.take()
	report := protocol.Report{
		Version: 1, Session: c.Session(), Sequence: 1, Assignment: u.Document.Assignment, Revision: 1, Signature: signature,
		Counts:   map[protocol.State]int{protocol.StateFailed: 1},
		Bundles:  []protocol.BundleReport{{UID: "u1", Generation: 1, State: protocol.StateFailed, Message: "no\x1b[31m way"}},
		NotReady: 1,
	}
	check(t, c.Report(t.Context(), report))
	if diff := cmp.Diff(map[string]int{"POST clusterreports": 1}, r.calls.take()); diff != "" {
		t.Errorf("requests for the first report (-want +got):\n%s", diff)
	}
	got := h.report("eu-1").Spec
	if len(got.Bundles) != 1 || got.Bundles[0].Message != "no\uFFFD[31m way" || got.Counts.Failed != 1 || got.Revision != 1 {
		t.Errorf("stored report: %+v", got)
	}

	report.Sequence, report.Bundles, report.NotReady = 2, nil, 0
	report.Counts = map[protocol.State]int{protocol.StateReady: 1}
	check(t, c.Report(t.Context(), report))
	if diff := cmp.Diff(map[string]int{"PUT clusterreports": 1}, r.calls.take()); diff != "" {
		t.Errorf("requests for a change (-want +got):\n%s", diff)
	}
	report.Sequence = 3
	check(t, c.Report(t.Context(), report))
	if diff := cmp.Diff(map[string]int{}, r.calls.take()); diff != "" {
		t.Errorf("requests for the same again (-want +got):\n%s", diff)
	}
}
