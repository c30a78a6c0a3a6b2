package bundle_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/bundle"
)

// TestAFileThatIsNoObjectIsOneProblem: and it says what such a file usually is.
func TestAFileThatIsNoObjectIsOneProblem(t *testing.T) {
	const hint = " [is it a values file? name it in helm.valuesFiles, or list it in .fleetignore]"
	const neither = "error InvalidObject f.yaml:1:1: is not a Kubernetes object: apiVersion and kind are missing or no text"
	tests := map[string]struct{ text, want string }{
		"values":                {"replicas: 2\nimage: {tag: x}\n", neither + hint + "\n"},
		"metadata alone":        {"metadata: {name: x}\n", neither + hint + "\n"},
		"no texts":              {"kind: 1\napiVersion: [v1]\n", neither + hint + "\n"},
		"a list":                {"- a\n", "error InvalidObject f.yaml:1:1: is a list, not a Kubernetes object" + hint + "\n"},
		"an object with a slip": {"kind: Pod\nmetadata: {name: x}\n", "error InvalidObject f.yaml:1:1: is not a Kubernetes object: apiVersion is missing or no text\n"},
		"two documents":         {"a: b\n---\nc: d\n", neither + hint + "\n" + strings.Replace(neither, ":1:1", ":3:1", 1) + hint + "\n"},
		"an item of a list":     {"apiVersion: v1\nkind: List\nitems: [{a: b}]\n", strings.Replace(neither, ":1:1", ":3:9", 1) + "\n"},
	}
	for name, test := range tests {
		var got strings.Builder
		for _, p := range bundle.CheckManifest("f.yaml", []byte(test.text)) {
			got.WriteString(printProblem(p))
		}
		if diff := cmp.Diff(test.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
