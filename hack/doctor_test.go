package hack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const newGo = `case "$2" in
GOVERSION) echo go1.99.1 ;;
CC) echo cc ;;
*) echo /nonexistent/cache ;;
esac`

// machine makes a directory that can be a whole PATH: the plain tools that every
// system has, and the given scripts, which may replace them.
func machine(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range []string{"sh", "awk", "sed", "df", "dirname"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if _, replaced := scripts[tool]; replaced {
			continue
		}
		if err := os.Symlink(path, filepath.Join(dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDoctorNamesTheFixForWhatIsMissing(t *testing.T) {
	git := `[ "$1" = --exec-path ] && echo ` + machine(t, map[string]string{"git-http-backend": ""}) + ` || echo git version 2`
	tests := map[string]struct {
		scripts map[string]string
		missing []string // in the order told
		fix     string
	}{
		"nothing missing": {scripts: map[string]string{"go": newGo, "git": git, "cc": ""}},
		"an older Go": {
			scripts: map[string]string{"go": strings.Replace(newGo, "1.99.1", "1.9.7", 1), "git": git, "cc": ""},
			missing: []string{"or newer (found 1.9.7)"}, fix: "https://go.dev/dl",
		},
		"git without its server": {
			scripts: map[string]string{"go": newGo, "git": "echo /nonexistent", "cc": ""},
			missing: []string{"git http-backend"}, fix: "apt-get install git",
		},
		"no C compiler": {
			scripts: map[string]string{"go": newGo, "git": git},
			missing: []string{"a C compiler"}, fix: "apt-get install gcc",
		},
		"little disk": {
			scripts: map[string]string{"go": newGo, "git": git, "cc": "", "df": `printf 'head\nfs 1 1 2048 1 /\n'`},
			missing: []string{"for this directory", "for Go's build cache", "for Go's module cache"}, fix: "GOMODCACHE",
		},
		"nothing there": {missing: []string{"Go ", "git", "a C compiler"}, fix: "https://go.dev/dl"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			doctor := exec.Command("/bin/sh", "doctor.sh")
			doctor.Env = []string{"PATH=" + machine(t, tt.scripts)}
			out, err := doctor.CombinedOutput()
			if failed := err != nil; failed != (len(tt.missing) > 0) {
				t.Fatalf("doctor.sh: error %v, want missing %q; it printed:\n%s", err, tt.missing, out)
			}
			if told := misses(string(out), tt.missing); !told || !strings.Contains(string(out), tt.fix) {
				t.Errorf("doctor.sh does not miss %q in this order with the fix %q; it printed:\n%s", tt.missing, tt.fix, out)
			}
		})
	}
}

// misses is true if the lines of out that miss something are about want, in order.
func misses(out string, want []string) bool {
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "  missing  ") {
			continue
		}
		if len(want) == 0 || !strings.Contains(line, want[0]) {
			return false
		}
		want = want[1:]
	}
	return len(want) == 0
}
