package charts_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/source/charts"
)

func TestSecretsAreReadAsFleetWritesThem(t *testing.T) {
	ca := newTLSServer(t).ca()
	cases := map[string]struct {
		data map[string][]byte
		want charts.Credential
		says string
	}{
		"empty":               {nil, charts.Credential{}, ""},
		"a login":             {map[string][]byte{"username": []byte("u"), "password": []byte("p:w")}, charts.Credential{Username: "u", Password: "p:w"}, ""},
		"a CA":                {map[string][]byte{"cacerts": ca}, charts.Credential{CABundle: ca}, ""},
		"switches":            {map[string][]byte{"insecureSkipVerify": []byte("true"), "basicHTTP": []byte("true\n")}, charts.Credential{InsecureSkipTLSVerify: true, PlainHTTP: true}, ""},
		"switches off":        {map[string][]byte{"insecureSkipVerify": []byte("false"), "basicHTTP": nil}, charts.Credential{}, ""},
		"keys of others":      {map[string][]byte{"ssh-privatekey": []byte("x")}, charts.Credential{}, ""},
		"a switch that is no": {map[string][]byte{"insecureSkipVerify": []byte("hunter2")}, charts.Credential{}, "insecureSkipVerify"},
		"no certificate":      {map[string][]byte{"cacerts": []byte("hunter2")}, charts.Credential{}, "PEM"},
		"a line break":        {map[string][]byte{"username": []byte("u"), "password": []byte("hunter2\n")}, charts.Credential{}, "line break"},
		"a colon":             {map[string][]byte{"username": []byte("hunter2:x")}, charts.Credential{}, "colon"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := charts.CredentialFromSecret(tc.data)
			if tc.says != "" {
				if !errors.Is(err, charts.ErrInvalid) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("got %v, want %q and no secret", err, tc.says)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("got error %v, credential (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestSecretsForPaths(t *testing.T) {
	ca := newTLSServer(t).ca()
	set := func(text string) map[string][]byte { return map[string][]byte{"secrets-path.yaml": []byte(text)} }
	text := fmt.Sprintf(`
apps/one:
  username: u
  password: p
  insecureSkipVerify: true
apps/two:
  caBundle: %s
  basicHTTP: true
  sshPrivateKey: bm90IHVzZWQ=
three:
  caBundle: |
    %s
`, base64.StdEncoding.EncodeToString(ca), strings.ReplaceAll(string(ca), "\n", "\n    "))
	got, err := charts.CredentialsForPaths(set(text))
	if err != nil {
		t.Fatal(err)
	}
	got["three"] = charts.Credential{CABundle: []byte(strings.TrimSpace(string(got["three"].CABundle)))}
	want := map[string]charts.Credential{
		"apps/one": {Username: "u", Password: "p", InsecureSkipTLSVerify: true},
		"apps/two": {CABundle: ca, PlainHTTP: true},
		"three":    {CABundle: []byte(strings.TrimSpace(string(ca)))},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	for name, data := range map[string]map[string][]byte{
		"no key":       {"username": nil},
		"no map":       set("- hunter2\n"),
		"a wrong type": set("a:\n  insecureSkipVerify: hunter2\n"),
		"no YAML":      set("a: {hunter2\n"),
		"no CA":        set("a:\n  caBundle: hunter2\n"),
		"too long":     set("a: " + strings.Repeat("x", 2<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := charts.CredentialsForPaths(data)
			if !errors.Is(err, charts.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	c := charts.Credential{Username: "user-canary", Password: "password-canary"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, c); strings.Contains(got, "canary") {
			t.Errorf("%s prints %s", format, got)
		}
	}
}
