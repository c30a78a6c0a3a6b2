package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// upToDate returns the key of what would be built, and whether exactly that was
// built before and is still there. Targets without a stamp are never fresh:
// for them asking Go costs a second and is always right.
func (t target) upToDate(ctx context.Context, root string) (key string, fresh bool, err error) {
	if !t.Stamped {
		return "", false, nil
	}
	goVersion, err := exec.CommandContext(ctx, "go", "version").Output()
	if err != nil {
		return "", false, fmt.Errorf("go version: %w", err)
	}
	key, err = t.key(root, string(goVersion))
	if err != nil {
		return "", false, err
	}
	recorded, err := os.ReadFile(t.stampFile(root))
	if err != nil && !os.IsNotExist(err) {
		return "", false, fmt.Errorf("read stamp of %s: %w", t.Name, err)
	}
	_, missing := os.Stat(filepath.Join(root, t.Output))
	return key, missing == nil && string(recorded) == key, nil
}

// key digests everything that decides the result: compiler, flags, the module's
// pinned dependencies and its sources.
func (t target) key(root, goVersion string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%q\n%q\n", goVersion, t.Packages, t.Flags)
	var files []string
	for _, pattern := range []string{"go.mod", "go.sum", "*.go"} {
		// Glob fails on a malformed pattern only; these are constants.
		found, _ := filepath.Glob(filepath.Join(root, t.Dir, pattern))
		files = append(files, found...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if err := addFile(sum, file); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func addFile(w io.Writer, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("digest sources: %w", err)
	}
	fmt.Fprintf(w, "%s %d\n%s", filepath.Base(file), len(content), content)
	return nil
}

// remember records that key was built; called only after a whole success.
func (t target) remember(root, key string) error {
	if !t.Stamped {
		return nil
	}
	file := t.stampFile(root)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make stamp directory: %w", err)
	}
	if err := os.WriteFile(file, []byte(key), 0o644); err != nil {
		return fmt.Errorf("write stamp of %s: %w", t.Name, err)
	}
	return nil
}

func (t target) stampFile(root string) string {
	return filepath.Join(root, ".cache", "stamps", t.Name)
}
