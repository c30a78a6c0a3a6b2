package arch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/arch"
)

// A small house: words below decisions below serving.
func smallRules() []arch.Rule {
	return []arch.Rule{
		{Path: "pkg/words", Level: 0, Pure: true, Outside: []string{"k8s.io/apimachinery"}},
		{Path: "pkg/decide", Level: 1, Pure: true},
		{Path: "pkg/decide/engine", Level: 1, Pure: true, May: []string{"net/http"}, OnlyFor: []string{"internal/child"}},
		{Path: "internal/child", Level: 2},
		{Path: "internal/serve", Level: 3},
	}
}

func TestCheckFindsEachKindOfWrongImport(t *testing.T) {
	const m = "example.com/m/"
	tests := map[string]struct {
		path    string
		imports []string
		want    []string
	}{
		"down is fine":                          {path: m + "internal/serve", imports: []string{m + "pkg/decide", m + "pkg/words", "net/http"}},
		"sideways is fine":                      {path: m + "internal/serve/a", imports: []string{m + "internal/serve/b"}},
		"trees without rules are not looked at": {path: m + "test/e2e", imports: []string{m + "internal/serve"}},
		"another module is not looked at":       {path: "other.org/x", imports: []string{m + "internal/serve"}},
		"up": {
			path: m + "pkg/words", imports: []string{m + "pkg/decide"},
			want: []string{"pkg/words (level 0) imports pkg/decide (level 1): lower never imports higher"},
		},
		"unknown package": {
			path: m + "pkg/newcomer", imports: []string{"fmt"},
			want: []string{"pkg/newcomer has no level: add it to the table in internal/arch/table.go"},
		},
		"a longer name is not a package below": {
			path: m + "pkg/decided",
			want: []string{"pkg/decided has no level: add it to the table in internal/arch/table.go"},
		},
		"a decision reaches outside": {
			path: m + "pkg/decide", imports: []string{"os/exec"},
			want: []string{"pkg/decide imports os/exec: it decides on values and may not reach outside"},
		},
		"a decision reaches outside below an impure prefix": {
			path: m + "pkg/decide", imports: []string{"net/http/httptest"},
			want: []string{"pkg/decide imports net/http/httptest: it decides on values and may not reach outside"},
		},
		"an exception holds for the package it names": {path: m + "pkg/decide/engine", imports: []string{"net/http"}},
		"an exception holds only for what it names": {
			path: m + "pkg/decide/engine", imports: []string{"os/exec"},
			want: []string{"pkg/decide/engine imports os/exec: it decides on values and may not reach outside"},
		},
		"words import apimachinery": {path: m + "pkg/words/v1", imports: []string{"k8s.io/apimachinery/pkg/types", "encoding/json"}},
		"words import nothing else outside": {
			path: m + "pkg/words/v1", imports: []string{"k8s.io/api/core/v1"},
			want: []string{"pkg/words/v1 imports k8s.io/api/core/v1: outside the standard library it may import only k8s.io/apimachinery"},
		},
		"an engine used by its one user": {path: m + "internal/child", imports: []string{m + "pkg/decide/engine"}},
		"an engine used by another": {
			path: m + "internal/serve", imports: []string{m + "pkg/decide/engine"},
			want: []string{"internal/serve imports pkg/decide/engine, which only internal/child may"},
		},
		"product code imports tests": {
			path: m + "internal/serve", imports: []string{m + "test/e2e"},
			want: []string{"internal/serve imports test/e2e, which is not part of the product"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := arch.Check("example.com/m", smallRules(), []string{"net/http", "os/exec"}, []arch.Package{{Path: tt.path, Imports: tt.imports}})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Check(%s imports %v) (-want +got):\n%s", tt.path, tt.imports, diff)
			}
		})
	}
}

func TestCheckSourceFindsClocksAndGoroutines(t *testing.T) {
	tests := map[string]struct {
		source string
		want   []string
	}{
		"a value passed in": {
			source: "package p\nimport \"time\"\nfunc f(now time.Time) time.Time { return now.Add(time.Second) }",
		},
		"asks for the time": {
			source: "package p\nimport \"time\"\nfunc f() time.Time { return time.Now() }",
			want:   []string{"x.go:3:29: uses time.Now; take the time as an argument"},
		},
		"asks under another name": {
			source: "package p\nimport clock \"time\"\nvar now = clock.Now",
			want:   []string{"x.go:3:11: uses time.Now; take the time as an argument"},
		},
		"waits": {
			source: "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }",
			want:   []string{"x.go:3:12: uses time.Sleep; take the time as an argument"},
		},
		"a field called Now": {
			source: "package p\nfunc f(o struct{ Now int }) int { return o.Now }",
		},
		"starts a goroutine": {
			source: "package p\nfunc f() { go f() }",
			want:   []string{"x.go:2:12: starts a goroutine; decisions are plain functions"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := arch.CheckSource("x.go", []byte(tt.source))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("CheckSource of\n%s\n(-want +got):\n%s", tt.source, diff)
			}
		})
	}
}
