package bundle_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/bundle"
)

// kept are the files of the root bundle, the ignore file's rules applied.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	r := bundle.Load(bundle.DirTree(os.DirFS(dir)), bundle.Repo{Name: "r"})
	if len(r.Bundles) != 1 {
		t.Fatalf("want one bundle, got %+v", r)
	}
	var names []string
	for _, f := range r.Bundles[0].Files {
		names = append(names, f.Path)
	}
	return names
}

// keptByGit asks git itself, which reads the same rules from .gitignore.
func keptByGit(t *testing.T, dir string) []string {
	t.Helper()
	for _, args := range [][]string{{"init", "-q"}, {"ls-files", "-z", "--others", "--exclude-standard"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		if args[0] == "ls-files" {
			names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
			slices.Sort(names)
			return slices.DeleteFunc(names, func(n string) bool { return n == "" || strings.HasPrefix(filepath.Base(n), ".") })
		}
	}
	return nil
}

func compareWithGit(t *testing.T, files []string, ignores map[string]string) {
	t.Helper()
	ours, theirs := t.TempDir(), t.TempDir()
	for _, name := range files {
		writeFile(t, filepath.Join(ours, name), "")
		writeFile(t, filepath.Join(theirs, name), "")
	}
	for dir, rules := range ignores {
		writeFile(t, filepath.Join(ours, dir, ".fleetignore"), rules)
		writeFile(t, filepath.Join(theirs, dir, ".gitignore"), rules)
	}
	if diff := cmp.Diff(keptByGit(t, theirs), kept(t, ours)); diff != "" {
		t.Errorf("rules %q (-git +got):\n%s", ignores, diff)
	}
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ignoreFiles always hold one file that no rule below names, so that there is a bundle.
var ignoreFiles = []string{"keep-me.yaml", "a.txt", "b.txt", "a b.txt", "dir/a.txt", "dir/b.md", "dir/sub/a.txt", "dir/sub/c.txt", "other/dir/a.txt",
	"other/x/y/z/a.txt", "x/a.txt", "x/y/a.txt", "x/y/z/deep.txt", "#hash", "!bang", "end ", "ab1.txt", "abc.txt", "other/a/b/c/b.txt", "foo/bar/a.txt", "bar"}

func TestIgnoreRulesMeanWhatGitMeans(t *testing.T) {
	tests := map[string]map[string]string{
		"base name":           {".": "a.txt\n"},
		"wildcard":            {".": "*.txt\n!b.txt\n"},
		"directory":           {".": "dir/\n"},
		"directory contents":  {".": "dir/*\n"},
		"anchored":            {".": "/a.txt\n"},
		"middle slash":        {".": "dir/a.txt\n"},
		"leading stars":       {".": "**/sub/a.txt\n"},
		"trailing stars":      {".": "x/**\n"},
		"middle stars":        {".": "other/**/b.txt\n"},
		"stars match none":    {".": "dir/**/a.txt\n"},
		"re-included":         {".": "dir/*\n!dir/sub/\ndir/sub/*\n!dir/sub/c.txt\n"},
		"parent stays out":    {".": "dir/\n!dir/sub/c.txt\n"},
		"comment and escapes": {".": "# a.txt\n\\#hash\n\\!bang\n"},
		"trailing spaces":     {".": "a.txt   \nb.txt\\ \n"},
		"escaped end space":   {".": "end\\ \n"},
		"class":               {".": "ab[0-9].txt\n"},
		"negated class":       {".": "ab[!0-9].txt\n"},
		"question mark":       {".": "?.txt\n"},
		"windows line ends":   {".": "a.txt\r\nb.txt\r\n"},
		"nested ignore file":  {".": "*.txt\n", "dir": "!a.txt\n"},
		"nested one is local": {"dir": "a.txt\n/sub\n"},
		"a space in the name": {".": "a b.txt\n"},
		"bad pattern":         {".": "[\na.txt\n"},
		"only stars":          {"dir": "**\n"},
		"slash star star":     {".": "/x/**/a.txt\n"},
		"star does not cross": {".": "other/*/a.txt\n"},
		"file named as a dir": {".": "bar/\n"},
		"stars next to stars": {".": "other/**/**/b.txt\n"},
		"stars, then stars":   {".": "**/a/**\n"},
		"name is everywhere":  {".": "bar\n"},
	}
	for name, ignores := range tests {
		t.Run(name, func(t *testing.T) { compareWithGit(t, ignoreFiles, ignores) })
	}
}

func TestRandomIgnoreRulesMeanWhatGitMeans(t *testing.T) {
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 7))
		var lines []string
		for range 1 + r.IntN(4) {
			var parts []string
			for range 1 + r.IntN(3) {
				parts = append(parts, []string{"a.txt", "*.txt", "dir", "sub", "x", "y", "**", "?.txt", "*", "b*", "other"}[r.IntN(11)])
			}
			line := []string{"", "", "!", "/"}[r.IntN(4)] + strings.Join(parts, "/") + []string{"", "", "/"}[r.IntN(3)]
			lines = append(lines, line)
		}
		lines = append(lines, "!/keep-me.yaml")
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			compareWithGit(t, ignoreFiles, map[string]string{".": strings.Join(lines, "\n") + "\n"})
		})
	}
}

func TestAPatternOfManyStarsCostsLittle(t *testing.T) {
	deep := strings.Repeat("a/", 40)
	tree := files(".fleetignore", strings.Repeat("**/a/", 400)+"never\n", deep+"x.yaml", configMap)
	if r := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "r"}); len(r.Bundles) != 1 || len(r.Bundles[0].Files) != 1 {
		t.Errorf("got %+v", r)
	}
	tree[".fleetignore"].Data = []byte(strings.Repeat("a.txt\n", 2000))
	tree["b/fleet.yaml"], tree["b/b.yaml"] = &fstest.MapFile{Mode: 0o644}, &fstest.MapFile{Data: []byte(configMap), Mode: 0o644}
	if r := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "r"}); len(r.Broken) != 2 || !slices.Contains(codes(r), bundle.CodeTooLarge) {
		t.Errorf("2000 rules: %v", codes(r))
	}
}
