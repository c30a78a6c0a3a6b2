package gateway_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func codeOf(err error) string {
	var refused interface{ Code() string }
	if errors.As(err, &refused) {
		return refused.Code()
	}
	return ""
}

func TestTokenUses(t *testing.T) {
	fresh := func(change func(*v1alpha1.JoinToken)) *v1alpha1.JoinToken {
		token := &v1alpha1.JoinToken{Spec: v1alpha1.JoinTokenSpec{Expires: metav1.NewTime(now.Add(time.Hour)), MaxUses: 2}}
		change(token)
		return token
	}
	cases := map[string]struct {
		token   *v1alpha1.JoinToken
		want    string
		changed bool
		uses    int
	}{
		"first use":             {fresh(func(*v1alpha1.JoinToken) {}), "", true, 1},
		"second of two":         {fresh(func(k *v1alpha1.JoinToken) { k.Status.Uses, k.Status.UsedBy = 1, []string{"other"} }), "", true, 2},
		"third of two":          {fresh(func(k *v1alpha1.JoinToken) { k.Status.Uses = 2 }), protocol.CodeUsed, false, 2},
		"no number means one":   {fresh(func(k *v1alpha1.JoinToken) { k.Spec.MaxUses, k.Status.Uses = 0, 1 }), protocol.CodeUsed, false, 1},
		"expired":               {fresh(func(k *v1alpha1.JoinToken) { k.Spec.Expires = metav1.NewTime(now) }), protocol.CodeExpired, false, 0},
		"unfinished, same key":  {fresh(func(k *v1alpha1.JoinToken) { k.Status.Uses, k.Status.UsedBy = 2, []string{gateway.OpenClaim + "me"} }), "", false, 2},
		"finished, same key":    {fresh(func(k *v1alpha1.JoinToken) { k.Status.Uses, k.Status.UsedBy = 1, []string{"me"} }), protocol.CodeUsed, false, 1},
		"unfinished, other key": {fresh(func(k *v1alpha1.JoinToken) { k.Status.Uses, k.Status.UsedBy = 2, []string{gateway.OpenClaim + "other"} }), protocol.CodeUsed, false, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			changed, err := gateway.ClaimUse(c.token, "me", now)
			if codeOf(err) != c.want || changed != c.changed || c.token.Status.Uses != c.uses {
				t.Errorf("got %v, %v, %d uses; want %q, %v, %d", changed, err, c.token.Status.Uses, c.want, c.changed, c.uses)
			}
		})
	}
}

func TestReplaysAreRememberedUntilTheyExpire(t *testing.T) {
	r := gateway.NewReplays(time.Minute, 8)
	at := now
	if r.Use("k", "a", at) != gateway.FirstUse || r.Use("k", "a", at) != gateway.Replayed || r.Use("other", "a", at) != gateway.FirstUse {
		t.Fatal("an id is used once per key")
	}
	for range 59 {
		at = at.Add(time.Second)
		if r.Use("k", "a", at) != gateway.Replayed {
			t.Fatalf("forgotten after %s", at.Sub(now))
		}
	}
	at = at.Add(30 * time.Second) // what was young is old now
	if r.Use("k", "a", at) != gateway.Replayed {
		t.Error("forgotten with the first turn")
	}
	for _, id := range []string{"1", "2", "3", "4"} {
		if r.Use("k", id, at) != gateway.FirstUse {
			t.Fatalf("id %s", id)
		}
	}
	if r.Use("k", "5", at) != gateway.MemoryFull {
		t.Error("a full memory took another id")
	}
	if r.Use("k", "1", at) != gateway.Replayed {
		t.Error("a full memory forgot")
	}
	if r.Use("k", "5", at.Add(3*time.Minute)) != gateway.FirstUse {
		t.Error("nothing is forgotten ever")
	}
}

func TestSessionsThatAlternateAreClones(t *testing.T) {
	cases := map[string]struct {
		sessions string
		want     string // ! where a clone is seen
	}{
		"one":                       {"aaaa", "...."},
		"restarts":                  {"abcdefghijkl", "............"},
		"one late request":          {"aababbb", "......."},
		"two alternate":             {"abab", "...!"},
		"three alternate":           {"abcabc", "....!!"},
		"clone after many restarts": {"abcdefef", ".......!"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := gateway.NewSessions()
			got := ""
			for _, session := range c.sessions {
				if s.Observe(client.ObjectKey{Name: "c"}, string(session), now) {
					got += "!"
				} else {
					got += "."
				}
			}
			// "one late request" comes back twice: once the old one, once the new one.
			if name == "one late request" {
				got = strings.Replace(got, "!", ".", 1)
			}
			if got != c.want {
				t.Errorf("sessions %s: got %s, want %s", c.sessions, got, c.want)
			}
		})
	}
}

func TestRecordWritesOnlyNews(t *testing.T) {
	yes, no := true, false
	seen := metav1.NewTime(now.Add(-time.Minute))
	long := metav1.NewTime(now.Add(-6 * time.Minute))
	connected := func(at *metav1.Time) *v1alpha1.Cluster {
		c := &v1alpha1.Cluster{}
		gateway.Record(c, gateway.NewWish(&yes), now.Add(-time.Hour), time.Minute)
		c.Status.LastSeen = at
		return c
	}
	identity := func(c *v1alpha1.Cluster) *v1alpha1.Cluster {
		c.Status.Identity = &v1alpha1.ClusterIdentity{UID: "u", Keys: []v1alpha1.AgentKey{{ID: "1", State: "current"}, {ID: "2", State: "next"}}}
		return c
	}
	facts := &v1alpha1.ClusterFacts{Nodes: 3}
	cases := map[string]struct {
		cluster *v1alpha1.Cluster
		wish    gateway.Wish
		want    bool
	}{
		"first connection":       {&v1alpha1.Cluster{}, gateway.NewWish(&yes), true},
		"still connected":        {connected(&seen), gateway.NewWish(&yes), false},
		"connected for long":     {connected(&long), gateway.NewWish(&yes), true},
		"not connected for long": {connected(&long), gateway.NewWish(nil), false},
		"disconnected":           {connected(&seen), gateway.NewWish(&no), true},
		"new facts":              {connected(&seen), gateway.NewWish(nil).With(func(f *gateway.WishFields) { f.Facts = facts }), true},
		"quarantine":             {identity(connected(&seen)), gateway.NewWish(nil).With(func(f *gateway.WishFields) { f.Quarantine = "why" }), true},
		"quarantine of nobody":   {connected(&seen), gateway.NewWish(nil).With(func(f *gateway.WishFields) { f.Quarantine = "why" }), false},
		"promotion":              {identity(connected(&seen)), gateway.NewWish(nil).With(func(f *gateway.WishFields) { f.Promote = "2" }), true},
		"promotion of nothing":   {identity(connected(&seen)), gateway.NewWish(nil).With(func(f *gateway.WishFields) { f.Promote = "9" }), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := c.wish
			if got := gateway.Record(c.cluster, w, now, 5*time.Minute); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if again := gateway.Record(c.cluster, w, now, 0x7fffffffffffffff); again {
				t.Error("recording the same again is a write")
			}
		})
	}
}

func TestPromotedKeyReplacesTheCurrentOne(t *testing.T) {
	id := &v1alpha1.ClusterIdentity{Keys: []v1alpha1.AgentKey{{ID: "1", State: "current"}, {ID: "0", State: "previous"}}}
	gateway.AnnounceKey(id, v1alpha1.AgentKey{ID: "2", State: "next"})
	gateway.AnnounceKey(id, v1alpha1.AgentKey{ID: "3", State: "next"})
	gateway.PromoteKey(id, "3", now)
	var got []string
	for _, k := range id.Keys {
		got = append(got, k.ID+" "+k.State)
	}
	if diff := cmp.Diff([]string{"3 current", "1 previous"}, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// id is the content id of a text.
func id(text string) content.ID { return content.IDOf([]byte(text)) }

// document is the JSON of a document with entries of these texts' ids.
func document(t *testing.T, texts ...string) string {
	doc := protocol.Document{Version: 1}
	for _, text := range texts {
		doc.Entries = append(doc.Entries, protocol.Entry{Bundle: text, UID: text, Content: string(id(text))})
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReferencesAreThoseOfTheEntries(t *testing.T) {
	text := document(t, "a", "b")
	if diff := cmp.Diff([]content.ID{id("a"), id("b")}, gateway.References(text)); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	// A bundle whose name looks like a reference names nothing.
	liar := document(t, `","c":"`+string(id("stolen"))+`"`)
	if gateway.Names(liar, id("stolen")) {
		t.Errorf("a name became a reference: %s", liar)
	}
	for _, bad := range []content.ID{"", "a", content.ID(strings.Repeat(`"`, 43)), id("c")} {
		if gateway.Names(text, bad) {
			t.Errorf("the document names %q", bad)
		}
	}
	if diff := cmp.Diff([]content.ID{id("a")}, gateway.Gone(text, document(t, "b", "c"))); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
	large := `{"v":1,"entries":[],"entriesRef":"` + string(id("list")) + `"}`
	if !gateway.Names(large, id("list")) {
		t.Error("the entry list is not a reference")
	}
}

func FuzzReferencesAreWhatParsingFinds(f *testing.F) {
	f.Add("a", "b")
	f.Add(`","c":"`+string(id("x"))+`"`, `\`)
	f.Fuzz(func(t *testing.T, bundle, workspace string) {
		doc := protocol.Document{Version: 1, Hub: workspace, Entries: []protocol.Entry{{Workspace: workspace, Bundle: bundle, UID: workspace, Content: string(id(bundle))}}}
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]content.ID{id(bundle)}, gateway.References(string(data))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestContentIsServedForAnHourAfterItLeft(t *testing.T) {
	at := now
	b := gateway.Post(func() time.Time { return at })
	b.Put("me", document(t, "old", "both"))
	b.Put("me", document(t, "both", "new"))
	at = at.Add(59 * time.Minute)
	if !b.Names("me", id("old")) || !b.Names("me", id("both")) || !b.Names("me", id("new")) {
		t.Error("within the hour something is missing")
	}
	if b.Names("you", id("both")) {
		t.Error("another identity is served")
	}
	at = at.Add(2 * time.Minute)
	if b.Names("me", id("old")) || !b.Names("me", id("both")) {
		t.Error("after the hour")
	}
	b.Put("you", document(t, "yours"))
	if b.Names("me", id("both")) || b.Names("you", id("both")) || !b.Names("you", id("yours")) {
		t.Error("a new identity inherits")
	}
}

func TestTextsAreSafe(t *testing.T) {
	cases := map[string]struct {
		text string
		want string
	}{
		"plain":        {"Ünïcode ok", "Ünïcode ok"},
		"new lines":    {"a\nb\tc", "a b c"},
		"escape":       {"\x1b[2J", "\uFFFD[2J"},
		"C1 control":   {"\u009b2J", "\uFFFD2J"},
		"override":     {"\u202Egpj.exe", "\uFFFDgpj.exe"},
		"broken UTF-8": {"a\xff", "a\uFFFD"},
		"cut":          {strings.Repeat("ä", 30), strings.Repeat("ä", 19) + "…"},
		"just fits":    {strings.Repeat("ä", 20), strings.Repeat("ä", 20)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := gateway.SafeText(c.text, 20); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzReduceIsBounded(f *testing.F) {
	f.Add("message", "uid", 3)
	f.Fuzz(func(t *testing.T, text, uid string, n int) {
		n = max(0, min(n, 50))
		r := protocol.Report{Session: text, Messages: []string{text}}
		for range n {
			r.Bundles = append(r.Bundles, protocol.BundleReport{UID: uid, Message: text, Objects: []protocol.ObjectReport{{Key: text, State: text, Message: text}}})
			r.Heads = append(r.Heads, protocol.Head{UID: uid, Bundle: text})
		}
		got := gateway.Reduce(r, gateway.KnownIn(`{"removals":[{"u":"uid"}]}`, ""))
		data, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 1<<20 {
			t.Errorf("a report of %d bytes is stored", len(data))
		}
		for _, r := range string(data) {
			if r < ' ' || r == 0x7f {
				t.Fatalf("a control character %q is stored", r)
			}
		}
	})
}

func TestMeaningIsWhatCounts(t *testing.T) {
	a := v1alpha1.ClusterReportSpec{Session: "a", Sequence: 1, Revision: 3}
	b := a
	b.Session, b.Sequence = "b", 9
	if !gateway.SameMeaning(a, b) {
		t.Error("another session means something else")
	}
	b.Revision = 4
	if gateway.SameMeaning(a, b) {
		t.Error("another revision means the same")
	}
}

func TestIndexForgetsReplacedKeys(t *testing.T) {
	x := gateway.NewIndex()
	name := client.ObjectKey{Namespace: "w", Name: "c"}
	public := protocol.EncodeKey(make([]byte, 32))
	keyID := protocol.KeyID(make([]byte, 32))
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "w", Name: "c"}}
	c.Status.Identity = &v1alpha1.ClusterIdentity{UID: "u", Keys: []v1alpha1.AgentKey{{ID: "lies", Public: public}, {ID: "x", Public: "broken"}}}
	x.Set(name, gateway.NewMember(c))
	if diff := cmp.Diff([]client.ObjectKey{name}, x.Find(keyID)); diff != "" {
		t.Errorf("by the key's own id (-want +got):\n%s", diff)
	}
	if got := x.Find("lies"); got != nil {
		t.Errorf("by the id that the object claims: %v", got)
	}
	x.Set(name, nil)
	if got := x.Find(keyID); got != nil {
		t.Errorf("after the removal: %v", got)
	}
}
