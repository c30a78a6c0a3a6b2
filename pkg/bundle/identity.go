package bundle

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// identityFormat changes when the same files are to be read anew.
const identityFormat = "muster-bundle-1"

// merged are the fields of a GitRepo that go into every bundle's spec.
type merged struct {
	Name            string                 `json:"name"`
	TargetNamespace string                 `json:"targetNamespace,omitempty"`
	ServiceAccount  string                 `json:"serviceAccount,omitempty"`
	Targets         []v1alpha1.Target      `json:"targets,omitempty"`
	KeepResources   bool                   `json:"keepResources,omitempty"`
	DeleteNamespace bool                   `json:"deleteNamespace,omitempty"`
	CorrectDrift    *v1alpha1.CorrectDrift `json:"correctDrift,omitempty"`
	Paused          bool                   `json:"paused,omitempty"`
}

func mergedOf(r Repo) merged {
	return merged{
		Name: r.Name, TargetNamespace: r.Spec.TargetNamespace, ServiceAccount: r.Spec.ServiceAccount, Targets: r.Spec.Targets,
		KeepResources: r.Spec.KeepResources, DeleteNamespace: r.Spec.DeleteNamespace, CorrectDrift: r.Spec.CorrectDrift, Paused: r.Spec.Paused,
	}
}

// identify names everything that reading a candidate would read, by hashes the tree has already.
func (l *loader) identify(c candidate) (string, error) {
	sum := sha256.New()
	repo, err := json.Marshal(mergedOf(l.repo))
	if err != nil {
		return "", fmt.Errorf("encode GitRepo %s: %w", l.repo.Name, err)
	}
	fmt.Fprintf(sum, "%s\n%s\n%q %q %t %t %q\n", identityFormat, repo, c.dir, c.options, c.named, c.whole, c.without)
	if err := l.hashIgnores(sum, c.dir); err != nil {
		return "", err
	}
	if err := l.hashDir(sum, c.dir, c.whole); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), nil
}

// hashIgnores adds the ignore files above a directory.
func (l *loader) hashIgnores(w io.Writer, dir string) error {
	for dir != "." {
		dir = path.Dir(dir)
		name := path.Join(dir, ignoreFile)
		h, err := l.ignoreHash(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%q %s\n", name, h)
	}
	return nil
}

// ignoreHash is asked once per directory and Load: thousands of bundles share their parents.
func (l *loader) ignoreHash(name string) (string, error) {
	if h, ok := l.ignoreHashes[name]; ok {
		return h, nil
	}
	h, err := contentHash(l.tree, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errIrregular) {
		h, err = "none", nil
	}
	if err != nil {
		return "", err
	}
	l.ignoreHashes[name] = h
	return h, nil
}

// hash asks the tree once per directory and Load.
func (l *loader) hash(dir string) (string, error) {
	if h, ok := l.hashes[dir]; ok {
		return h, nil
	}
	h, err := l.tree.TreeHash(dir)
	if err != nil {
		return "", fmt.Errorf("hash %s: %w", dir, err)
	}
	l.hashes[dir] = h
	return h, nil
}

// hashDir adds a directory: as a whole if no other bundle is below it, else entry by entry.
func (l *loader) hashDir(w io.Writer, dir string, whole bool) error {
	if !whole {
		s, err := l.shapeOf(dir, 0)
		if err != nil {
			return err
		}
		whole = len(s.nested) == 0
	}
	if whole {
		h, err := l.hash(dir)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%q %s\n", dir, h)
		return nil
	}
	return l.hashEntries(w, dir)
}

func (l *loader) hashEntries(w io.Writer, dir string) error {
	entries, err := fs.ReadDir(l.tree, dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case safeName(e.Name()) != nil, isHidden(e.Name()) && e.Name() != ignoreFile:
		case e.IsDir():
			s, err := l.shapeOf(name, 0)
			if err != nil {
				return err
			}
			if s.options != "" {
				continue
			}
			if err := l.hashDir(w, name, false); err != nil {
				return err
			}
		case e.Type().IsRegular():
			h, err := contentHash(l.tree, name)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%q %s\n", name, h)
		default:
			fmt.Fprintf(w, "%q %s\n", name, e.Type())
		}
	}
	return nil
}
