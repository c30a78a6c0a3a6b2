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
	repo, err := l.repoHash()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%q %q %t %t %q\n", identityFormat, repo, c.dir, c.options, c.named, c.whole, c.without)
	ignores, err := l.ignoresAbove(c.dir)
	if err != nil {
		return "", err
	}
	io.WriteString(sum, ignores)
	content, err := l.contentOf(c)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(sum, "%s\n", content)
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), nil
}

// repoHash names the GitRepo's share in every bundle, once per Load.
func (l *loader) repoHash() (string, error) {
	if l.repoDigest != "" {
		return l.repoDigest, nil
	}
	repo, err := json.Marshal(mergedOf(l.repo))
	if err != nil {
		return "", fmt.Errorf("encode GitRepo %s: %w", l.repo.Name, err)
	}
	sum := sha256.Sum256(repo)
	l.repoDigest = base64.RawURLEncoding.EncodeToString(sum[:])
	return l.repoDigest, nil
}

func (l *loader) contentOf(c candidate) (string, error) {
	if c.whole {
		return l.hash(c.dir)
	}
	return l.own(c.dir)
}

// ignoresAbove names the ignore files above a directory, nearest first, once per
// directory and Load.
func (l *loader) ignoresAbove(dir string) (string, error) {
	if dir == "." {
		return "", nil
	}
	up := path.Dir(dir)
	if known, ok := l.ignoreLines[up]; ok {
		return known, nil
	}
	name := path.Join(up, ignoreFile)
	h, err := l.ignoreHash(name)
	if err != nil {
		return "", err
	}
	further, err := l.ignoresAbove(up)
	if err != nil {
		return "", err
	}
	lines := fmt.Sprintf("%q %s\n", name, h) + further
	l.ignoreLines[up] = lines
	return lines, nil
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

// own names what belongs to a directory: all that is below it but the bundles of
// their own. Where there are none it is the directory's hash.
func (l *loader) own(dir string) (string, error) {
	s, err := l.shapeOf(dir, 0)
	if err != nil {
		return "", err
	}
	hash, err := l.hash(dir)
	if err != nil || len(s.nested) == 0 {
		return hash, err
	}
	if own, ok := l.cache.own(hash); ok {
		return own, nil
	}
	sum := sha256.New()
	if err := l.hashEntries(sum, dir); err != nil {
		return "", err
	}
	own := "own-" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
	l.cache.kept.owns[hash] = own
	return own, nil
}

func (l *loader) hashEntries(w io.Writer, dir string) error {
	entries, err := fs.ReadDir(l.tree, dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, e := range entries {
		if safeName(e.Name()) != nil || isHidden(e.Name()) && e.Name() != ignoreFile {
			continue
		}
		h, err := l.entryHash(e, path.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %q %s\n", e.Type(), e.Name(), h)
	}
	return nil
}

func (l *loader) entryHash(e fs.DirEntry, name string) (string, error) {
	if e.Type().IsRegular() {
		return contentHash(l.tree, name)
	}
	if !e.IsDir() {
		return "irregular", nil
	}
	s, err := l.shapeOf(name, 0)
	if err != nil || s.options != "" {
		return "bundle", err
	}
	return l.own(name)
}
