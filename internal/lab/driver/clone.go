package driver

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-dev/muster/internal/lab/gitserver"
)

// Clone is a working copy of a repository of the demo's Git server.
type Clone struct {
	// URL of the repository.
	URL string
	dir string
}

// Clone makes a working copy of the repository name ("fleet.git") in dir. A
// repository that does not exist is made, empty.
func (d *Demo) Clone(ctx context.Context, name, dir string) (*Clone, error) {
	root := filepath.Join(d.Dir, "git")
	if _, err := os.Stat(filepath.Join(root, name)); err != nil {
		if _, err := gitserver.Create(ctx, root, name, ""); err != nil {
			return nil, err
		}
	}
	contract, err := d.Contract()
	if err != nil {
		return nil, err
	}
	c := &Clone{URL: contract.Git[:strings.LastIndex(contract.Git, "/")+1] + name, dir: dir}
	_, err = c.git(ctx, "", "clone", "--quiet", c.URL, dir)
	if err == nil {
		_, err = c.git(ctx, dir, "checkout", "--quiet", "-B", gitserver.Branch)
	}
	return c, err
}

// Write writes files, path -> content.
func (c *Clone) Write(files map[string]string) error {
	for name, content := range files {
		path := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Replace replaces text in a file; an error if it is not there.
func (c *Clone) Replace(name, old, new string) error {
	path := filepath.Join(c.dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(b, []byte(old)) {
		return fmt.Errorf("%s does not contain %q", name, old)
	}
	return os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(new)), 0o644)
}

// Remove removes a file or directory.
func (c *Clone) Remove(name string) error { return os.RemoveAll(filepath.Join(c.dir, name)) }

// Move renames a file or directory.
func (c *Clone) Move(from, to string) error {
	target := filepath.Join(c.dir, to)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.Rename(filepath.Join(c.dir, from), target)
}

// Commit commits everything as it lies and returns the commit.
func (c *Clone) Commit(ctx context.Context, message string) (string, error) {
	if _, err := c.git(ctx, c.dir, "add", "--all"); err != nil {
		return "", err
	}
	if _, err := c.git(ctx, c.dir, "commit", "--quiet", "--allow-empty", "-m", message); err != nil {
		return "", err
	}
	return c.git(ctx, c.dir, "rev-parse", "HEAD")
}

// Push pushes what was committed and returns when Git did, and when that was
// started: the start of every "push to applied".
func (c *Clone) Push(ctx context.Context) (began time.Time, err error) {
	began = time.Now()
	_, err = c.git(ctx, c.dir, "push", "--quiet", "origin", "HEAD:"+gitserver.Branch)
	return began, err
}

// CommitAndPush does both.
func (c *Clone) CommitAndPush(ctx context.Context, message string) (string, error) {
	commit, err := c.Commit(ctx, message)
	if err != nil {
		return "", err
	}
	_, err = c.Push(ctx)
	return commit, err
}

func (c *Clone) git(ctx context.Context, dir string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@localhost", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@localhost")
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// PushUnheard pushes into the bare repository's directory, past the server and
// its webhooks.
func (c *Clone) PushUnheard(ctx context.Context, bare string) error {
	_, err := c.git(ctx, c.dir, "push", "--quiet", bare, "HEAD:"+gitserver.Branch)
	return err
}
