package plane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// EnvBin names the environment variable with the directory of Muster's binaries.
const EnvBin = "MUSTER_BIN"

// ErrMissing says that a program of the lab has not been built.
var ErrMissing = errors.New("not found; run `make build`")

// Binary finds one of the lab's programs: in dir if it is given, else in
// MUSTER_BIN, beside the running executable, in bin/ of the repository around
// the working directory, and in PATH.
func Binary(dir, name string) (string, error) {
	if dir != "" {
		return inDirs(name, dir)
	}
	dirs := []string{}
	if env := os.Getenv(EnvBin); env != "" {
		return inDirs(name, env)
	}
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(self))
	}
	if root, err := repository(); err == nil {
		dirs = append(dirs, filepath.Join(root, "bin"))
	}
	if found, err := inDirs(name, dirs...); err == nil {
		return found, nil
	}
	if found, err := exec.LookPath(name); err == nil {
		return filepath.Abs(found)
	}
	return "", fmt.Errorf("%s: %w", name, ErrMissing)
}

func inDirs(name string, dirs ...string) (string, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("%s in %v: %w", name, dirs, ErrMissing)
}

// repository is the nearest directory above the working directory with a go.mod
// and a controlplane/ beside it.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "controlplane", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fs.ErrNotExist
		}
		dir = parent
	}
}
