package bundle_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// countingTree is a repository in memory that notes what is opened, listed and
// hashed. It has its listings at hand, as Git has: fstest.MapFS looks through all
// files for each.
type countingTree struct {
	fstest.MapFS
	entries                map[string][]fs.DirEntry
	hashes                 map[string]string
	opened, listed, hashed []string
}

func counting(tree fstest.MapFS) *countingTree {
	t := &countingTree{MapFS: tree, entries: map[string][]fs.DirEntry{}, hashes: map[string]string{}}
	for name, file := range tree {
		t.enter(name, file.Mode)
	}
	for _, list := range t.entries {
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t
}

// enter lists a name in its directory, and a new directory in its own.
func (t *countingTree) enter(name string, mode fs.FileMode) {
	dir := path.Dir(name)
	_, listed := t.entries[dir]
	t.entries[dir] = append(t.entries[dir], entry{path.Base(name), mode})
	if !listed && dir != "." {
		t.enter(dir, fs.ModeDir|0o755)
	}
}

type entry struct {
	name string
	mode fs.FileMode
}

func (e entry) Name() string               { return e.name }
func (e entry) IsDir() bool                { return e.mode.IsDir() }
func (e entry) Type() fs.FileMode          { return e.mode.Type() }
func (e entry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

func (t *countingTree) TreeHash(name string) (string, error) {
	t.hashed = append(t.hashed, name)
	return t.hash(name)
}

// warm has every hash computed, as a fetch leaves them.
func (t *countingTree) warm(tb testing.TB) *countingTree {
	tb.Helper()
	if _, err := t.hash("."); err != nil {
		tb.Fatal(err)
	}
	return t
}

// forget starts counting anew.
func (t *countingTree) forget() { t.opened, t.listed, t.hashed = nil, nil, nil }

func (t *countingTree) hash(name string) (string, error) {
	if h, ok := t.hashes[name]; ok {
		return h, nil
	}
	h, err := t.compute(name)
	if err == nil {
		t.hashes[name] = h
	}
	return h, err
}

func (t *countingTree) compute(name string) (string, error) {
	sum := sha256.New()
	if file, ok := t.MapFS[name]; ok {
		sum.Write(file.Data)
		return hex.EncodeToString(sum.Sum(nil)), nil
	}
	list, ok := t.entries[name]
	if !ok {
		return "", fs.ErrNotExist
	}
	for _, e := range list {
		h, err := t.hash(path.Join(name, e.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %s\n", e.Name(), h)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (t *countingTree) Open(name string) (fs.File, error) {
	t.opened = append(t.opened, name)
	if _, ok := t.MapFS[name]; !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return t.MapFS.Open(name)
}

func (t *countingTree) Lstat(name string) (fs.FileInfo, error) {
	if _, ok := t.MapFS[name]; ok {
		return t.MapFS.Lstat(name)
	}
	if _, ok := t.entries[name]; ok {
		return directory(path.Base(name)), nil
	}
	return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
}

// directory is what Lstat says of one.
type directory string

func (d directory) Name() string     { return string(d) }
func (directory) Size() int64        { return 0 }
func (directory) Mode() fs.FileMode  { return fs.ModeDir | 0o755 }
func (directory) ModTime() time.Time { return time.Time{} }
func (directory) IsDir() bool        { return true }
func (directory) Sys() any           { return nil }

func (t *countingTree) ReadDir(name string) ([]fs.DirEntry, error) {
	t.listed = append(t.listed, name)
	return t.entries[name], nil
}

func known(r bundle.Result) map[string]string {
	out := map[string]string{}
	for _, b := range r.Bundles {
		out[b.Name] = b.Identity
	}
	return out
}

func changedBundles(r bundle.Result) []string {
	var out []string
	for _, b := range r.Bundles {
		if !b.Unchanged {
			out = append(out, b.Name)
		}
	}
	return out
}

// TestACommitThatTouchesOneOf5000BundlesReadsThatOne: cost follows the change.
func TestACommitThatTouchesOneOf5000BundlesReadsThatOne(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 5000 {
		dir := fmt.Sprintf("teams/t%02d/b%02d/", i/100, i%100)
		tree[dir+"fleet.yaml"] = &fstest.MapFile{Data: []byte(fmt.Sprintf("name: bundle-%d\n", i)), Mode: 0o644}
		tree[dir+"cm.yaml"] = &fstest.MapFile{Data: []byte(configMap), Mode: 0o644}
	}
	repo := bundle.Repo{Name: "repo", Cache: &bundle.Cache{}}
	first := bundle.Load(counting(tree), repo)
	if len(first.Bundles) != 5000 || len(first.Problems) != 0 {
		t.Fatalf("%d bundles, %d problems", len(first.Bundles), len(first.Problems))
	}
	repo.Known = known(first)

	tree["teams/t07/b42/cm.yaml"] = &fstest.MapFile{Data: []byte(configMap + "data: {a: b}\n"), Mode: 0o644}
	c := counting(tree)
	second := bundle.Load(c, repo)
	if diff := cmp.Diff([]string{"bundle-742"}, changedBundles(second)); diff != "" || len(second.Bundles) != 5000 {
		t.Fatalf("%d bundles, changed (-want +got):\n%s", len(second.Bundles), diff)
	}
	slices.Sort(c.opened)
	if diff := cmp.Diff([]string{"teams/t07/b42/cm.yaml", "teams/t07/b42/fleet.yaml"}, slices.Compact(c.opened)); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	slices.Sort(c.listed)
	if diff := cmp.Diff([]string{".", "teams", "teams/t07", "teams/t07/b42"}, slices.Compact(c.listed)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	// One hash per bundle says that it is unchanged; no file's hash is asked for
	// but those of the ignore files above.
	perName := map[string]int{}
	for _, name := range c.hashed {
		perName[name]++
		if perName[name] > 1 {
			t.Fatalf("%s is hashed twice", name)
		}
		if strings.HasSuffix(name, ".yaml") {
			t.Fatalf("file %s is hashed", name)
		}
	}
	if want := 5000 + 2*52; len(perName) > want {
		t.Errorf("%d hashes, want at most %d", len(perName), want)
	}
}

func TestACommitThatTouchesNoBundleOpensNothing(t *testing.T) {
	tree := files("apps/a/fleet.yaml", "name: a\n", "apps/a/a.yaml", configMap, "apps/b/b.yaml", configMap, "docs/x.md", "1")
	repo := bundle.Repo{Name: "repo", Spec: v1alpha1.GitRepoSpec{Paths: []string{"apps/*"}}}
	repo.Known = known(bundle.Load(counting(tree), repo))
	tree["docs/x.md"] = &fstest.MapFile{Data: []byte("2"), Mode: 0o644}
	c := counting(tree)
	r := bundle.Load(c, repo)
	if got := changedBundles(r); len(got) != 0 || len(r.Bundles) != 2 {
		t.Errorf("changed %v of %d", got, len(r.Bundles))
	}
	if len(c.opened) != 0 {
		t.Errorf("opened %v", c.opened)
	}
}

// TestIdentityCoversExactlyWhatIsRead changes one thing at a time.
func TestIdentityCoversExactlyWhatIsRead(t *testing.T) {
	base := func() fstest.MapFS {
		return files("p/fleet.yaml", "labels: {a: b}\n", "p/x.yaml", configMap, "p/sub/y.yaml", configMap,
			"p/child/fleet.yaml", "name: child\n", "p/child/z.yaml", configMap, "other/o.yaml", configMap, ".fleetignore", "*.bak\n")
	}
	tests := map[string]struct {
		file, data string
		want       []string
	}{
		"a file of the parent":          {"p/x.yaml", configMap + "# 1\n", []string{"repo-p"}},
		"a deeper file of the parent":   {"p/sub/y.yaml", configMap + "# 1\n", []string{"repo-p"}},
		"the options file":              {"p/fleet.yaml", "labels: {a: c}\n", []string{"repo-p"}},
		"a new file":                    {"p/sub/new.yaml", configMap, []string{"repo-p"}},
		"a file of the nested bundle":   {"p/child/z.yaml", configMap + "# 1\n", []string{"child"}},
		"an ignore file above":          {".fleetignore", "*.tmp\n", []string{"child", "repo-other", "repo-p"}},
		"an ignore file between":        {"p/.fleetignore", "*.tmp\n", []string{"child", "repo-p"}},
		"a file outside":                {"README.md", "x\n", nil},
		"a file that makes a new child": {"p/sub/fleet.yaml", "{}\n", []string{"repo-p", "repo-p-sub"}},
	}
	repo := bundle.Repo{Name: "repo", Spec: v1alpha1.GitRepoSpec{Paths: []string{"p", "other"}}}
	repo.Known = known(bundle.Load(bundle.DirTree(base()), repo))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree := base()
			tree[test.file] = &fstest.MapFile{Data: []byte(test.data), Mode: 0o644}
			if diff := cmp.Diff(test.want, changedBundles(bundle.Load(bundle.DirTree(tree), repo))); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentityCoversTheGitRepoFieldsThatAreMerged(t *testing.T) {
	yes := true
	tree := files("a.yaml", configMap)
	tests := map[string]struct {
		spec    v1alpha1.GitRepoSpec
		changed bool
	}{
		"targetNamespace": {v1alpha1.GitRepoSpec{TargetNamespace: "x"}, true},
		"serviceAccount":  {v1alpha1.GitRepoSpec{ServiceAccount: "x"}, true},
		"keepResources":   {v1alpha1.GitRepoSpec{KeepResources: true}, true},
		"deleteNamespace": {v1alpha1.GitRepoSpec{DeleteNamespace: true}, true},
		"paused":          {v1alpha1.GitRepoSpec{Paused: true}, true},
		"correctDrift":    {v1alpha1.GitRepoSpec{CorrectDrift: &v1alpha1.CorrectDrift{Enabled: &yes}}, true},
		"targets":         {v1alpha1.GitRepoSpec{Targets: []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterName: "x"}}}}, true},
		"branch":          {v1alpha1.GitRepoSpec{Branch: "x"}, false},
		"poll":            {v1alpha1.GitRepoSpec{DisablePolling: true}, false},
	}
	before := known(load(tree, v1alpha1.GitRepoSpec{}))
	for name, test := range tests {
		r := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo", Spec: test.spec, Known: before})
		if changed := len(changedBundles(r)) == 1; changed != test.changed {
			t.Errorf("%s: changed %t, want %t", name, changed, test.changed)
		}
	}
}

// TestACachedFaultIsNotReadAgain: a broken or warning bundle that stays as it is
// keeps its problems without being opened.
func TestACachedFaultIsNotReadAgain(t *testing.T) {
	tree := files("a/fleet.yaml", "nmespace: x\n", "b/fleet.yaml", "helm: {maxHistory: 3}\n", "b/b.yaml", configMap, "c/c.yaml", configMap)
	repo := bundle.Repo{Name: "repo", Cache: &bundle.Cache{}, LivePaths: map[string]string{}}
	first := bundle.Load(counting(tree), repo)
	repo.Known = known(first)
	c := counting(tree)
	second := bundle.Load(c, repo)
	if len(c.opened) != 0 || len(c.listed) != 0 {
		t.Errorf("opened %v, listed %v", c.opened, c.listed)
	}
	if diff := cmp.Diff(first.Problems, second.Problems); diff != "" || len(first.Problems) != 2 {
		t.Errorf("problems (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(first.Broken, second.Broken); diff != "" {
		t.Errorf("broken (-first +second):\n%s", diff)
	}
}
