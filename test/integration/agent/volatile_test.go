package agent_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// login is a Secret as a chart renders it that invents the password each time.
func (w *world) login(user, password string) content.Object {
	o := object("v1", "Secret", w.namespace, "login", map[string]any{"stringData": map[string]any{"user": user, "password": password}})
	o.Volatile = []string{"/stringData/password"}
	return o
}

// checksum is a ConfigMap with a digest of the Secret, as charts put it on pods.
func (w *world) checksum(key, sum string) content.Object {
	o := w.cm("sums", key)
	o.Manifest = []byte(strings.Replace(string(o.Manifest), `"metadata":{`, `"metadata":{"annotations":{"checksum/secret":"`+sum+`"},`, 1))
	o.Volatile = []string{"/metadata/annotations/checksum~1secret"}
	return o
}

func (w *world) secret() (user, password string) {
	w.Helper()
	u := w.get(w.namespace, "v1", "secrets", "login")
	return w.decoded(u.Object, "user"), w.decoded(u.Object, "password")
}

func (w *world) decoded(object map[string]any, key string) string {
	w.Helper()
	data, _ := object["data"].(map[string]any)
	text, _ := data[key].(string)
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		w.Fatal(err)
	}
	return string(value)
}

func (w *world) wantSecret(user, password string) {
	w.Helper()
	if u, p := w.secret(); u != user || p != password {
		w.Errorf("got user %q and password %q, want %q and %q", u, p, user, password)
	}
}

func (w *world) patchSecret(patch string) {
	w.Helper()
	_, err := w.resource(w.namespace, "v1", "secrets").Patch(context.Background(), "login", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		w.Fatal(err)
	}
}

func TestAPasswordIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.login("ann", "first"), w.checksum("1", "sum-1")))
	w.ready()
	w.wantSecret("ann", "first")

	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.login("bob", "second"), w.checksum("2", "sum-2")))
	w.ready()
	w.wantSecret("bob", "first")
	sums := w.configMap("sums")
	if got, _, err := nested(sums, "data", "key"); got != "2" || err != nil || sums.GetAnnotations()["checksum/secret"] != "sum-1" {
		t.Errorf("got data %q and annotations %v, want 2 and sum-1 (%v)", got, sums.GetAnnotations(), err)
	}

	w.halt()
	w.entries(w.hub.put(t, bundleA, 3, content.Options{}, w.ns(), w.login("cat", "third"), w.checksum("2", "sum-3")))
	w.start()
	w.ready()
	w.wantSecret("cat", "first")

	if err := w.resource(w.namespace, "v1", "secrets").Delete(context.Background(), "login", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.reported(bundleA, protocol.StateModified)
	w.entries(w.hub.put(t, bundleA, 4, content.Options{}, w.ns(), w.login("cat", "fourth"), w.checksum("2", "sum-4")))
	w.ready()
	w.wantSecret("cat", "fourth")
}

func TestAGenerationThatDiffersInVolatileValuesSendsNothing(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.login("ann", "first"), w.checksum("1", "sum-1")))
	w.ready()
	w.settle()
	version := w.get(w.namespace, "v1", "secrets", "login").GetResourceVersion()
	w.requests.take()
	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.login("ann", "second"), w.checksum("1", "sum-2")))
	w.ready()
	w.settle()
	all, _ := w.requests.take()
	for _, line := range all {
		if strings.Contains(line, w.namespace+"/") {
			t.Errorf("got request %s, want none about the objects", line)
		}
	}
	if got := w.get(w.namespace, "v1", "secrets", "login").GetResourceVersion(); got != version {
		t.Errorf("got version %s, want it unwritten at %s", got, version)
	}
}

func TestAPasswordChangedByHandIsNoDrift(t *testing.T) {
	w := newWorld(t)
	w.start()
	correct := content.Options{DriftMode: "correct"}
	w.entries(w.hub.put(t, bundleA, 1, correct, w.ns(), w.login("ann", "first")))
	w.ready()
	w.settle()
	w.requests.take()
	w.patchSecret(`{"stringData":{"password":"rotated"}}`)
	w.settle()
	if all, _ := w.requests.take(); len(all) > 0 {
		t.Errorf("got requests %v, want none", all)
	}
	if report, _ := w.hub.last(); report.NotReady != 0 {
		t.Errorf("got %+v, want Ready", report.Bundles)
	}
	// A field that somebody wrote is corrected, the password that lives is kept.
	w.patchSecret(`{"stringData":{"user":"mallory"}}`)
	w.eventually("the user is corrected", func() bool { user, _ := w.secret(); return user == "ann" })
	w.wantSecret("ann", "rotated")
	// A password that is gone is missed.
	w.patchSecret(`{"data":{"password":null}}`)
	w.eventually("there is a password", func() bool { _, password := w.secret(); return password == "first" })
	w.ready()
	// So it is after a restart.
	w.patchSecret(`{"stringData":{"password":"again"}}`)
	w.settle()
	w.halt()
	w.start()
	w.ready()
	w.settle()
	_, writes := w.requests.take()
	for _, line := range writes {
		if strings.Contains(line, "/login") {
			t.Errorf("got %s after a restart, want nothing sent", line)
		}
	}
	w.wantSecret("ann", "again")
}

func TestAnAdoptedPasswordIsKept(t *testing.T) {
	w := newWorld(t)
	w.create("", "v1", "namespaces", namespace(w.namespace))
	before := w.create(w.namespace, "v1", "secrets", map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{
			"name": "login", "labels": map[string]any{"app.kubernetes.io/managed-by": "Helm"},
			"annotations": map[string]any{"meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": w.namespace},
		},
		"stringData": map[string]any{"user": "old", "password": "of old"},
	})
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{Helm: "mine", Namespace: w.namespace, TakeOwnership: true}, w.login("ann", "first")))
	w.ready()
	w.wantSecret("ann", "of old")
	after := w.get(w.namespace, "v1", "secrets", "login")
	if after.GetUID() != before.GetUID() || after.GetLabels()["muster.dev/bundle"] == "" {
		t.Errorf("got uid %s labels %v, want %s adopted", after.GetUID(), after.GetLabels(), before.GetUID())
	}
}

// meddler does something once, just before an apply of the Secret arrives.
type meddler struct {
	mu sync.Mutex
	do func()
}

func (m *meddler) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/login") {
			m.mu.Lock()
			do := m.do
			m.do = nil
			m.mu.Unlock()
			if do != nil {
				do()
			}
		}
		return next.RoundTrip(r)
	})
}

func (m *meddler) next(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.do = do
}

func TestAPasswordThatChangesDuringAnApplyIsKept(t *testing.T) {
	w := newWorld(t)
	config, other := rest.CopyConfig(w.config), &meddler{}
	config.Wrap(other.wrap)
	w.startOn(config, w.hub)
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.login("ann", "first")))
	w.ready()
	other.next(func() { w.patchSecret(`{"stringData":{"password":"rotated"}}`) })
	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.login("bob", "second")))
	w.ready()
	w.wantSecret("bob", "rotated")
	other.next(func() {
		if err := w.resource(w.namespace, "v1", "secrets").Delete(context.Background(), "login", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	w.entries(w.hub.put(t, bundleA, 3, content.Options{}, w.ns(), w.login("cat", "third")))
	w.ready()
	w.wantSecret("cat", "third")
}
