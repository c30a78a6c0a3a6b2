package bundle_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// locked is a file system in which one path may not be opened.
type locked struct {
	fstest.MapFS
	path string
}

func (l locked) Open(name string) (fs.File, error) {
	if name == l.path {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.MapFS.Open(name)
}

func (l locked) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == l.path {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.MapFS.ReadDir(name)
}

func (l locked) ReadFile(name string) ([]byte, error) {
	if name == l.path {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.MapFS.ReadFile(name)
}

// TestWhatMayNotBeReadIsNamedOnce: the path stands where files stand, and the
// code is nothing else's, so that a command can tell it from a fault in the files.
func TestWhatMayNotBeReadIsNamedOnce(t *testing.T) {
	tree := files("apps/a/c.yaml", configMap, "apps/a/fleet.yaml", "name: a\n", "apps/a/sub/d.yaml", configMap, "apps/.fleetignore", "x\n")
	tests := map[string]struct {
		path    string
		unknown bool
	}{
		"a directory":        {"apps/a/sub", true}, // there may be bundles in it
		"the root":           {".", true},
		"a manifest":         {"apps/a/c.yaml", false},
		"the options":        {"apps/a/fleet.yaml", true}, // the name may be in it
		"an ignore file":     {"apps/.fleetignore", true},
		"a manifest further": {"apps/a/sub/d.yaml", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := bundle.Load(bundle.DirTree(locked{tree, test.path}), bundle.Repo{Name: "repo"})
			var got []string
			for _, p := range r.Problems {
				got = append(got, p.Code+" "+p.File+": "+p.Message)
			}
			if diff := cmp.Diff([]string{"Unreadable " + test.path + ": cannot be read: permission denied"}, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if r.Unknown != test.unknown || len(r.Bundles) != 0 {
				t.Errorf("unknown %t, bundles %q", r.Unknown, namesOf(r))
			}
		})
	}
}

func TestAPathIntoWhatMayNotBeReadIsNoMistake(t *testing.T) {
	tree := files("apps/a/c.yaml", configMap)
	r := bundle.Load(bundle.DirTree(locked{tree, "apps"}), bundle.Repo{Name: "repo", Spec: v1alpha1.GitRepoSpec{Paths: []string{"apps/*"}}})
	if len(r.Problems) != 1 || r.Problems[0].Code != bundle.CodeUnreadable || r.Problems[0].File != "apps" || !r.Unknown {
		t.Errorf("got %+v", r)
	}
	r = bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo", Spec: v1alpha1.GitRepoSpec{Paths: []string{"apps/[a"}}})
	if len(r.Problems) != 1 || r.Problems[0].Code != bundle.CodeInvalidPath || !r.Unknown {
		t.Errorf("a pattern that is none: %+v", r)
	}
}
