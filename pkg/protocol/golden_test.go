package protocol_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/protocol"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestWireTypesStayAsTheyAre compares every wire type, all fields set, with
// what was released: agents and hubs of different versions talk to each other.
func TestWireTypesStayAsTheyAre(t *testing.T) {
	for name, value := range map[string]any{
		"document": &protocol.Document{}, "entrylist": &protocol.EntryList{}, "header": &protocol.Header{}, "envelope": &protocol.Envelope{},
		"token": &protocol.Token{}, "joinrequest": &protocol.JoinRequest{}, "joinresponse": &protocol.JoinResponse{},
		"rotaterequest": &protocol.RotateRequest{}, "error": &protocol.Error{}, "report": &protocol.Report{},
		"requestclaims": &protocol.RequestClaims{}, "mark": &protocol.Mark{},
	} {
		t.Run(name, func(t *testing.T) {
			fill(reflect.ValueOf(value).Elem())
			got, err := json.MarshalIndent(value, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			compare(t, name+".json", append(got, '\n'))
			back := reflect.New(reflect.TypeOf(value).Elem()).Interface()
			if err := json.Unmarshal(got, back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(value, back); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSignaturesStayAsTheyAre pins the bytes that are signed: Ed25519 is deterministic.
func TestSignaturesStayAsTheyAre(t *testing.T) {
	header, err := protocol.SignHeader(key(2), protocol.Header{Hub: "h", Cluster: "c", Assignment: "a", Epoch: 1, Revision: 2, Digest: "sha256:00", Time: now.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	request, err := protocol.NewRequestToken(key(1), protocol.RequestClaims{Audience: "h", Method: "GET", Path: "/agent/v1/assignment", ID: "0123456789abcdef"}, now)
	if err != nil {
		t.Fatal(err)
	}
	join, err := protocol.SealJoin(joinRequest(), key(1), key(5))
	if err != nil {
		t.Fatal(err)
	}
	rotate, err := protocol.ProveNextKey(key(7), "uid")
	if err != nil {
		t.Fatal(err)
	}
	old, err := protocol.ProveOldKey(key(4), protocol.Public(key(5)), "nonce")
	if err != nil {
		t.Fatal(err)
	}
	token, err := token().Encode()
	if err != nil {
		t.Fatal(err)
	}
	text := "header " + header + "\nrequest " + request + "\njoin " + string(join) + "\nrotate " + rotate + "\nold " + old + "\ntoken " + token + "\n"
	compare(t, "signatures.txt", []byte(text))
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s (-want +got):\n%s", path, cmp.Diff(string(want), string(got)))
	}
}

// fill sets every field to something that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	default:
		panic("fill: " + v.Kind().String())
	}
}
