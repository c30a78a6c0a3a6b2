package protocol_test

import (
	"bytes"
	"testing"

	"github.com/muster-dev/muster/pkg/protocol"
)

func FuzzParseToken(f *testing.F) {
	text, err := token().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(protocol.TokenPrefix + "e30")
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := protocol.ParseToken(text)
		if err != nil {
			return
		}
		if _, err := tok.Key(); err != nil {
			t.Errorf("a token without a usable key was accepted: %v", err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	signature, err := protocol.SignHeader(key(2), protocol.Header{Hub: "h", Digest: protocol.DigestOf("{}")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signature, "{}")
	f.Add("e30.e30.", "")
	f.Fuzz(func(t *testing.T, signature, document string) {
		// Nobody holds this key, so nothing may open.
		if _, _, err := protocol.Open(protocol.Envelope{Signature: signature, Document: document}, trust(key(99))); err == nil {
			t.Error("opened without the key")
		}
	})
}

func FuzzParseJoin(f *testing.F) {
	body, err := protocol.SealJoin(joinRequest(), key(1), key(5))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"payload":"e30","signatures":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sealed, err := protocol.ParseJoin(body)
		if err == nil && sealed.Verify(protocol.Public(key(99))) == nil {
			t.Error("verified without the token's key")
		}
	})
}

func FuzzParseRequestToken(f *testing.F) {
	text, err := protocol.NewRequestToken(key(1), protocol.RequestClaims{Audience: "h", Method: "GET", Path: "/", ID: "0123456789abcdef"}, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := protocol.ParseRequestToken(text)
		if err == nil && tok.Verify(protocol.Public(key(99)), "h", "GET", "/", now) == nil {
			t.Error("verified without the key")
		}
	})
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"v":1,"session":"s","sequence":1,"bundles":[{"u":"x","s":"Failed"}],"heads":[{"u":"y"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := protocol.ParseReport(body)
		if err == nil && (len(r.Bundles) > protocol.MaxReportBundles || len(r.Heads) > protocol.MaxReportHeads) {
			t.Error("a report beyond its bounds passed")
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("{}\n{\"signature\":\"s\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := protocol.NewEnvelopeReader(bytes.NewReader(data))
		for range len(data) + 1 {
			if _, err := r.Next(); err != nil {
				return
			}
		}
		t.Error("more lines than bytes")
	})
}
