package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Branch is the only branch of a new repository.
const Branch = "main"

// pushLog is the environment variable that tells the hook where to write what
// was pushed: one file per request, so that pushes do not mix.
const pushLog = "LAB_PUSH_LOG"

// postReceive gets "<old> <new> <ref>" lines on its standard input.
const postReceive = "#!/bin/sh\nif [ -n \"$" + pushLog + "\" ]; then cat >\"$" + pushLog + "\"; fi\n"

// Create makes the bare repository root/name. With seed, a plain directory,
// its files become the first commit on main; it returns that commit, or "".
func Create(ctx context.Context, root, name, seed string) (commit string, err error) {
	dir := filepath.Join(root, name)
	if err := git(ctx, "", nil, "init", "--quiet", "--bare", "--initial-branch="+Branch, dir); err != nil {
		return "", err
	}
	for _, setting := range [][2]string{
		{"http.receivepack", "true"},       // anonymous pushes
		{"uploadpack.allowFilter", "true"}, // what forges allow
		{"uploadpack.allowAnySHA1InWant", "true"},
		{"gc.auto", "0"},
	} {
		if err := git(ctx, dir, nil, "config", setting[0], setting[1]); err != nil {
			return "", err
		}
	}
	hook := filepath.Join(dir, "hooks", "post-receive")
	if err := os.MkdirAll(filepath.Dir(hook), 0o700); err != nil {
		return "", fmt.Errorf("create repository %s: %w", name, err)
	}
	if err := os.WriteFile(hook, []byte(postReceive), 0o700); err != nil {
		return "", fmt.Errorf("create repository %s: %w", name, err)
	}
	if seed == "" {
		return "", nil
	}
	return firstCommit(ctx, dir, seed)
}

// firstCommit commits a plain directory without touching it.
func firstCommit(ctx context.Context, bare, seed string) (string, error) {
	if info, err := os.Stat(seed); err != nil || !info.IsDir() {
		return "", fmt.Errorf("seed repository from %s: %w", seed, errors.Join(err, errors.New("want a directory")))
	}
	index := "GIT_INDEX_FILE=" + filepath.Join(bare, "seed-index")
	// --force: what the directory's .gitignore names is there, so it is meant.
	if err := git(ctx, seed, []string{index, "GIT_DIR=" + bare, "GIT_WORK_TREE=" + seed}, "add", "--all", "--force", "."); err != nil {
		return "", err
	}
	env := append([]string{index, "GIT_DIR=" + bare}, author()...)
	tree, err := gitOutput(ctx, bare, env, "write-tree")
	if err != nil {
		return "", err
	}
	commit, err := gitOutput(ctx, bare, env, "commit-tree", tree, "-m", "Seed the repository")
	if err != nil {
		return "", err
	}
	if err := git(ctx, bare, env, "update-ref", "refs/heads/"+Branch, commit); err != nil {
		return "", err
	}
	return commit, os.Remove(filepath.Join(bare, "seed-index"))
}

func author() []string {
	return []string{
		"GIT_AUTHOR_NAME=lab", "GIT_AUTHOR_EMAIL=lab@localhost",
		"GIT_COMMITTER_NAME=lab", "GIT_COMMITTER_EMAIL=lab@localhost",
	}
}

func git(ctx context.Context, dir string, env []string, args ...string) error {
	_, err := gitOutput(ctx, dir, env, args...)
	return err
}

// gitOutput runs git without the user's own configuration.
func gitOutput(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = dir
	command.Env = append(append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0"), env...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
