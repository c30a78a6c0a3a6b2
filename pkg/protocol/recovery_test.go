package protocol_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/muster-dev/muster/pkg/protocol"
)

func TestRecoveryKeyReplacesHubKeys(t *testing.T) {
	const lost, fresh, recovery, stranger = 2, 12, 13, 14
	trusting := trust(key(lost))
	trusting.RecoveryKeyHash = protocol.Fingerprint(protocol.Public(key(recovery)))
	recovered := func(by ed25519.PrivateKey, hub string) string {
		text, err := protocol.SignRecovery(by, protocol.Recovery{Hub: hub, HubKeys: trust(key(fresh)).HubKeys, Time: now.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	unhashed := trusting
	unhashed.RecoveryKeyHash = ""
	cases := map[string]struct {
		by       byte
		recovery string
		trust    protocol.TrustSet
		want     bool
	}{
		"by the old key, no recovery":     {lost, "", trusting, true},
		"by the old key, with recovery":   {lost, recovered(key(recovery), "h"), trusting, true},
		"by the new key, no recovery":     {fresh, "", trusting, false},
		"by the new key, with recovery":   {fresh, recovered(key(recovery), "h"), trusting, true},
		"recovery by a stranger":          {fresh, recovered(key(stranger), "h"), trusting, false},
		"recovery by the old hub key":     {fresh, recovered(key(lost), "h"), trusting, false},
		"recovery of another hub":         {fresh, recovered(key(recovery), "i"), trusting, false},
		"by a stranger, with recovery":    {stranger, recovered(key(recovery), "h"), trusting, false},
		"agent that knows no hash":        {fresh, recovered(key(recovery), "h"), unhashed, false},
		"header in place of the recovery": {fresh, signed(t, key(recovery), nil).Signature, trusting, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := signed(t, key(c.by), nil)
			env.Recovery = c.recovery
			if _, _, err := protocol.Open(env, c.trust); (err == nil) != c.want {
				t.Errorf("got %v, want success %v", err, c.want)
			}
		})
	}
}
