package content_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/content"
)

func blob(kind content.Kind, text string) content.Blob {
	return content.Blob{Kind: kind, ID: content.IDOf([]byte(text)), Data: []byte(text)}
}

func TestAPackGivesBackWhatWasPutIn(t *testing.T) {
	pack := content.Pack{Workspace: "default", Bundle: "app", Blobs: []content.Blob{
		blob(content.KindWants, "w"), blob(content.KindManifests, "b"), blob(content.KindManifests, "a"), blob(content.KindManifests, "a"),
	}}
	data, name, err := content.EncodePack(pack)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := content.DecodePack(data)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range blobs {
		got = append(got, string(b.Kind)+"="+string(b.Data))
	}
	if len(got) != 3 || name == "" {
		t.Fatalf("got %v, name %q, want each blob once", got, name)
	}
	again, againName, err := content.EncodePack(content.Pack{Workspace: "default", Bundle: "app", Blobs: []content.Blob{pack.Blobs[2], pack.Blobs[1], pack.Blobs[0]}})
	if err != nil {
		t.Fatal(err)
	}
	if againName != name || !bytes.Equal(again, data) {
		t.Errorf("order of blobs changes the pack: %s, %s", name, againName)
	}
}

func TestVariantsThatDifferInANameCostBytes(t *testing.T) {
	body := func(i int) string {
		var b strings.Builder
		for j := range 200 {
			fmt.Fprintf(&b, `{"kind":"ConfigMap","name":"cm-%d","cluster":"cluster-%d","noise":"%x"}`, j, i, content.IDOf([]byte(fmt.Sprint(j))))
		}
		return b.String()
	}
	one, _, err := content.EncodePack(content.Pack{Blobs: []content.Blob{blob(content.KindManifests, body(1))}})
	if err != nil {
		t.Fatal(err)
	}
	var blobs []content.Blob
	for i := range 20 {
		blobs = append(blobs, blob(content.KindManifests, body(i)))
	}
	twenty, _, err := content.EncodePack(content.Pack{Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	if len(twenty) > 3*len(one) {
		t.Errorf("20 variants take %d bytes, one takes %d: want less than three times", len(twenty), len(one))
	}
}

func TestADamagedPackIsRefused(t *testing.T) {
	data, _, err := content.EncodePack(content.Pack{Blobs: []content.Blob{blob(content.KindManifests, "hello")}})
	if err != nil {
		t.Fatal(err)
	}
	wrong := content.Blob{Kind: content.KindManifests, ID: content.IDOf([]byte("other")), Data: []byte("hello")}
	mislabelled, _, err := content.EncodePack(content.Pack{Blobs: []content.Blob{wrong}})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{"empty": nil, "cut": data[:len(data)-3], "mislabelled": mislabelled, "noise": []byte("noise")}
	for name, input := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := content.DecodePack(input); !errors.Is(err, content.ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
		})
	}
}

func TestItemsThatAreEqualHaveEqualBytes(t *testing.T) {
	item := content.Item{Version: 1, Kind: content.KindManifests, Bundle: "app", Objects: []content.Object{
		{Key: content.NewKey("apps", "Deployment", "web", "nginx"), Manifest: []byte(`{"a":1}`)},
		{Key: content.NewKey("", "Namespace", "", "web"), Role: content.RoleReleaseNamespace, Manifest: []byte(`{}`)},
	}}
	a, idA, err := item.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, idB, err := item.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if idA != idB || !bytes.Equal(a, b) || len(idA) != 43 {
		t.Errorf("got ids %s and %s", idA, idB)
	}
	want := []content.Key{"apps/Deployment/web/nginx"}
	if diff := cmp.Diff(want, item.Keys()); diff != "" {
		t.Errorf("index (-want +got):\n%s", diff)
	}
}

func ExampleKey_Split() {
	group, kind, namespace, name := content.NewKey("apps", "Deployment", "web", "nginx").Split()
	fmt.Println(group, kind, namespace, name)
	// Output: apps Deployment web nginx
}
