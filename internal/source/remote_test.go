package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/source"
)

func TestAuthFromSecret(t *testing.T) {
	for name, test := range map[string]struct {
		data map[string]string
		want source.Auth
		err  bool
	}{
		"basic":         {data: map[string]string{"username": "ada", "password": "s3cret\n"}, want: source.Auth{Username: "ada", Password: "s3cret"}},
		"token only":    {data: map[string]string{"password": "t0ken"}, want: source.Auth{Password: "t0ken"}},
		"ssh":           {data: map[string]string{"ssh-privatekey": "KEY", "known_hosts": "h"}, want: source.Auth{SSHPrivateKey: []byte("KEY"), SSHKnownHosts: []byte("h")}},
		"nothing known": {data: map[string]string{"token": "x"}, err: true},
		"empty":         {err: true},
	} {
		t.Run(name, func(t *testing.T) {
			data := map[string][]byte{}
			for k, v := range test.data {
				data[k] = []byte(v)
			}
			got, err := source.AuthFromSecret(data)
			if (err != nil) != test.err || (err != nil && !errors.Is(err, source.ErrInvalidRemote)) {
				t.Fatalf("error %v", err)
			}
			if got.Username != test.want.Username || got.Password != test.want.Password ||
				string(got.SSHPrivateKey) != string(test.want.SSHPrivateKey) || string(got.SSHKnownHosts) != string(test.want.SSHKnownHosts) {
				t.Errorf("wrong credentials of kind %v", got)
			}
		})
	}
}

func TestCredentialsPrintNowhere(t *testing.T) {
	r := source.Remote{URL: "https://user:hunter2@git.example.com/a.git", Auth: source.Auth{Username: "t0ken-as-user", Password: "hunter2", SSHPrivateKey: []byte("hunter2")}}
	encoded, err := json.Marshal(r.Auth)
	must(t, err)
	for _, text := range []string{fmt.Sprint(r), fmt.Sprintf("%v %+v %#v %s", r, r, r, r), fmt.Sprintf("%v %+v %#v %s", r.Auth, r.Auth, r.Auth, r.Auth), string(encoded)} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "t0ken") {
			t.Errorf("printed: %s", text)
		}
	}
}

func TestRedact(t *testing.T) {
	for raw, want := range map[string]string{
		"https://u:p@h/x.git":         "https://h/x.git",
		"https://token@h/x.git":       "https://h/x.git",
		"https://u:p@ss@h/x.git":      "https://h/x.git",
		"https://h/a@b.git":           "https://h/a@b.git",
		"ssh://git@h:2222/x.git":      "ssh://git@h:2222/x.git",
		"ssh://git:pw@h/x.git":        "ssh://h/x.git",
		"git@h:org/x.git":             "git@h:org/x.git",
		"u:p@h:org/x.git":             "h:org/x.git",
		"https://h/\x1b[31mred\n.git": "https://h/ [31mred .git",
	} {
		if got := source.Redact(raw); got != want {
			t.Errorf("Redact(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestCanonicalURL(t *testing.T) {
	same := []string{
		"https://git.example.com/acme/fleet", "https://git.example.com/acme/fleet.git", "https://GIT.example.com:443/acme/fleet/",
		"http://u:p@git.example.com/acme/fleet.git", "git@git.example.com:acme/fleet.git", "ssh://git@git.example.com:22/acme/fleet.git", " https://git.example.com/acme/fleet ",
	}
	for _, raw := range same {
		if got := source.CanonicalURL(raw); got != "git.example.com/acme/fleet" {
			t.Errorf("CanonicalURL(%q) = %q", raw, got)
		}
	}
	got := map[string]string{}
	for _, raw := range []string{"https://h:8443/a/b.git", "http://127.0.0.1:3000/fleet.git", "/etc/passwd", "", "file:///a", "ext::sh"} {
		got[raw] = source.CanonicalURL(raw)
	}
	want := map[string]string{"https://h:8443/a/b.git": "h:8443/a/b", "http://127.0.0.1:3000/fleet.git": "127.0.0.1:3000/fleet", "/etc/passwd": "", "": "", "file:///a": "", "ext::sh": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := source.CanonicalPath("git@h:acme/fleet.git"); got != "acme/fleet" {
		t.Errorf("CanonicalPath = %q", got)
	}
}

func TestRemotesThatAreNeverTried(t *testing.T) {
	m := newMirrors(t, source.Options{})
	for _, raw := range []string{
		"", "file:///etc", "/etc", "../x", "git://h/x", "ext::sh -c id", "ftp://h/x", "git+file:///x", "https:///x", "https://h", "https://h/",
		"ssh://-oProxyCommand=id/x", "ssh://h/-x", "-oProxyCommand=id@h:x", "https://h/x?service=git-receive-pack", "https://h/x#frag", "https://h/\r\nHost: evil", "https://h/" + strings.Repeat("x", 3000),
		"https://h:port/x", "http://[::1/x",
	} {
		_, err := m.Resolve(t.Context(), source.Remote{URL: raw}, source.Ref{})
		if !errors.Is(err, source.ErrInvalidRemote) {
			t.Errorf("Resolve(%q) = %v, want ErrInvalidRemote", raw, err)
		}
	}
}
