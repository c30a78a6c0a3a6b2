package manifest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

func decode(t *testing.T, text string) []manifest.Object {
	t.Helper()
	objects, err := manifest.Decode("a.yaml", []byte(text), manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func object(kind, name string) string {
	return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n"
}

// A document that is not noticed would be lost without a word.
func TestEveryDocumentIsRead(t *testing.T) {
	cases := map[string]struct {
		text string
		want []string // name:line
	}{
		"one":                      {object("ConfigMap", "a"), []string{"a:1"}},
		"two":                      {object("ConfigMap", "a") + "---\n" + object("ConfigMap", "b"), []string{"a:1", "b:5"}},
		"a comment on the marker":  {"--- # first\n" + object("ConfigMap", "a") + "--- # second\n" + object("ConfigMap", "b"), []string{"a:2", "b:6"}},
		"an object on the marker":  {"--- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n", []string{"a:1"}},
		"an end marker":            {object("ConfigMap", "a") + "...\n" + object("ConfigMap", "b"), []string{"a:1", "b:5"}},
		"windows lines":            {strings.ReplaceAll(object("ConfigMap", "a")+"---\n"+object("ConfigMap", "b"), "\n", "\r\n"), []string{"a:1", "b:5"}},
		"a byte order mark":        {"\ufeff" + object("ConfigMap", "a"), []string{"a:1"}},
		"comments and blank parts": {"# hi\n---\n\n---\n# there\n\n" + object("ConfigMap", "a") + "---\n", []string{"a:7"}},
		"a directive":              {"%YAML 1.1\n---\n" + object("ConfigMap", "a"), []string{"a:3"}},
		"a marker inside text":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: |\n    ---\n    y\n", []string{"a:1"}},
		"json":                     {`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}`, []string{"a:1"}},
		"a list":                   {"apiVersion: v1\nkind: List\nitems:\n- " + indent(object("ConfigMap", "a")) + "- " + indent(object("ConfigMap", "b")), []string{"a:1", "b:1"}},
		"a typed list":             {"apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n", []string{"a:1"}},
		"an empty list":            {"apiVersion: v1\nkind: List\n", nil},
		"a kind that ends in List": {"apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\n", []string{"a:1"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, o := range decode(t, c.text) {
				got = append(got, o.Name+":"+string(rune('0'+o.Line)))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func indent(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

func TestScopesComeFromKubernetesAndFromTheBundle(t *testing.T) {
	crd := func(scope string) string {
		return "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: w." + strings.ToLower(scope) + "}\nspec: {group: " + strings.ToLower(scope) + ".example, scope: " + scope + ", names: {kind: Widget}}\n"
	}
	text := object("Node", "node") + "---\n" + object("Service", "s") + crd("Cluster") + crd("Namespaced") +
		"---\napiVersion: cluster.example/v1\nkind: Widget\nmetadata: {name: c}\n---\napiVersion: namespaced.example/v1\nkind: Widget\nmetadata: {name: d}\n---\napiVersion: unknown.example/v1\nkind: Node\nmetadata: {name: u}\n"
	finished, err := manifest.Finish(decode(t, text), manifest.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	var got []content.Key
	for _, o := range finished {
		got = append(got, o.Key)
	}
	want := []content.Key{
		"apiextensions.k8s.io/CustomResourceDefinition//w.cluster", "apiextensions.k8s.io/CustomResourceDefinition//w.namespaced",
		"/Service/default/s", "/Node//node", "unknown.example/Node/default/u", "cluster.example/Widget//c", "namespaced.example/Widget/default/d",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHooksOfOneNameForDifferentEventsMayStandTogether(t *testing.T) {
	hook := func(events string) string {
		return "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, annotations: {helm.sh/hook: '" + events + "'}}\n"
	}
	cases := map[string]struct {
		text  string
		fault string
	}{
		"install and upgrade":    {hook("pre-install") + hook("pre-upgrade"), ""},
		"beside an ordinary one": {hook("pre-install") + "---\n" + object("Secret", "s"), ""},
		"the same event":         {hook("pre-install,pre-upgrade") + hook("pre-install"), manifest.DuplicateObject},
		"an event nobody knows":  {hook("whenever") + hook("whenever"), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.Finish(decode(t, c.text), manifest.Settings{})
			var f *manifest.Fault
			code := ""
			if errors.As(err, &f) {
				code = f.Code
			}
			if code != c.fault {
				t.Errorf("got %q (%v), want %q", code, err, c.fault)
			}
		})
	}
}

func TestMessagesAreCleanAndBounded(t *testing.T) {
	f := manifest.NewFault("a\x1b[31m.yaml", 1, manifest.InvalidYAML, "%s", "x\x1b[0m\ny\u202e"+strings.Repeat("z", 5000))
	if strings.ContainsAny(f.Error(), "\x1b\n\u202e") || len(f.Error()) > 1100 {
		t.Errorf("got %q", f.Error())
	}
}

// FuzzDecode wants no panic, and of what is accepted: keys that split into the
// same parts, manifests that decode to themselves, and the same bytes again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{object("ConfigMap", "a"), "---\n...\n", "a: &a [*a]", "kind: List\napiVersion: v1\nitems: [{}]", "apiVersion: a/b/c\nkind: X\nmetadata: {name: 'x/y'}", "{apiVersion: v1, kind: Namespace, metadata: {name: default, annotations: {muster.dev/wave: '3'}}}", "\ufeff%YAML 1.2\n--- |\n x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		objects, err := manifest.Decode("f.yaml", data, manifest.Options{MaxObjects: 100})
		if err != nil {
			var fault *manifest.Fault
			if !errors.As(err, &fault) || fault.Code == "" {
				t.Fatalf("%q: %v is not a fault with a code", data, err)
			}
			return
		}
		finished, err := manifest.Finish(slices.Clone(objects), manifest.Settings{})
		if err != nil {
			return
		}
		for _, o := range finished {
			if o.Role == content.RoleReleaseNamespace {
				continue
			}
			group, kind, namespace, name := o.Key.Split()
			if content.NewKey(group, kind, namespace, name) != o.Key || kind == "" || name == "" {
				t.Fatalf("%q: key %q does not split into itself", data, o.Key)
			}
			again, err := manifest.FromJSON("f.yaml", o.Manifest)
			if err != nil {
				t.Fatalf("%q: its own manifest %s: %v", data, o.Manifest, err)
			}
			if again.Key() != o.Key {
				t.Fatalf("%q: key %q became %q", data, o.Key, again.Key())
			}
		}
	})
}
