package charts_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/internal/source/charts"
)

// byHelm reads an index the slow, obvious way.
func byHelm(t testing.TB, text string) map[string][][3]string {
	t.Helper()
	var file struct {
		Entries map[string][]struct {
			Version string
			URLs    []string
			Digest  string
		}
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	all := map[string][][3]string{}
	for name, list := range file.Entries {
		all[name] = [][3]string{}
		for _, e := range list {
			digest := ""
			if e.Digest != "" {
				digest = "sha256:" + e.Digest
			}
			all[name] = append(all[name], [3]string{e.Version, strings.Join(e.URLs[:min(1, len(e.URLs))], ""), digest})
		}
	}
	return all
}

const digestA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestIndexesAreReadInEveryStyle(t *testing.T) {
	cases := map[string]struct {
		text string
		// parts is into how many charts it is cut; -1 means that it is read as a whole.
		parts int
	}{
		"as helm writes it":              {"apiVersion: v1\nentries:\n  a:\n  - version: 1.0.0\n    urls:\n    - a.tgz\n    digest: " + digestA + "\n  - version: 2.0.0\n    urls: [b.tgz, c.tgz]\n  b:\n  - version: 3.0.0\n    urls: []\ngenerated: \"now\"\n", 2},
		"lists set in":                   {"entries:\n    a:\n        - version: 1.0.0\n          description: |\n            entries:\n            b:\n              - x\n    b:\n        - version: 2.0.0\napiVersion: v1\n", 2},
		"with comments and blanks":       {"# top\napiVersion: v1\n\nentries:\n\n  # about a\n  a:\n# at the edge\n\n  - version: 1.0.0\n  b:\n  # empty\n  - version: 2.0.0\n", 2},
		"with line breaks of DOS":        {"apiVersion: v1\r\nentries:\r\n  a:\r\n  - version: 1.0.0\r\n  b:\r\n  - version: 2.0.0\r\n", 2},
		"in quotes":                      {"apiVersion: v1\n'entries':\n  \"a\":\n  - version: '1.0.0'\n", -1},
		"quoted names":                   {"apiVersion: v1\nentries:\n  \"a\":\n  - version: '1.0.0'\n  'b':\n  - version: 2.0.0\n", 2},
		"no entries":                     {"apiVersion: v1\nentries: {}\n", -1},
		"flow style":                     {"{apiVersion: v1, entries: {a: [{version: 1.0.0}]}}", -1},
		"a document mark":                {"---\napiVersion: v1\nentries:\n  a:\n  - version: 1.0.0\n", 1},
		"a number as version":            {"apiVersion: v1\nentries:\n  a:\n  - version: \"1\"\n", 1},
		"an anchor used elsewhere":       {"apiVersion: v1\nentries:\n  a: &a\n  - version: 1.0.0\n  b: *a\n", 2},
		"a text that is not set in":      {"apiVersion: v1\nentries:\n  a:\n  - description: \"x\n  y: z\n  \"\n    version: 1.0.0\n  b:\n  - version: 2.0.0\n", -1},
		"a text that looks like a chart": {"apiVersion: v1\nentries:\n  a:\n  - description: \"x\n  y: z\"\n    version: 1.0.0\n  b:\n  - version: 2.0.0\n", 3},
		"without end of line":            {"apiVersion: v1\nentries:\n  a:\n  - version: 1.0.0", 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := charts.Parts([]byte(tc.text)); got != tc.parts {
				t.Errorf("cut into %d charts, want %d", got, tc.parts)
			}
			got, err := charts.IndexVersions([]byte(tc.text), 100)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(byHelm(t, tc.text), got); diff != "" {
				t.Errorf("versions (-slow +got):\n%s", diff)
			}
			asJSON, err := yaml.YAMLToJSON([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := charts.IndexVersions(asJSON, 100); err != nil || !cmp.Equal(byHelm(t, tc.text), got) {
				t.Errorf("as JSON: got %v, %v", got, err)
			}
		})
	}
}

func TestUnusableEntriesAreLeftOut(t *testing.T) {
	text := "apiVersion: v1\nentries:\n  a:\n  - null\n  - version: [1]\n  - version: 1.0.0\n    urls: {x: y}\n  - version: 2.0.0\n    urls: [a.tgz]\n    digest: " + strings.Repeat("z", 64) + "\n  b:\n  c: null\n"
	got, err := charts.IndexVersions([]byte(text), 100)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][3]string{{"1.0.0", "", ""}, {"2.0.0", "a.tgz", ""}}, got["a"]); diff != "" {
		t.Errorf("versions of a (-want +got):\n%s", diff)
	}
}

func TestHostileIndexesAreRefused(t *testing.T) {
	bomb := "apiVersion: v1\nx0: &x0 [1,1,1,1,1,1,1,1,1,1]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d,", i-1), 10), ","))
	}
	urls := "  a: \n  - &e0 {version: 1.0.0, urls: [a,a,a,a,a,a,a,a,a,a]}\n"
	for i := 1; i < 9; i++ {
		urls += fmt.Sprintf("  b%d: &b%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*b%d,", i-1), 10), ","))
	}
	many := index(slices.Collect(func(yield func(chartEntry) bool) {
		for i := range 101 {
			if !yield(chartEntry{"app", fmt.Sprintf("1.0.%d", i), "a.tgz", ""}) {
				return
			}
		}
	})...)
	cases := map[string]struct {
		text string
		kind error
	}{
		"aliases beside the entries": {bomb + "entries: {}\n", nil}, // not followed, so no harm
		"aliases as entries":         {bomb + "entries: *x11\n", nil},
		"aliases in entries":         {"apiVersion: v1\nentries:\n" + urls, charts.ErrProtocol},
		"an alias of itself":         {"apiVersion: v1\nentries: &e\n  a: *e\n", nil},
		"too many versions":          {string(many), charts.ErrTooLarge},
		"a huge flow style":          {"{apiVersion: v1, x: " + strings.Repeat("[", 5<<20) + "}", charts.ErrTooLarge},
		"deep nesting":               {"apiVersion: v1\nentries:\n  a: " + strings.Repeat("[", 20000) + "\n", charts.ErrProtocol},
		"deep JSON":                  {`{"apiVersion":"v1","entries":{"a":` + strings.Repeat("[", 20000), charts.ErrProtocol},
		"one chart beyond the bound": {"apiVersion: v1\nentries:\n  a:\n  - description: " + strings.Repeat("x", 5<<20) + "\n", charts.ErrTooLarge},
		"a head beyond the bound":    {"apiVersion: v1\nx: " + strings.Repeat("x", 5<<20) + "\nentries:\n  a:\n  - version: 1.0.0\n", charts.ErrTooLarge},
		"nothing":                    {"", charts.ErrProtocol},
		"no apiVersion":              {"entries:\n  a:\n  - version: 1.0.0\n", charts.ErrProtocol},
		"binary":                     {"\x00\x01\x02", charts.ErrProtocol},
		"a page":                     {"<!DOCTYPE html>\n<html>\n", charts.ErrProtocol},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := charts.IndexVersions([]byte(tc.text), 100)
			if tc.kind != nil && !errors.Is(err, tc.kind) || tc.kind == nil && err != nil && !errors.Is(err, charts.ErrProtocol) {
				t.Errorf("got %v, want %v", err, tc.kind)
			}
			if n := len(slices.Collect(maps.Keys(got))); n > 1 {
				t.Errorf("got %d charts", n)
			}
		})
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nentries:\n  a:\n  - version: 1.0.0\n    urls:\n    - a.tgz\n  b:\n  - version: 2.0.0\n"))
	f.Add([]byte(`{"apiVersion":"v1","entries":{"a":[{"version":"1.0.0","urls":["a"]}]}}`))
	f.Add([]byte("apiVersion: v1\nentries:\n  a: &a\n  - version: 1.0.0\n  b: *a\n"))
	f.Add([]byte("apiVersion: v1\nentries:\n  a:\n  - description: \"x\n  y: z\n  \"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := charts.IndexVersions(text, 1000)
		if err != nil {
			return
		}
		count := 0
		for _, releases := range got {
			count += len(releases)
		}
		if count > 1000 {
			t.Errorf("got %d versions beyond the bound", count)
		}
	})
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer realm="https://a/t",service="b",scope="repository:c:pull,push"`)
	f.Add(`Basic realm="a\"b\\"`)
	f.Fuzz(func(t *testing.T, header string) {
		_, parameters := charts.ParseChallenge(header)
		if text, err := json.Marshal(parameters); err == nil && len(header) > 0 && len(parameters) > len(header) {
			t.Errorf("%q gave %s", header, text)
		}
	})
}
