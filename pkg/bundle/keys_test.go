package bundle_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/bundle"
)

// TestKeys freezes the keys of the format: one that disappears breaks repositories.
func TestKeys(t *testing.T) {
	var out strings.Builder
	for _, k := range bundle.Keys() {
		fmt.Fprintf(&out, "%s\t%s", k.Path, k.Type)
		if k.PerTarget {
			out.WriteString("\tper target")
		}
		out.WriteString("\n")
	}
	const golden = "testdata/keys.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}
