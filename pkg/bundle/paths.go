package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var errLeavesRoot = errors.New("leads out of the directory")

// cleanPath makes a path that a user wrote relative and clean, and refuses one
// that leaves its root. A leading slash means the root itself, as with Fleet.
func cleanPath(p string) (string, error) {
	if err := plainText(p); err != nil {
		return "", err
	}
	clean := path.Clean(strings.TrimLeft(p, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("path %q %w", p, errLeavesRoot)
	}
	if slices.Contains(strings.Split(clean, "/"), ".git") { // a checkout's credentials may lie there
		return "", fmt.Errorf("path %q leads into .git, which is not read", p)
	}
	return clean, nil
}

// plainText refuses what no honest path holds and terminals or file systems stumble over.
func plainText(p string) error {
	if len(p) > 4096 {
		return fmt.Errorf("path %.40q... is longer than 4096 bytes", p)
	}
	if !utf8.ValidString(p) {
		return fmt.Errorf("path %.80q is not UTF-8", p)
	}
	if strings.ContainsRune(p, '\\') || strings.ContainsFunc(p, unicode.IsControl) {
		return fmt.Errorf("path %.80q holds a backslash or a control character", p)
	}
	return nil
}

// safeName refuses names of directory entries that would mean another place.
func safeName(name string) error {
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return fmt.Errorf("name %q means another directory", name)
	}
	return plainText(name)
}

// globDirs returns the directories that match a pattern, sorted. A wildcard does
// not reach hidden directories, an explicit dot does.
func (l *loader) globDirs(pattern string) ([]string, error) {
	segments := strings.Split(pattern, "/")
	dirs := []string{"."}
	if pattern == "." {
		return dirs, nil
	}
	for _, segment := range segments {
		var next []string
		for _, dir := range dirs {
			found, err := l.globSegment(dir, segment)
			if err != nil {
				return nil, err
			}
			next = append(next, found...)
		}
		dirs = next
	}
	return dirs, nil
}

func (l *loader) globSegment(dir, segment string) ([]string, error) {
	if _, err := path.Match(segment, ""); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", segment, err)
	}
	if !strings.ContainsAny(segment, `*?[`) {
		return l.existingDir(path.Join(dir, segment))
	}
	entries, err := fs.ReadDir(l.tree, dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || safeName(name) != nil || name == ".git" || strings.HasPrefix(name, ".") && segment[0] != '.' {
			continue
		}
		if ok, err := path.Match(segment, name); err == nil && ok {
			found = append(found, path.Join(dir, name))
		}
	}
	return found, nil
}

func (l *loader) existingDir(dir string) ([]string, error) {
	info, err := lookup(l.tree, dir)
	if err != nil || info == nil || !info.IsDir() {
		return nil, err
	}
	return []string{dir}, nil
}
