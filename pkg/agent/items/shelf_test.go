package items_test

import (
	"testing"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/items"
	"github.com/muster-dev/muster/pkg/content"
)

// put takes one item and returns what the core is told of it.
func put(t *testing.T, item content.Item) *core.Item {
	t.Helper()
	item.Version = content.Version
	if item.Kind == "" {
		item.Kind = content.KindManifests
	}
	shelf, err := items.NewShelf()
	if err != nil {
		t.Fatal(err)
	}
	data, id, err := item.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := shelf.Put(id, data)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func hashOf(t *testing.T, options content.Options, manifest string, volatile ...string) string {
	t.Helper()
	o := content.Object{Key: content.NewKey("", "Secret", "ns", "s"), Manifest: []byte(manifest), Volatile: volatile}
	return put(t, content.Item{Options: options, Objects: []content.Object{o}}).Objects[0].Hash
}

// TestAHashIsFrozen pins what inventories hold: a hash that another version of
// the agent computes otherwise would send every object again.
func TestAHashIsFrozen(t *testing.T) {
	manifest := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"password":"a"}}`
	for name, c := range map[string]struct {
		options  content.Options
		volatile []string
		want     string
	}{
		"plain":    {content.Options{}, nil, "314e8757ab08ebe4db453980"},
		"chart":    {content.Options{Helm: "r", Namespace: "ns", ForceSync: 2}, nil, "9e86cd01281b5ff290fff629"},
		"volatile": {content.Options{}, []string{"/stringData/password"}, "7d0e4dd61549f8c862ff9fd5"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hashOf(t, c.options, manifest, c.volatile...); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestVolatileValuesAreNotInTheHash(t *testing.T) {
	hash := func(user, password string) string {
		t.Helper()
		return hashOf(t, content.Options{}, `{"stringData":{"password":"`+password+`","user":"`+user+`"}}`, "/stringData/password")
	}
	if a, b := hash("u", "a"), hash("u", "b"); a != b {
		t.Errorf("got %s and %s for two passwords, want one hash", a, b)
	}
	if a, b := hash("u", "a"), hash("v", "a"); a == b {
		t.Errorf("got %s for two users, want two hashes", a)
	}
	if fixed := hashOf(t, content.Options{}, `{"stringData":{"password":"a","user":"u"}}`); fixed == hash("u", "a") {
		t.Errorf("got %s for a password that became fixed, want another hash", fixed)
	}
}

func TestWhatCannotBeAppliedSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		item content.Item
		want string
	}{
		"manifests":            {content.Item{}, ""},
		"source":               {content.Item{Kind: content.KindSource, Source: &content.Source{Reason: "secrets.yaml is encrypted"}}, "rendered on the cluster: secrets.yaml is encrypted; not supported yet"},
		"source without cause": {content.Item{Kind: content.KindSource}, "rendered on the cluster: no reason is given; not supported yet"},
		"hooks":                {content.Item{Objects: []content.Object{{Role: content.RoleHook, Manifest: []byte(`{}`)}}}, "hooks are not supported yet"},
		"another kind":         {content.Item{Kind: content.KindWants}, `content of kind "wants" cannot be applied`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := put(t, c.item).Refusal; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
