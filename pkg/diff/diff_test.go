package diff_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/diff"
)

// live is an object as an API server answers an apply of it by muster.
const live = `{
 "apiVersion": "v1", "kind": "Service",
 "metadata": {"name": "web", "labels": {"app": "web"}, "managedFields": [
  {"manager": "muster", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {
   "f:metadata": {"f:labels": {"f:app": {}}},
   "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:targetPort": {}}}, "f:selector": {}}}},
  {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:spec": {"f:type": {}}}},
  {"manager": "muster", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}}]},
 "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}], "selector": {"app": "web"}, "type": "ClusterIP"},
 "status": {"loadBalancer": {}}
}`

func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestOwnedFieldsAreFollowedIntoLists(t *testing.T) {
	fields, ok := diff.Owned(decode(t, live), "muster")
	if !ok {
		t.Fatal("muster owns nothing")
	}
	got := map[string]string{}
	for _, f := range fields {
		got[f.Path] = fmt.Sprint(f.Value)
	}
	want := map[string]string{
		"metadata.labels.app": "web", "spec.selector": "map[app:web]",
		`spec.ports[port=80,protocol="TCP"]/.`: "<nil>", `spec.ports[port=80,protocol="TCP"].port`: "80",
		`spec.ports[port=80,protocol="TCP"].targetPort`: "8080",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAFingerprintChangesWithOwnedFieldsOnly(t *testing.T) {
	base := diff.Fingerprint(decode(t, live), "muster")
	for name, c := range map[string]struct {
		from, to string
		same     bool
	}{
		"an owned value":             {`"targetPort": 8080`, `"targetPort": 9090`, false},
		"an owned atomic map":        {`"selector": {"app": "web"}`, `"selector": {"app": "x"}`, false},
		"an owned label removed":     {`"labels": {"app": "web"}`, `"labels": {}`, false},
		"ownership taken by another": {`"f:targetPort": {}`, `"f:other": {}`, false},
		"status":                     {`"loadBalancer": {}`, `"loadBalancer": {"ingress": []}`, true},
		"a foreign field":            {`"type": "ClusterIP"`, `"type": "NodePort"`, true},
		"a foreign label":            {`"labels": {"app": "web"}`, `"labels": {"app": "web", "team": "x"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(live, c.from, c.to, 1)
			if changed == live {
				t.Fatalf("%q is not in the object", c.from)
			}
			if got := diff.Fingerprint(decode(t, changed), "muster") == base; got != c.same {
				t.Errorf("got same fingerprint %v, want %v", got, c.same)
			}
		})
	}
	if got := diff.Fingerprint(decode(t, live), "muster:other"); got != "" {
		t.Errorf("got fingerprint %q of a manager that owns nothing", got)
	}
}

func TestCompareNamesPathValuesAndWho(t *testing.T) {
	managed := func(fields string) string {
		return `"metadata": {"name": "c", "managedFields": [{"manager": "muster", "operation": "Apply", "fieldsV1": {"f:data": {"f:kept": {}}}},
		 {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {` + fields + `}}]}`
	}
	for name, c := range map[string]struct {
		desired, live string
		want          []string
	}{
		"nothing": {
			`{"apiVersion":"v1","kind":"ConfigMap","data":{"kept":"1"}}`,
			`{"apiVersion":"v1","kind":"ConfigMap","data":{"kept":"1","theirs":"2"},` + managed("") + `}`, nil,
		},
		"a changed value": {
			`{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1"}}`,
			`{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"2"},` + managed(`"f:data":{"f:a":{}}`) + `}`,
			[]string{`data.a: want "1", is "2" (kubectl-edit)`},
		},
		"a removed value": {
			`{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1"}}`,
			`{"apiVersion":"v1","kind":"ConfigMap",` + managed("") + `}`,
			[]string{`data.a: want "1", is gone`},
		},
		"the status is nobody's wish": {
			`{"apiVersion":"v1","kind":"ConfigMap","status":{"a":"1"}}`,
			`{"apiVersion":"v1","kind":"ConfigMap","status":{"a":"2"},` + managed("") + `}`, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, change := range diff.Compare(decode(t, c.desired), decode(t, c.live), "muster", nil) {
				got = append(got, change.String())
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestValuesOfSecretsAreNeverShown(t *testing.T) {
	desired := decode(t, `{"apiVersion":"v1","kind":"Secret","data":{"a":"canary1"},"stringData":{"b":"canary2"}}`)
	other := decode(t, `{"apiVersion":"v1","kind":"Secret","data":{"a":"canary3"}}`)
	changes := diff.Compare(desired, other, "muster", []byte("key"))
	if len(changes) != 2 {
		t.Fatalf("got %d changes, want 2", len(changes))
	}
	for _, c := range changes {
		if strings.Contains(c.String(), "canary") {
			t.Errorf("got %q", c)
		}
	}
	again := diff.Compare(desired, other, "muster", []byte("another key"))
	if changes[0].Live == again[0].Live {
		t.Error("the digest does not depend on the key: values could be guessed")
	}
}

// FuzzDiff feeds objects as hostile as JSON allows: nothing panics, nothing of a
// Secret is shown, and equal objects do not differ.
func FuzzDiff(f *testing.F) {
	f.Add([]byte(live), []byte(live))
	f.Add([]byte(`{"kind":"Secret","apiVersion":"v1","data":{"a":"canary-value"}}`), []byte(`{"data":[1]}`))
	f.Add([]byte(`{"metadata":{"managedFields":[{"manager":"muster","operation":"Apply","fieldsV1":{"k:{":{},"v:":{},"i:-1":{},"f:":{}}}]}}`), []byte(`{"metadata":[]}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var desired, object map[string]any
		if json.Unmarshal(a, &desired) != nil || json.Unmarshal(b, &object) != nil {
			return
		}
		if x, y := diff.Fingerprint(object, "muster"), diff.Fingerprint(object, "muster"); x != y {
			t.Errorf("one object has two fingerprints, %s and %s", x, y)
		}
		if changes := diff.Compare(desired, desired, "muster", nil); len(changes) > 0 {
			t.Errorf("an object differs from itself: %v", changes)
		}
		changes := diff.Compare(desired, object, "muster", []byte("key"))
		if len(changes) > 20 {
			t.Errorf("got %d changes, more than are reported", len(changes))
		}
	})
}
