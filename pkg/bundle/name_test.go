package bundle_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-dev/muster/pkg/bundle"
)

// TestNamesAreFleets compares with names that Fleet gives; the file was written
// by another implementation of the rule and holds Fleet's own test cases. It has
// no -update: a changed name is a breaking release.
func TestNamesAreFleets(t *testing.T) {
	data, err := os.ReadFile("testdata/names.golden")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) < 40 {
		t.Fatalf("only %d names", len(lines))
	}
	for _, line := range lines {
		f := strings.Split(line, "\t")
		repo, path := unquote(t, f[0]), unquote(t, f[1])
		if got := bundle.Name(repo, path, ""); got != f[2] {
			t.Errorf("Name(%q, %q) = %s, want %s", repo, path, got, f[2])
		}
	}
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return u
}

func TestAnExplicitOptionsFileIsPartOfTheName(t *testing.T) {
	for options, want := range map[string]string{"fleet-dev.yaml": "repo-base-fleet-dev", "env/dev.yml": "repo-base-env-dev", "": "repo-base"} {
		if got := bundle.Name("repo", "base", options); got != want {
			t.Errorf("options %q: got %s, want %s", options, got, want)
		}
	}
}

func TestReleaseNamesAreFleets(t *testing.T) {
	long := strings.Repeat("a", 60)
	for name, want := range map[string]string{
		"shop":       "shop",
		"shop.eu":    "shop-eu-4b3c6ab4",
		"a--b":       "a-b",
		"repo-apps-": "repo-apps",
	} {
		got := bundle.ReleaseName(name)
		if got != want || len(got) > bundle.MaxNameLength || bundle.ReleaseName(got) != got {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := bundle.ReleaseName(long); got[:48] != long[:47]+"-" || len(got) != 53 {
		t.Errorf("%q", got)
	}
	// A computed name is its own release name.
	if n := bundle.Name("repo", "Apps/Über", ""); bundle.ReleaseName(n) != n {
		t.Errorf("%q", n)
	}
}
