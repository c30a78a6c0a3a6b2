package bundle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/bundle"
)

// waiting makes a repository of bundles, each with the fleet.yaml given.
func waiting(kv ...string) fstest.MapFS {
	tree := fstest.MapFS{}
	for i := 0; i < len(kv); i += 2 {
		tree[kv[i]+"/fleet.yaml"] = &fstest.MapFile{Data: []byte("name: " + kv[i] + "\n" + kv[i+1]), Mode: 0o644}
		tree[kv[i]+"/cm.yaml"] = &fstest.MapFile{Data: []byte(configMap), Mode: 0o644}
	}
	return tree
}

func cyclesOf(r bundle.Result) []string {
	var out []string
	for _, p := range r.Problems {
		if p.Code == bundle.CodeDependencyCycle {
			out = append(out, fmt.Sprintf("%s:%d %s: %s", p.File, p.Line, p.Bundle, p.Message))
		}
	}
	return out
}

// TestBundlesThatWaitForEachOtherAreRefused: none of them could ever be deployed.
func TestBundlesThatWaitForEachOtherAreRefused(t *testing.T) {
	const never = "; none of them could ever be deployed"
	tests := map[string]struct {
		tree    fstest.MapFS
		cycles  []string
		healthy string
	}{
		"a chain": {waiting("a", "dependsOn: [{name: b}]\n", "b", "dependsOn: [{name: c}, {name: elsewhere}]\n", "c", ""), nil, "a b c"},
		"two": {waiting("a", "dependsOn: [{name: c}, {name: b}]\n", "b", "dependsOn:\n- name: a\n", "c", ""),
			[]string{"a/fleet.yaml:2 a: dependsOn[1]: a waits for b, b for a" + never, "b/fleet.yaml:3 b: dependsOn[0]: b waits for a, a for b" + never}, "c"},
		"itself": {waiting("a", "dependsOn: [{name: a}]\n"), []string{"a/fleet.yaml:2 a: dependsOn[0]: a waits for itself; it could never be deployed"}, ""},
		"by label": {waiting("a", "labels: {role: db}\ndependsOn: [{name: b}]\n", "b", "dependsOn: [{selector: {matchLabels: {role: db}}}]\n", "c", "labels: {role: web}\n"),
			[]string{"a/fleet.yaml:3 a: dependsOn[0]: a waits for b, b for a" + never, "b/fleet.yaml:2 b: dependsOn[0]: b waits for a, a for b" + never}, "c"},
		"itself by label":         {waiting("a", "labels: {x: y}\ndependsOn: [{selector: {matchLabels: {x: y}}}]\n"), []string{"a/fleet.yaml:3 a: dependsOn[0]: a waits for itself; it could never be deployed"}, ""},
		"labels that Muster sets": {waiting("a", "dependsOn: [{selector: {matchExpressions: [{key: muster.dev/repo, operator: NotIn, values: [x]}]}}]\n"), nil, "a"},
		"those who only wait for a cycle are none of it": {waiting("a", "dependsOn: [{name: b}]\n", "b", "dependsOn: [{name: a}]\n", "c", "dependsOn: [{name: a}]\n"),
			[]string{"a/fleet.yaml:2 a: dependsOn[0]: a waits for b, b for a" + never, "b/fleet.yaml:2 b: dependsOn[0]: b waits for a, a for b" + never}, "c"},
		"two rings with one member in common": {waiting("a", "dependsOn: [{name: b}, {name: c}]\n", "b", "dependsOn: [{name: a}]\n", "c", "dependsOn: [{name: a}]\n"),
			[]string{"a/fleet.yaml:2 a: dependsOn[0]: a waits for b, b for a" + never, "b/fleet.yaml:2 b: dependsOn[0]: b waits for a, a for b" + never,
				"c/fleet.yaml:2 c: dependsOn[0]: c waits for a, a for c" + never}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := bundle.Load(bundle.DirTree(test.tree), bundle.Repo{Name: "repo"})
			if diff := cmp.Diff(test.cycles, cyclesOf(r)); diff != "" {
				t.Errorf("cycles (-want +got):\n%s", diff)
			}
			if got := namesOf(r); got != test.healthy {
				t.Errorf("healthy %q, want %q; broken %v", got, test.healthy, r.Broken)
			}
		})
	}
}

// TestCyclesAreThoseThatAWalkFinds holds the members of cycles in random graphs
// against who reaches himself.
func TestCyclesAreThoseThatAWalkFinds(t *testing.T) {
	const n = 8
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		var reaches [n][n]bool
		var kv, want []string
		for i := range n {
			var needs []string
			for j := range n {
				if random.IntN(n) == 0 {
					needs, reaches[i][j] = append(needs, fmt.Sprintf("{name: b%d}", j)), true
				}
			}
			kv = append(kv, fmt.Sprintf("b%d", i), "dependsOn: ["+strings.Join(needs, ", ")+"]\n")
		}
		for j := range n {
			for i := range n {
				for k := range n {
					reaches[i][k] = reaches[i][k] || reaches[i][j] && reaches[j][k]
				}
			}
		}
		for i := range n {
			if reaches[i][i] {
				want = append(want, fmt.Sprintf("b%d", i))
			}
		}
		r := bundle.Load(bundle.DirTree(waiting(kv...)), bundle.Repo{Name: "repo"})
		if diff := cmp.Diff(want, r.Broken); diff != "" || len(cyclesOf(r)) != len(want) {
			t.Errorf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// TestALongCycleIsToldInShort: a ring of a thousand is one search and short messages.
func TestALongCycleIsToldInShort(t *testing.T) {
	const n = 1000
	var kv []string
	for i := range n {
		kv = append(kv, fmt.Sprintf("b%04d", i), fmt.Sprintf("dependsOn: [{name: b%04d}, {selector: {matchLabels: {n: '%d'}}}]\n", (i+1)%n, i))
	}
	r := bundle.Load(bundle.DirTree(waiting(kv...)), bundle.Repo{Name: "repo"})
	cycles := cyclesOf(r)
	if len(cycles) != n || len(r.Broken) != n || len(cycles[0]) > 300 || !strings.Contains(cycles[0], "b0000 waits for b0001, b0001 for b0002") || !strings.Contains(cycles[0], "more") {
		t.Errorf("%d cycles, %d broken, first %q", len(cycles), len(r.Broken), cycles[0])
	}
}

// TestACycleIsSaidAgainFromTheCache: bundles that were read before come without
// their Spec, and the fault is there all the same.
func TestACycleIsSaidAgainFromTheCache(t *testing.T) {
	tree := waiting("a", "dependsOn: [{name: b}]\n", "b", "dependsOn: [{name: a}]\nnmespace: x\n")
	repo := bundle.Repo{Name: "repo", Cache: &bundle.Cache{}}
	first := bundle.Load(counting(tree), repo)
	c := counting(tree)
	second := bundle.Load(c, repo)
	if diff := cmp.Diff(first.Problems, second.Problems); diff != "" || len(c.opened) != 0 || len(cyclesOf(first)) != 2 {
		t.Errorf("opened %v, problems (-first +second):\n%s", c.opened, diff)
	}
	if !slices.Equal(second.Broken, []string{"a", "b"}) {
		t.Errorf("broken %v", second.Broken)
	}
	repo = bundle.Repo{Name: "repo", Known: known(bundle.Load(bundle.DirTree(waiting("a", "")), bundle.Repo{Name: "repo"}))}
	if r := bundle.Load(bundle.DirTree(waiting("a", "", "b", "dependsOn: [{name: a}]\n")), repo); len(cyclesOf(r)) != 0 || namesOf(r) != "a b" {
		t.Errorf("what is not read is not guessed at: %v", r.Problems)
	}
}
