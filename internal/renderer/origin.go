package renderer

import (
	"bytes"
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle/helm"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

const (
	// maxOrigins of one value, where it cannot be told which of several calls made it.
	maxOrigins = 5
	// maxAllOrigins of a bundle; they are for people to read.
	maxAllOrigins = 1000
)

// originsOf says for every volatile value which call in which template made it.
// It reads the templates, it does not follow their execution: where several
// calls remain possible all are named.
func (j job) originsOf(p pass) []content.Origin {
	var origins []content.Origin
	var c *callers
	files := fileOfKeys(p.objects)
	for _, o := range p.finished {
		for _, pointer := range o.Volatile {
			if c == nil {
				c = j.callers()
			}
			for _, k := range c.of(files[o.Key], pointer) {
				if len(origins) == maxAllOrigins {
					return origins
				}
				origins = append(origins, content.Origin{File: k.file, Line: k.line, Function: k.function, Key: o.Key, Pointer: pointer})
			}
		}
	}
	return origins
}

func fileOfKeys(objects []manifest.Object) map[content.Key]string {
	files := make(map[content.Key]string, len(objects))
	for i := range objects {
		files[objects[i].Key()] = objects[i].File
	}
	return files
}

// callers reads the chart's templates; it knows none if that fails, since the chart has just rendered.
func (j job) callers() *callers {
	release, err := j.release()
	if err != nil {
		return newCallers(nil, nil)
	}
	sources, err := helm.Sources(j.inputs.Files, release)
	if err != nil {
		return newCallers(nil, nil)
	}
	return newCallers(sources, j.callsInValues())
}

// callsInValues finds restless functions in the "${ }" of values.
func (j job) callsInValues() []call {
	h := j.inputs.Options.Helm
	if h == nil || j.inputs.Context == nil || isTrue(h.DisablePreProcess) {
		return nil
	}
	var calls []call
	look := func(file string, text []byte) {
		for _, at := range inValues.FindAllSubmatchIndex(text, -1) {
			k := call{file: file, function: string(text[at[2]:at[3]])}
			if file != j.optionsFile() {
				k.line = 1 + bytes.Count(text[:at[2]], []byte("\n"))
			}
			calls = append(calls, k)
		}
	}
	if h.Values != nil {
		look(j.optionsFile(), h.Values.Raw)
	}
	for _, key := range slices.Sorted(maps.Keys(h.TemplateValues)) {
		look(j.optionsFile(), []byte(h.TemplateValues[key]))
	}
	for _, f := range j.inputs.Files {
		if slices.Contains(h.ValuesFiles, f.Path) {
			look(f.Path, f.Data)
		}
	}
	return calls
}

var inValues = regexp.MustCompile(`\$\{[^}]*\b(` + strings.Join(restless, "|") + `)\b`)

// of finds the calls that may have made a value of an object that file printed.
func (c *callers) of(file, pointer string) []call {
	t, ok := c.byFile[file]
	if !ok {
		return c.anywhere()
	}
	lines := c.linesOf(file, lastKey(pointer))
	for range maxOrigins {
		if found := c.reached(t, lines, map[*text]bool{}); len(lines) > 0 && len(found) > 0 {
			return sorted(found)
		}
		more := c.assignments(file, lines)
		if len(more) == 0 {
			break
		}
		lines = more
	}
	switch found := c.reached(t, nil, map[*text]bool{}); {
	case len(lines) > 0 && len(c.values) > 0:
		return sorted(slices.Clone(c.values))
	case len(found) > 0:
		return sorted(found)
	case len(t.executes) > 0:
		return sorted(slices.Clone(t.executes))
	}
	return c.anywhere()
}

// anywhere are all calls of the chart: an object that a kustomization made has no template.
func (c *callers) anywhere() []call {
	all := slices.Clone(c.values)
	for _, t := range c.byFile {
		all = append(all, t.calls...)
	}
	for _, t := range c.partials {
		all = append(all, t.calls...)
	}
	return sorted(all)
}

func sorted(calls []call) []call {
	slices.SortFunc(calls, func(a, b call) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.function, b.function))
	})
	calls = slices.Compact(calls)
	return calls[:min(len(calls), maxOrigins)]
}

// lastKey of a pointer that is a word rather than an index.
func lastKey(pointer string) string {
	parts := strings.Split(pointer, "/")
	for _, part := range slices.Backward(parts) {
		if _, err := strconv.Atoi(part); err != nil && part != "" {
			return strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		}
	}
	return ""
}

// linesOf are the lines on which a key stands, as YAML writes it.
func (c *callers) linesOf(file, key string) []int {
	if key == "" {
		return nil
	}
	written := regexp.MustCompile(`(^|[\s{,"'-])` + regexp.QuoteMeta(key) + `["']?\s*:`)
	var lines []int
	for i, line := range c.lines[file] {
		if written.MatchString(line) {
			lines = append(lines, i+1)
		}
	}
	return lines
}

var variable = regexp.MustCompile(`\$[A-Za-z_]\w*`)

// assignments are the lines that give the variables on these lines their values.
func (c *callers) assignments(file string, lines []int) []int {
	var found []int
	for _, line := range lines {
		for _, name := range variable.FindAllString(c.lines[file][line-1], -1) {
			assigned := regexp.MustCompile(regexp.QuoteMeta(name) + `\s*:?=`)
			for i, other := range c.lines[file] {
				if i+1 != line && assigned.MatchString(other) && !slices.Contains(lines, i+1) {
					found = append(found, i+1)
				}
			}
		}
	}
	return found
}
