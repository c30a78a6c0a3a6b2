package api_test

import (
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/lab/plane"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

func TestBadValuesAreRefusedInUsefulWords(t *testing.T) {
	hub := dial(t)
	tests := map[string]struct {
		object string
		want   string // part of the refusal
	}{
		"a repository that is no URL": {
			object: gitRepo("bad-url", "repo: /srv/git/fleet"),
			want:   `spec.repo in body should match '^(https?://|ssh://|`,
		},
		"a password in the URL": {
			object: gitRepo("bad-password", "repo: https://me:secret@git.example.com/fleet"),
			want:   "put the password into a Secret and name it in clientSecretName",
		},
		"days as a duration": {
			object: gitRepo("bad-days", "repo: https://git.example.com/fleet", "pollingInterval: 1d"),
			want:   `spec.pollingInterval: Invalid value: "1d": must be a valid Go duration such as 15s, 5m or 1h30m`,
		},
		"a duration that no clock can hold": {
			object: gitRepo("bad-long", "repo: https://git.example.com/fleet", "pollingInterval: 5000000h"),
			want:   "must be a valid Go duration",
		},
		"a negative duration": {
			object: gitRepo("bad-negative", "repo: https://git.example.com/fleet", "pollingInterval: -1h"),
			want:   "must be a valid Go duration",
		},
		"an interval and a schedule": {
			object: gitRepo("bad-both", "repo: https://git.example.com/fleet", "pollingInterval: 5m", `schedule: "*/5 * * * *"`),
			want:   "set pollingInterval or schedule, not both",
		},
		"a bundle with a source and resources": {
			object: bundle("bad-source", "source: {gitRepo: fleet, path: apps, identity: x}", "resources: [{name: a.yaml, content: a}]"),
			want:   "a bundle read from Git has no resources of its own",
		},
		"an unknown encoding": {
			object: bundle("bad-encoding", "resources: [{name: a.yaml, content: a, encoding: rot13}]"),
			want:   `Unsupported value: "rot13": supported values: "", "base64", "base64+gz"`,
		},
		"a dependency on nothing": {
			object: bundle("bad-dependency", "dependsOn: [{acceptedStates: [Ready]}]"),
			want:   "a dependency needs a name or a selector",
		},
		"a dependency with an invented state": {
			object: bundle("bad-state", "dependsOn: [{name: base, acceptedStates: [Fine]}]"),
			want:   `spec.dependsOn[0].acceptedStates[0]: Unsupported value: "Fine"`,
		},
		"values from nowhere": {
			object: bundle("bad-values", "helm: {valuesFrom: [{}]}"),
			want:   "name a configMapKeyRef or a secretKeyRef",
		},
		"an unknown customization mode": {
			object: bundle("bad-mode", "targetCustomizationMode: Random"),
			want:   `Unsupported value: "Random": supported values: "FirstMatch", "AllMatches"`,
		},
		"a window without an end": {
			object: bundle("bad-window", `windows: [{schedule: "0 2 * * *", duration: forever}]`),
			want:   "must be a valid Go duration",
		},
		"a cluster with a name too long": {
			object: object("Cluster", strings.Repeat("c", 64)),
			want:   "the name of a cluster has at most 63 characters",
		},
		"a bundle with a name too long": {
			object: object("Bundle", strings.Repeat("b", 181), "paused: false"),
			want:   "the name of a bundle has at most 180 characters",
		},
		"a token without a key": {
			object: object("JoinToken", "bad-key", "publicKey: short", "expires: 2030-01-01T00:00:00Z"),
			want:   "spec.publicKey in body should be at least 43 chars long",
		},
		"a token without uses": {
			object: object("JoinToken", "bad-uses", "publicKey: "+strings.Repeat("A", 43), "expires: 2030-01-01T00:00:00Z", "maxUses: 0"),
			want:   "spec.maxUses in body should be greater than or equal to 1",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := hub.create(t, tc.object)
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("create:\n%s\ngot  %v\nwant a refusal with %q", tc.object, err, tc.want)
			}
		})
	}
}

func TestGoodValuesAreAcceptedAndDefaulted(t *testing.T) {
	hub := dial(t)
	for name, manifest := range map[string]string{
		"durations of Go":       gitRepo("ok-a", "repo: https://git.example.com/fleet", "pollingInterval: 1h30m"),
		"zero":                  gitRepo("ok-b", "repo: git@git.example.com:fleet", `pollingInterval: "0"`),
		"fractions":             gitRepo("ok-c", "repo: ssh://git@git.example.com/fleet", "pollingInterval: 1.5h"),
		"milliseconds":          gitRepo("ok-d", "repo: http://127.0.0.1:8080/fleet.git", "pollingInterval: 300ms"),
		"a user without secret": gitRepo("ok-e", "repo: https://me@git.example.com/fleet"),
		"template values":       object("Cluster", "ok-f", "templateValues: {a: {b: [1, two]}}"),
		"free values":           bundle("ok-g", "helm: {values: {a: {b: [1, two]}}}", "rolloutStrategy: {maxUnavailable: 25%}"),
		"a number of clusters":  bundle("ok-h", "rolloutStrategy: {maxUnavailable: 3}"),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := hub.create(t, manifest)
			if err != nil {
				t.Fatalf("create:\n%s\n%v", manifest, err)
			}
			if dropped := unknownFields(t, manifest, got); dropped != "" {
				t.Errorf("the API server dropped %s of:\n%s", dropped, manifest)
			}
		})
	}
	token, err := hub.create(t, object("JoinToken", "ok-token", "publicKey: "+strings.Repeat("A", 43), "expires: 2030-01-01T00:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	if uses, _, _ := unstructured.NestedInt64(token.Object, "spec", "maxUses"); uses != 1 {
		t.Errorf("a token without maxUses: got %d uses, want 1", uses)
	}
}

func TestAJoinTokenCannotBeChanged(t *testing.T) {
	hub := dial(t)
	token, err := hub.create(t, object("JoinToken", "fixed", "publicKey: "+strings.Repeat("A", 43), "expires: 2030-01-01T00:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedField(token.Object, int64(5), "spec", "maxUses"); err != nil {
		t.Fatal(err)
	}
	_, err = hub.client.Resource(resource("JoinToken")).Namespace("default").Update(t.Context(), token, metav1.UpdateOptions{})
	if err == nil || !strings.Contains(err.Error(), "a join token cannot be changed; make a new one") {
		t.Errorf("change of a token: got %v, want a refusal that says what to do", err)
	}
}

func TestARolloutKeepsItsLedgerInOneWrite(t *testing.T) {
	hub := dial(t)
	manifest := object("Rollout", "default.fleet-apps", "workspace: default", "bundle: fleet-apps", "uid: u") +
		"status: {generation: 4, clusters: 2, inFlight: {default/eu-1: 4}}\n"
	got, err := hub.create(t, manifest)
	if err != nil {
		t.Fatal(err)
	}
	if generation, _, _ := unstructured.NestedInt64(got.Object, "status", "inFlight", "default/eu-1"); generation != 4 {
		t.Errorf("status after create: got %v, want the ledger as written", got.Object["status"])
	}
	if _, err := hub.client.Resource(resource("Rollout")).Namespace("default").UpdateStatus(t.Context(), got, metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("write of the status subresource: got %v, want not found", err)
	}
}

// hub is an API server with Muster's CRDs.
type hub struct{ client dynamic.Interface }

func dial(t *testing.T) hub {
	t.Helper()
	client, err := dynamic.NewForConfig(plane.HubForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	return hub{client}
}

// create creates what manifest says and removes it at the end of the test.
func (h hub) create(t *testing.T, manifest string) (*unstructured.Unstructured, error) {
	t.Helper()
	obj := parse(t, manifest)
	objects := h.client.Resource(resource(obj.GetKind())).Namespace("default")
	got, err := objects.Create(t.Context(), obj, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err == nil {
		t.Cleanup(func() {
			if err := objects.Delete(t.Context(), obj.GetName(), metav1.DeleteOptions{}); err != nil && t.Context().Err() == nil {
				t.Errorf("delete %s: %v", obj.GetName(), err)
			}
		})
	}
	return got, err
}

func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &obj.Object); err != nil {
		t.Fatalf("%v in:\n%s", err, manifest)
	}
	return obj
}

// unknownFields names what is in the manifest's spec and not in the object's.
func unknownFields(t *testing.T, manifest string, got *unstructured.Unstructured) string {
	t.Helper()
	want, _, _ := unstructured.NestedMap(parse(t, manifest).Object, "spec")
	have, _, _ := unstructured.NestedMap(got.Object, "spec")
	for key := range want {
		if _, ok := have[key]; !ok {
			return "spec." + key
		}
	}
	return ""
}

func resource(kind string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "muster.dev", Version: "v1alpha1", Resource: strings.ToLower(kind) + "s"}
}

func gitRepo(name string, spec ...string) string { return object("GitRepo", name, spec...) }

func bundle(name string, spec ...string) string { return object("Bundle", name, spec...) }

func object(kind, name string, spec ...string) string {
	text := "apiVersion: muster.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: default}\n"
	if len(spec) > 0 {
		text += "spec:\n  " + strings.Join(spec, "\n  ") + "\n"
	}
	return text
}

// Server-side apply writes null where the last member of a map that it owns is
// left out, which the schema then refuses; an atomic map is replaced instead.
func TestCountsOfAClusterCanFallToZero(t *testing.T) {
	hub := dial(t)
	if _, err := hub.create(t, object("Cluster", "counts")); err != nil {
		t.Fatal(err)
	}
	clusters := hub.client.Resource(resource("Cluster")).Namespace("default")
	for _, summary := range []string{"{desired: 2, ready: 2}", "{}", "{desired: 1}"} {
		manifest := object("Cluster", "counts") + "status: {summary: " + summary + ", display: {}}\n"
		options := metav1.ApplyOptions{FieldManager: "test", Force: true}
		if _, err := clusters.ApplyStatus(t.Context(), "counts", parse(t, manifest), options); err != nil {
			t.Errorf("apply summary %s: %v", summary, err)
		}
	}
}
