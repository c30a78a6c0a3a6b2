package cli_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"sigs.k8s.io/yaml"
)

// section is what docs/reference/bundle-file.md says of one key.
type section struct{ key, text string }

func readReference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference/bundle-file.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sectionsOf are the parts below "Every key", each under a heading "### `key`".
func sectionsOf(t *testing.T, reference string) []section {
	t.Helper()
	_, keys, ok := strings.Cut(reference, "\n## Every key\n")
	if !ok {
		t.Fatal(`bundle-file.md has no part "Every key"`)
	}
	var sections []section
	for _, part := range strings.Split(keys, "\n### `")[1:] {
		key, text, _ := strings.Cut(part, "`\n")
		sections = append(sections, section{key, text})
	}
	return sections
}

// sectionOf is the heading a key belongs to: itself, or the nearest key above it that has one.
func sectionOf(path string, sections []section) *section {
	for path != "" {
		at := slices.IndexFunc(sections, func(s section) bool { return s.key == path })
		if at >= 0 {
			return &sections[at]
		}
		path = strings.TrimSuffix(path[:max(0, strings.LastIndexByte(path, '.'))], "[]")
	}
	return nil
}

func TestTheReferenceKnowsEveryKeyAndNoOther(t *testing.T) {
	sections := sectionsOf(t, readReference(t))
	types := map[string]bundle.Key{}
	for _, k := range bundle.Keys() {
		types[k.Path] = k
		name := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		s := sectionOf(k.Path, sections)
		switch {
		case s == nil && k.Type == "block":
			// Its own keys have headings; TestEveryBlockIsLaidOpen.
		case s == nil:
			t.Errorf("%s (%s) has no heading and none above it", k.Path, k.Type)
		case s.key != k.Path && !strings.Contains(s.text, "`"+name+"`"):
			t.Errorf("the part about %s does not mention `%s` (%s, %s)", s.key, name, k.Path, k.Type)
		}
	}
	for _, s := range sections {
		k, ok := types[s.key]
		if !ok {
			t.Errorf("the reference has a heading for %s, which is no key", s.key)
			continue
		}
		if !strings.HasPrefix(s.text, shownType(k)) {
			t.Errorf("the part about %s begins with %.40q, want %q", s.key, s.text, shownType(k))
		}
		if !strings.Contains(s.text, "Default:") && !strings.Contains(s.text, "**Deprecated**") {
			t.Errorf("the part about %s names no default", s.key)
		}
		if whole := strings.Contains(s.text, "Of the bundle as a whole."); whole == k.PerTarget {
			t.Errorf("%s: a customization may say it: %v; the part says it is of the bundle as a whole: %v", s.key, k.PerTarget, whole)
		}
	}
}

// shownType is how the first sentence of a part begins.
func shownType(k bundle.Key) string {
	switch k.Type {
	case "anything":
		return "Map."
	case "list of anything":
		return "List."
	}
	return strings.ToUpper(k.Type[:1]) + k.Type[1:]
}

// Every example is a bundle file that loads, and says nothing that its text does
// not own up to: what is not acted on yet has to be called that.
func TestEveryExampleOfTheReferenceLoads(t *testing.T) {
	reference := readReference(t)
	for _, s := range sectionsOf(t, reference) {
		examples := yamlBlocks(s.text)
		if len(examples) == 0 {
			t.Errorf("%s has no example", s.key)
		}
		for _, example := range examples {
			if !strings.Contains(example, lastOf(s.key)+":") {
				t.Errorf("the example of %s does not use it:\n%s", s.key, example)
			}
			if diff := cmp.Diff(admittedCodes(s.text), codesOf(loadExample(example))); diff != "" {
				t.Errorf("problems of the example of %s (-said +found):\n%s\n%s", s.key, diff, example)
			}
		}
	}
	general, _, _ := strings.Cut(reference, "\n## Every key\n")
	for _, example := range yamlBlocks(general) {
		if strings.Contains(example, "kind: GitRepo") {
			if err := yaml.UnmarshalStrict([]byte(example), &v1alpha1.GitRepo{}); err != nil {
				t.Errorf("an example is no GitRepo: %v\n%s", err, example)
			}
			continue
		}
		if problems := loadExample(example); len(problems) > 0 {
			t.Errorf("an example has problems: %v\n%s", problems, example)
		}
	}
}

func lastOf(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

func yamlBlocks(text string) []string {
	var blocks []string
	for _, part := range strings.Split(text, "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

// admittedCodes are the problems that a part tells of in bold.
func admittedCodes(text string) []string {
	var codes []string
	for marker, code := range map[string]string{
		"**Not acted on yet.**": bundle.CodeNotSupported, "**o effect**": bundle.CodeNoEffect, "**Deprecated**": bundle.CodeDeprecated,
	} {
		if strings.Contains(strings.NewReplacer("**No effect", "**o effect", "**no effect", "**o effect").Replace(text), marker) {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

func codesOf(problems []bundle.Problem) []string {
	var codes []string
	for _, p := range problems {
		code := p.Code
		if p.Severity == bundle.Error {
			code = p.Message
		}
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// loadExample puts an example beside the files it needs.
func loadExample(example string) []bundle.Problem {
	files := fstest.MapFS{"app/fleet.yaml": file(example)}
	add := func(name, text string) { files["app/"+name] = file(text) }
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: checkout}\n"
	const chart = "apiVersion: v2\nname: checkout\nversion: 1.0.0\n"
	switch {
	case strings.Contains(example, "chart: chart\n"):
		add("chart/Chart.yaml", chart)
	case strings.Contains(example, "helm:") && !strings.Contains(example, "chart:"):
		add("Chart.yaml", chart)
		add("values-prod.yaml", "replicas: 3\n")
	case strings.Contains(example, "kustomize:"):
		add("base/kustomization.yaml", "resources: []\n")
		add("prod/kustomization.yaml", "resources: [../base]\n")
	default:
		add("deployment.yaml", deployment)
		add("overlays/prod/deployment_patch.yaml", "spec: {replicas: 3}\n")
	}
	return bundle.Load(bundle.DirTree(fs.FS(files)), bundle.Repo{Name: "shop", Spec: v1alpha1.GitRepoSpec{
		Targets: []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterName: "eu-1"}}},
	}}).Problems
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// A block that has no heading of its own needs one for each of its keys.
func TestEveryBlockIsLaidOpen(t *testing.T) {
	sections := sectionsOf(t, readReference(t))
	for _, k := range bundle.Keys() {
		if parent, _, nested := strings.Cut(k.Path, "."); nested && sectionOf(parent, sections) == nil && sectionOf(k.Path, sections) == nil {
			t.Errorf("%s: neither it nor %s has a heading", k.Path, parent)
		}
	}
}
