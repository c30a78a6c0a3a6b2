package volatile_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/agent/volatile"
)

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return object
}

func TestLiveValuesAreKeptAtVolatilePointersOnly(t *testing.T) {
	for name, c := range map[string]struct {
		desired, live, want string
		pointers            []string
	}{
		"a value": {
			`{"data":{"password":"new","user":"a"}}`, `{"data":{"password":"old","user":"b"}}`,
			`{"data":{"password":"old","user":"a"}}`, []string{"/data/password"},
		},
		"a value that is not there is sent": {
			`{"data":{"password":"new"}}`, `{"data":{"user":"b"}}`, `{"data":{"password":"new"}}`, []string{"/data/password"},
		},
		"an empty value is one": {
			`{"data":{"password":"new"}}`, `{"data":{"password":""}}`, `{"data":{"password":""}}`, []string{"/data/password"},
		},
		"a key with a slash and a tilde": {
			`{"spec":{"template":{"metadata":{"annotations":{"checksum/secret~a":"new"}}}}}`,
			`{"spec":{"template":{"metadata":{"annotations":{"checksum/secret~a":"old"}}}}}`,
			`{"spec":{"template":{"metadata":{"annotations":{"checksum/secret~a":"old"}}}}}`,
			[]string{"/spec/template/metadata/annotations/checksum~1secret~0a"},
		},
		"an item is found by its name though others were put before it": {
			`{"env":[{"name":"A","value":"new"},{"name":"B","value":"fixed"}]}`,
			`{"env":[{"name":"injected","value":"x"},{"name":"B","value":"b"},{"name":"A","value":"old"}]}`,
			`{"env":[{"name":"A","value":"old"},{"name":"B","value":"fixed"}]}`, []string{"/env/0/value"},
		},
		"of two items with one name none is taken": {
			`{"ports":[{"port":53,"nodePort":"new"}]}`, `{"ports":[{"port":53,"nodePort":"udp"},{"port":53,"nodePort":"tcp"}]}`,
			`{"ports":[{"port":53,"nodePort":"new"}]}`, []string{"/ports/0/nodePort"},
		},
		"an item without a name is found by its place": {
			`{"args":["a","new"]}`, `{"args":["a","old"]}`, `{"args":["a","old"]}`, []string{"/args/1"},
		},
		"in a list of another length a place says nothing": {
			`{"args":["a","new"]}`, `{"args":["a","b","old"]}`, `{"args":["a","new"]}`, []string{"/args/1"},
		},
		"a name that is volatile itself is found by its place": {
			`{"hosts":[{"name":"new"}]}`, `{"hosts":[{"name":"old"}]}`, `{"hosts":[{"name":"old"}]}`, []string{"/hosts/0/name"},
		},
		"a Secret's text is kept in its data": {
			`{"apiVersion":"v1","kind":"Secret","stringData":{"a":"new"},"data":{"a":"bmV3"}}`, `{"data":{"a":"b2xk"}}`,
			`{"apiVersion":"v1","kind":"Secret","stringData":{"a":"new"},"data":{"a":"b2xk"}}`, []string{"/stringData/a"},
		},
		"what names an object is never taken over": {
			`{"apiVersion":"v1","metadata":{"name":"new","labels":{"a":"new"}}}`,
			`{"apiVersion":"v2","metadata":{"name":"old","uid":"u","labels":{"a":"old"}}}`,
			`{"apiVersion":"v1","metadata":{"name":"new","labels":{"a":"new"}}}`,
			[]string{"", "/", "/apiVersion", "/metadata", "/metadata/name", "/metadata/labels", "data"},
		},
		"an annotation": {
			`{"metadata":{"annotations":{"at":"new"}}}`, `{"metadata":{"annotations":{"at":"old","theirs":"x"}}}`,
			`{"metadata":{"annotations":{"at":"old"}}}`, []string{"/metadata/annotations/at"},
		},
		"pointers to nowhere": {
			`{"a":[1],"b":"x"}`, `{"a":{"0":2},"b":{"c":1}}`, `{"a":[1],"b":"x"}`, []string{"/a/0", "/a/7", "/a/x", "/b/c", "/none/of"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			desired := decode(t, c.desired)
			volatile.Keep(desired, decode(t, c.live), volatile.Pointers(desired, c.pointers))
			if d := cmp.Diff(decode(t, c.want), desired); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestManifestsThatDifferInVolatileValuesAreOneWhenBlanked(t *testing.T) {
	pointers := []string{"/data/password", "/list/1", "/list/2/deep"}
	blank := func(text string) string {
		t.Helper()
		data, err := volatile.Blank(json.RawMessage(text), pointers)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	base := blank(`{"data":{"password":"a","user":"u"},"list":[1,2,{"deep":3}],"big":12345678901234567890}`)
	if got := blank(`{"list":[1,5,{"deep":6}],"data":{"user":"u","password":"b"},"big":12345678901234567890}`); got != base {
		t.Errorf("got %s, want %s", got, base)
	}
	for _, other := range []string{
		`{"data":{"password":"a","user":"x"},"list":[1,2,{"deep":3}],"big":12345678901234567890}`,
		`{"data":{"user":"u"},"list":[1,2,{"deep":3}],"big":12345678901234567890}`,
		`{"data":{"password":"a","user":"u"},"list":[1,2,{"deep":3}],"big":12345678901234567891}`,
	} {
		if blank(other) == base {
			t.Errorf("%s is taken for the first, though what is not volatile differs", other)
		}
	}
}

// FuzzKeep feeds objects and pointers as hostile as JSON allows: nothing
// panics, keeping twice is keeping once, and what is not volatile stays.
func FuzzKeep(f *testing.F) {
	f.Add(`{"data":{"a":"1","b":"2"}}`, `{"data":{"a":"3"}}`, "/data/a", "/data")
	f.Add(`{"apiVersion":"v1","kind":"Secret","stringData":{"a":"1"},"data":{"a":"eA=="}}`, `{"data":{"a":"eQ=="}}`, "/stringData/a", "/stringData")
	f.Add(`{"l":[{"name":"a","v":1},{"name":"b"},[1]]}`, `{"l":[{"name":"b"},{"name":"a","v":2}]}`, "/l/0/v", "/l/2/0")
	f.Add(`{"a~b":{"c/d":[null,{"port":1}]}}`, `{"a~b":{"c/d":[{},{"port":1e0,"x":[]}]}}`, "/a~0b/c~1d/1", "/a~0b/c~1d/-")
	f.Add(`{"metadata":{"labels":{"a":"x"},"name":"n"}}`, `{"metadata":{"labels":{"a":"y"},"name":"m","uid":"u"}}`, "/metadata", "/metadata/labels/a")
	f.Fuzz(func(t *testing.T, manifest, other, first, second string) {
		var desired, live map[string]any
		if json.Unmarshal([]byte(manifest), &desired) != nil || json.Unmarshal([]byte(other), &live) != nil || desired == nil {
			return
		}
		pointers := []string{first, second}
		paths := volatile.Pointers(desired, pointers)
		before := blanked(t, desired, pointers)
		volatile.Keep(desired, live, paths)
		once := blanked(t, desired, nil)
		volatile.Keep(desired, live, paths)
		if twice := blanked(t, desired, nil); twice != once {
			t.Errorf("kept twice it is %s, once %s", twice, once)
		}
		if after := blanked(t, desired, pointers); after != before && desired["kind"] != "Secret" {
			t.Errorf("what is not volatile became %s, was %s", after, before)
		}
	})
}

func blanked(t *testing.T, object map[string]any, pointers []string) string {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = volatile.Blank(data, pointers); err != nil {
		t.Fatal(err)
	}
	return string(data)
}
