package jointoken_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/internal/gateway/jointoken"
	"github.com/muster-dev/muster/pkg/protocol"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func options(change func(*jointoken.Options)) jointoken.Options {
	o := jointoken.Options{Workspace: "default", Name: "eu-1", Cluster: "eu-1", Hub: "https://hub.example.com", Fingerprint: strings.Repeat("ab", 32)}
	if change != nil {
		change(&o)
	}
	return o
}

func TestObjectHoldsThePublicHalfOnly(t *testing.T) {
	object, text, err := jointoken.New(options(nil), now)
	if err != nil {
		t.Fatal(err)
	}
	token, err := protocol.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.Key()
	if err != nil {
		t.Fatal(err)
	}
	if got := object.Spec.PublicKey; got != protocol.EncodeKey(protocol.Public(key)) {
		t.Errorf("public key %s is not that of the seed", got)
	}
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), token.Seed) {
		t.Error("the object holds the seed")
	}
	if object.Spec.MaxUses != 1 || !object.Spec.Expires.Equal(ptr(now.Add(time.Hour))) {
		t.Errorf("defaults: %+v", object.Spec)
	}
}

func TestTokensThatMakeNoSense(t *testing.T) {
	for name, change := range map[string]func(*jointoken.Options){
		"bad cluster name": func(o *jointoken.Options) { o.Cluster = "EU 1" },
		"one name, two":    func(o *jointoken.Options) { o.Uses = 2 },
		"in the past":      func(o *jointoken.Options) { o.TTL = -time.Second },
		"no uses":          func(o *jointoken.Options) { o.Uses = -1 },
		"too many uses":    func(o *jointoken.Options) { o.Cluster, o.Uses = "", 10001 },
		"bad label":        func(o *jointoken.Options) { o.Labels = map[string]string{"a b": "c"} },
		"no hub":           func(o *jointoken.Options) { o.Hub = "hub.example.com" },
		"no fingerprint":   func(o *jointoken.Options) { o.Fingerprint = "" },
		"no workspace":     func(o *jointoken.Options) { o.Workspace = "" },
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := jointoken.New(options(change), now); err == nil {
				t.Error("it was made")
			}
		})
	}
}

func ptr(t time.Time) *metav1.Time { m := metav1.NewTime(t); return &m }
