package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rows says for each scenario on reading, targeting and values what proves it: a
// golden file, or "directory: TestName" where a hub or an agent has to run.
var rows = map[int][]string{
	1:  {"pkg/bundle/testdata/01_plain_directory.txtar"},
	2:  {"pkg/bundle/testdata/02_named.txtar"},
	3:  {"pkg/bundle/testdata/03_nested_with_readme.txtar"},
	4:  {"pkg/bundle/testdata/04_two_levels.txtar"},
	5:  {"pkg/bundle/testdata/05_nested_bundles.txtar"},
	7:  {"pkg/bundle/testdata/07_listed_bundles.txtar"},
	8:  {"pkg/bundle/testdata/08_camel_case.txtar"},
	9:  {"pkg/bundle/testdata/09_values_files.txtar"},
	10: {"test/corpus/scenarios/testdata/10.txtar"},
	11: {"pkg/bundle/testdata/11_depends_on.txtar"},
	12: {"pkg/bundle/testdata/12_two_paths.txtar", "test/integration/hub: TestScenario12"},
	13: {"pkg/bundle/testdata/13_default_group.txtar"},
	14: {"pkg/bundle/testdata/14_override_targets.txtar"},
	15: {"test/integration/hub: TestScenario15"},
	16: {"test/integration/hub: TestScenario16"},
	17: {"test/integration/hub: TestScenario17"},
	19: {"pkg/bundle/testdata/19_mistyped_path.txtar"},
	20: {"pkg/bundle/testdata/20_misspelt_keys.txtar"},
	21: {"pkg/bundle/testdata/21_same_name.txtar"},
	22: {"pkg/bundle/testdata/22_invalid_manifests.txtar"},
	24: {"test/corpus/scenarios/testdata/24.txtar"},
	25: {"test/corpus/scenarios/testdata/25.txtar", "test/integration/hub: TestScenario25"},
	26: {"test/corpus/scenarios/testdata/26.txtar"},
	27: {"test/corpus/scenarios/testdata/27.txtar"},
	28: {"test/corpus/scenarios/testdata/28.txtar"},
	29: {"test/corpus/scenarios/testdata/29.txtar"},
	30: {"test/corpus/scenarios/testdata/30.txtar"},
	31: {"test/corpus/scenarios/testdata/31.txtar"},
	32: {"test/corpus/scenarios/testdata/32.txtar"},
	33: {"test/corpus/scenarios/testdata/33.txtar"},
	35: {"test/corpus/scenarios/testdata/35.txtar"},
	37: {"test/corpus/scenarios/testdata/37.txtar", "test/integration/hub: TestScenario37"},
	38: {"test/corpus/scenarios/testdata/38.txtar", "test/integration/hub: TestScenario38"},
	39: {"test/corpus/scenarios/testdata/39.txtar", "test/integration/hub: TestScenario39"},
	40: {"test/corpus/scenarios/testdata/40.txtar", "test/integration/agent: TestScenario40"},
	42: {"test/corpus/scenarios/testdata/42.txtar"},
	43: {"test/corpus/scenarios/testdata/43.txtar"},
	44: {"test/corpus/scenarios/testdata/44.txtar"},
	45: {"test/corpus/scenarios/testdata/45.txtar"},
	47: {"test/corpus/scenarios/testdata/47.txtar"},
	48: {"test/corpus/scenarios/testdata/48.txtar", "test/integration/hub: TestScenario48", "test/integration/hub: TestWhatOnlyAClusterCanRenderTravelsAsSourceAndLosesNothing"},
}

// TestEveryRowIsProven fails when a proof is renamed or deleted.
func TestEveryRowIsProven(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for number, proofs := range rows {
		for _, proof := range proofs {
			if dir, name, isTest := strings.Cut(proof, ": "); isTest {
				if !hasTest(t, filepath.Join(root, dir), name) {
					t.Errorf("row %d: there is no test %s in %s", number, name, dir)
				}
				continue
			}
			if _, err := os.Stat(filepath.Join(root, proof)); err != nil {
				t.Errorf("row %d: %v", number, err)
			}
		}
	}
}

// hasTest tells whether a directory's tests have one whose name starts so; 1 is no start of 12.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(data), "\nfunc "+name)
		if found && rest != "" && (rest[0] < '0' || rest[0] > '9') {
			return true
		}
	}
	return false
}
