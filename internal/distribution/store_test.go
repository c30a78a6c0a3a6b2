package distribution_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

func TestAnIndexIsReadAsItWasWritten(t *testing.T) {
	index := []content.BlobEntry{
		{Kind: content.KindManifests, ID: content.IDOf([]byte("a")), Identity: content.IDOf([]byte("b")), Size: 7},
		{Kind: content.KindWants, ID: content.IDOf([]byte("c")), Size: 0},
	}
	text := distribution.FormatIndex(index)
	back, err := distribution.ParseIndex(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(index, back); diff != "" {
		t.Errorf("index (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "a:b:c", "a:b:c:d", "a:b:c:1:e", text + ","} {
		if _, err := distribution.ParseIndex(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// FuzzParseIndex feeds what somebody wrote into an annotation.
func FuzzParseIndex(f *testing.F) {
	f.Add("manifests:id:identity:12,wants:id::0")
	f.Add(":::-1")
	f.Fuzz(func(t *testing.T, text string) {
		index, err := distribution.ParseIndex(text)
		if err != nil {
			return
		}
		again, err := distribution.ParseIndex(distribution.FormatIndex(index))
		if err != nil || !cmp.Equal(index, again) {
			t.Errorf("%q: %v, then %v, %v", text, index, again, err)
		}
	})
}

func TestContentIsSweptAfterItsGraceOnly(t *testing.T) {
	pack := func(name, workspace string, ids ...content.ID) distribution.StoredPack {
		p := distribution.StoredPack{Name: name, Workspace: workspace}
		for _, id := range ids {
			p.Items = append(p.Items, content.BlobEntry{ID: id})
		}
		return p
	}
	packs := []distribution.StoredPack{pack("p1", "w", "x", "y"), pack("p2", "other", "x"), pack("p3", "w", "z")}
	var s distribution.Sweeper
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	reach := map[string]bool{"w/y": true}
	has := func(workspace string, id content.ID) bool { return reach[workspace+"/"+string(id)] }
	steps := []struct {
		what  string
		after time.Duration
		reach map[string]bool
		asked bool
		want  []string
	}{
		{"just seen unreachable", 0, map[string]bool{"w/y": true}, false, nil},
		{"within the grace", distribution.Grace - 1, map[string]bool{"w/y": true}, false, nil},
		{"it comes back", distribution.Grace, map[string]bool{"w/y": true, "w/z": true}, false, []string{"p2"}},
		{"it went again: a new grace", distribution.Grace + 1, map[string]bool{"w/y": true}, false, nil},
		{"somebody asked", 2*distribution.Grace + 1, map[string]bool{"w/y": true}, true, nil},
		{"the grace begins anew", 2*distribution.Grace + 2, map[string]bool{"w/y": true}, false, nil},
		{"and ends", 3*distribution.Grace + 2, map[string]bool{"w/y": true}, false, []string{"p3"}},
	}
	for _, step := range steps {
		reach = step.reach
		packs[2].Asked = step.asked
		if diff := cmp.Diff(step.want, s.Sweep(start.Add(step.after), packs, has)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
		if step.what == "it comes back" {
			packs[1].Items[0].ID = "y" // p2 was swept; what has its place is reachable.
			packs[1].Workspace = "w"
		}
	}
}

func TestInputsAreTheSameWhateverTheOrderOfFiles(t *testing.T) {
	a, b := bundle.File{Path: "a", Data: []byte("1")}, bundle.File{Path: "b", Data: []byte{0, 0xff}}
	one, err := distribution.Inputs{Kind: bundle.KindRaw, Files: []bundle.File{a, b}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	two, err := distribution.Inputs{Kind: bundle.KindRaw, Files: []bundle.File{b, a}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if one.ID != two.ID {
		t.Error("the order of files changes the id")
	}
	back, err := distribution.DecodeInputs(one.Data)
	if err != nil || !cmp.Equal(back.Files, []bundle.File{a, b}) {
		t.Errorf("read again: %+v, %v", back, err)
	}
	if _, err := distribution.DecodeInputs([]byte(`{"v":99}`)); err == nil {
		t.Error("a later version was read")
	}
}

func TestTheNewestOfWhatWasWrittenAndWhatIsCachedCounts(t *testing.T) {
	object := func(version string) *v1alpha1.Bundle {
		return &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: "w", Name: "b", ResourceVersion: version}}
	}
	key := client.ObjectKey{Namespace: "w", Name: "b"}
	cases := map[string]struct {
		wrote, cached string // "" = nothing
		want          string
	}{
		"nothing anywhere":      {"", "", ""},
		"only cached":           {"", "5", "5"},
		"the cache is behind":   {"10", "9", "10"},
		"the cache caught up":   {"10", "10", "10"},
		"somebody wrote after":  {"10", "100", "100"},
		"not in the cache yet":  {"10", "", "10"},
		"longer numbers larger": {"99", "100", "100"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var l distribution.Latest[*v1alpha1.Bundle]
			if c.wrote != "" {
				l.Wrote(object(c.wrote))
			}
			got, ok := l.Newest(key, object(c.cached), c.cached != "")
			if ok != (c.want != "") || ok && got.ResourceVersion != c.want {
				t.Errorf("got %q, %v, want %q", got.ResourceVersion, ok, c.want)
			}
			l.Forget(key)
			if _, ok := l.Newest(key, object(""), false); ok {
				t.Error("remembered after it was forgotten")
			}
		})
	}
}
