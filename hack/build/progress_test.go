package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// chain is app -> lib -> base, and app -> cached -> deep.
func chain() []pkg {
	return []pkg{
		{Path: "base", Bytes: 100},
		{Path: "lib", Imports: []string{"base"}, Bytes: 300},
		{Path: "deep", Bytes: 100},
		{Path: "cached", Imports: []string{"deep"}, Bytes: 400},
		{Path: "app", Imports: []string{"lib", "cached"}, Bytes: 100, Asked: true},
	}
}

func TestNamingAPackageFinishesAllBelowItAlsoTheCachedOnes(t *testing.T) {
	p := newProgress(chain(), time.Unix(0, 0))
	steps := []struct {
		named string
		want  int
	}{{"base", 1}, {"lib", 2}, {"app", 5}}
	for _, step := range steps {
		if !p.started(step.named) {
			t.Fatalf("started(%q) = false, want true", step.named)
		}
		if got := p.done(); got != step.want {
			t.Errorf("after %s: done() = %d, want %d", step.named, got, step.want)
		}
	}
}

func TestAMessageIsNoPackage(t *testing.T) {
	p := newProgress(chain(), time.Unix(0, 0))
	if p.started("# base") || p.done() != 0 {
		t.Errorf("a line that names no package was counted: done() = %d", p.done())
	}
}

func TestLineTellsWhatIsLeft(t *testing.T) {
	tests := map[string]struct {
		named   []string
		elapsed time.Duration
		want    string
	}{
		"nothing seen yet": {elapsed: time.Minute, want: "0 of 5 packages, estimating"},
		// 400 of 1000 bytes took 8 minutes; 900 left (lib is not done) and 50 for linking.
		"some seen":    {named: []string{"base", "lib"}, elapsed: 8 * time.Minute, want: "2 of 5 packages, about 19.0 minutes left"},
		"nearly there": {named: []string{"base", "lib"}, elapsed: 8 * time.Second, want: "2 of 5 packages, less than a minute left"},
		"all named":    {named: []string{"base", "lib", "app"}, elapsed: time.Minute, want: "5 of 5 packages, linking"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			begun := time.Unix(1000, 0)
			p := newProgress(chain(), begun)
			for _, path := range tt.named {
				p.started(path)
			}
			if got := p.line(begun.Add(tt.elapsed)); got != tt.want {
				t.Errorf("line after %s of %v = %q, want %q", tt.elapsed, tt.named, got, tt.want)
			}
		})
	}
}

func TestParsePackagesReadsGoListsLines(t *testing.T) {
	in := "errors\t/nowhere\tx.go,\tinternal/abi,unsafe\ttrue\nexample.com/app\t/nowhere\tmain.go,\terrors\tfalse\n"
	got, err := parsePackages(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	want := "[{errors [internal/abi unsafe] 0 false} {example.com/app [errors] 0 true}]"
	if fmt.Sprint(got) != want {
		t.Errorf("parsePackages(%q) = %v, want %s", in, got, want)
	}
	if _, err := parsePackages(strings.NewReader("garbage\n")); err == nil {
		t.Error("parsePackages of a line without tabs: no error")
	}
}
