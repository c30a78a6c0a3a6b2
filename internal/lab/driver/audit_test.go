package driver_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab/driver"
)

func TestKeysOfAuditEvents(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"an object":    {`{"verb":"patch","objectRef":{"resource":"configmaps","namespace":"a","name":"b"}}`, "configmaps/a/b"},
		"a group":      {`{"objectRef":{"resource":"deployments","apiGroup":"apps","namespace":"a","name":"b"}}`, "deployments.apps/a/b"},
		"a status":     {`{"objectRef":{"resource":"gitrepos","apiGroup":"muster.dev","subresource":"status","namespace":"a","name":"b"}}`, "gitrepos.muster.dev/status/a/b"},
		"a namespace":  {`{"objectRef":{"resource":"namespaces","namespace":"a","name":"a"}}`, "namespaces//a"},
		"no object":    {`{"requestURI":"/openapi/v3"}`, "/openapi/v3"},
		"cluster-wide": {`{"objectRef":{"resource":"nodes","name":"n"}}`, "nodes//n"},
	} {
		t.Run(name, func(t *testing.T) {
			var event driver.Event
			if err := json.Unmarshal([]byte(c.line), &event); err != nil {
				t.Fatal(err)
			}
			if got := event.Key(); got != c.want {
				t.Errorf("Key() = %q, want %q", got, c.want)
			}
		})
	}
}

func TestRequestsAreCountedWithoutLeases(t *testing.T) {
	before := driver.Requests{"GET pods": 3, "PATCH configmaps": 1}
	after := driver.Requests{"GET pods": 3, "PATCH configmaps": 4, "PUT leases.coordination.k8s.io": 2}
	since := after.Since(before)
	if diff := cmp.Diff(driver.Requests{"PATCH configmaps": 3, "PUT leases.coordination.k8s.io": 2}, since); diff != "" {
		t.Errorf("Since (-want +got):\n%s", diff)
	}
	if requests, leases := since.Count(); requests != 3 || leases != 2 {
		t.Errorf("Count() = %d, %d; want 3 and 2", requests, leases)
	}
	if got, want := since.String(), "3 PATCH configmaps, 2 PUT leases.coordination.k8s.io"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
