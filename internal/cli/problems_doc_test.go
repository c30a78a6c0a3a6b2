package cli_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every code that a problem can have is explained, and none that it cannot have.
func TestProblemsAreDocumented(t *testing.T) {
	var want []string
	for file, pattern := range map[string]string{
		"../../pkg/bundle/problem.go":        `\tCode\w+ += "(\w+)"`,
		"../../pkg/bundle/manifest/fault.go": `\t[A-Z]\w+ += "(\w+)" +//`,
		"problems.go":                        `\tcode\w+ += "(\w+)"`,
		"sharing.go":                         `const code\w+ = "(\w+)"`,
		"inventory_fields.go":                `const code\w+ = "(\w+)"`,
		"../../pkg/api/v1alpha1/labels.go":   `\tReason(?:PolicyDenied|NoTargets) += "(\w+)"`,
	} {
		found := submatches(t, file, pattern)
		if len(found) == 0 {
			t.Errorf("%s holds no codes", file)
		}
		want = append(want, found...)
	}
	slices.Sort(want)
	got := submatches(t, "../../docs/reference/problems.md", `(?m)^\| ([A-Z]\w+) \|`)
	slices.Sort(got)
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Errorf("codes in the code and on the page (-code +page):\n%s", diff)
	}
}

func submatches(t *testing.T, file, pattern string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(data), -1) {
		found = append(found, m[1])
	}
	return found
}
