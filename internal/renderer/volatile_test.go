package renderer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

func TestRandomValuesAreListedAndLeaveTheIdentityAlone(t *testing.T) {
	pool := newPool(t, renderer.Options{MemoBytes: -1})
	in := helmInputs("", file("Chart.yaml", chartYAML), file("templates/s.yaml",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  user: admin\n  pass/word: {{ randAlphaNum 20 }}\n  id: {{ uuidv4 }}\n"))
	first, second := mustRender(t, pool.Render, in), mustRender(t, pool.Render, in)

	if diff := cmp.Diff([]string{"/stringData/id", "/stringData/pass~1word"}, first.Objects[0].Volatile); diff != "" {
		t.Errorf("volatile (-want +got):\n%s", diff)
	}
	_, firstID, err := first.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, secondID, err := second.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if firstID == secondID {
		t.Fatal("both renders are equal, so this test proves nothing")
	}
	a, errA := renderer.Identity(first)
	b, errB := renderer.Identity(second)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Errorf("identities %s and %s differ", a, b)
	}
}

func TestIdentityIsTheIDWhenNothingIsVolatile(t *testing.T) {
	item := mustRender(t, newPool(t, renderer.Options{}).Render, rawInputs(file("a.yaml", configMap("a"))))
	_, want, err := item.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := renderer.Identity(item); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestARandomNameIsRefusedWithWhatMadeIt(t *testing.T) {
	cases := map[string]struct {
		files []bundle.File
		want  string // file:line and function
	}{
		"in the template": {
			[]bundle.File{file("templates/a.yaml", configMap("x-{{ randAlpha 8 | lower }}"))}, "templates/a.yaml:4 randAlpha",
		},
		"in a partial": {
			[]bundle.File{file("templates/a.yaml", configMap(`{{ include "name" . }}`)), file("templates/_p.tpl", "\n{{ define \"name\" }}x-{{ uuidv4 }}{{ end }}")}, "templates/_p.tpl:2 uuidv4",
		},
		"one that comes and goes": {
			[]bundle.File{file("templates/a.yaml", "{{ range until (randInt 1 1000) }}\n---\n"+configMap("x-{{ . }}")+"{{ end }}")}, "templates/a.yaml:1 randInt",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := newPool(t, renderer.Options{}).Render(context.Background(), helmInputs("", append(c.files, file("Chart.yaml", chartYAML))...))
			var p *renderer.Problem
			if !errors.As(err, &p) || p.Code != manifest.InvalidObject {
				t.Fatalf("got %v, want %s", err, manifest.InvalidObject)
			}
			if strings.Contains(p.Message, "x-") {
				t.Errorf("%s: it says a name, which is another in every run", p.Message)
			}
			place, function, _ := strings.Cut(c.want, " ")
			if got := fmt.Sprintf("%s:%d", p.File, p.Line); got != place || !strings.HasSuffix(p.Message, "by "+function) {
				t.Errorf("got %s %s, want %s", got, p.Message, c.want)
			}
		})
	}
}

// passwordChart is a chart of this version with one random value and one that is none.
func passwordChart(version string) renderer.Inputs {
	return helmInputs("", file("Chart.yaml", strings.Replace(chartYAML, "1.0.0", version, 1)), file("templates/s.yaml",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s, labels: {version: '{{ .Chart.Version }}'}}\nstringData:\n  password: {{ randAlphaNum 20 }}\n"))
}

func identity(t *testing.T, item content.Item) content.ID {
	t.Helper()
	id, err := renderer.Identity(item)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestClustersGetTheirOwnPasswordsUnderOneIdentity(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	rendered := map[string]content.Item{}
	for _, cluster := range []string{"fleet/eu-1", "fleet/eu-2"} {
		in := passwordChart("1.0.0")
		in.Cluster = cluster
		rendered[cluster] = mustRender(t, pool.Render, in)
		if again := mustRender(t, pool.Render, in); !cmp.Equal(rendered[cluster], again) {
			t.Errorf("%s got another password when asked again", cluster)
		}
	}
	one, two := rendered["fleet/eu-1"], rendered["fleet/eu-2"]
	if string(one.Objects[0].Manifest) == string(two.Objects[0].Manifest) {
		t.Errorf("both clusters got %s", one.Objects[0].Manifest)
	}
	if identity(t, one) != identity(t, two) {
		t.Error("their identities differ")
	}
}

func TestAChartUpgradeKeepsWhatIsVolatile(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	before, after := mustRender(t, pool.Render, passwordChart("1.0.0")), mustRender(t, pool.Render, passwordChart("1.0.1"))
	if identity(t, before) == identity(t, after) {
		t.Error("the new version has the identity of the old one")
	}
	if diff := cmp.Diff(before.Objects[0].Volatile, after.Objects[0].Volatile); diff != "" {
		t.Errorf("volatile (-old +new):\n%s", diff)
	}
	if want := []string{"/stringData/password"}; !cmp.Equal(want, after.Objects[0].Volatile) {
		t.Errorf("got %v, want %v", after.Objects[0].Volatile, want)
	}
}

// A restarted manager has an empty memo, and another pool of children.
func TestALostMemoChangesNoIdentity(t *testing.T) {
	in := passwordChart("1.0.0")
	in.Cluster = "fleet/eu-1"
	before := mustRender(t, newPool(t, renderer.Options{}).Render, in)
	after := mustRender(t, newPool(t, renderer.Options{}).Render, in)
	if identity(t, before) != identity(t, after) {
		t.Error("a lost memo would redeploy the bundle")
	}
}

// Identities are stored: what changes them for inputs that did not change
// redeploys every bundle when Muster is upgraded. These were taken before
// content had compare patches, ignored conditions, health and origins.
func TestContentOfEarlierVersionsKeepsItsNames(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	if got, want := identity(t, mustRender(t, pool.Render, passwordChart("1.0.0"))), content.ID("jqMu0ti_rEEY6WhhXt7ZL3w6DBWY_Nd2Fcz80ptBq9A"); got != want {
		t.Errorf("a chart: got %s, want %s", got, want)
	}
	in := rawInputs(file("a.yaml", configMap("a")))
	yes := true
	in.Options.KeepResources = &yes
	_, got, err := mustRender(t, pool.Render, in).Encode()
	if want := content.ID("ULgjqA4T7Rv3aOHVi0THbfk-AelsK33xZKG0hmNYo-g"); err != nil || got != want {
		t.Errorf("manifests: got %s, %v, want %s", got, err, want)
	}
}
