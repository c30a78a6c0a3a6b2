package charts

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Credential is what a user gives to reach a repository. It is never printed.
type Credential struct {
	// Username and Password are for basic authentication, or for a registry's token service.
	Username, Password string
	// CABundle holds PEM certificates that are trusted beside the system's.
	CABundle []byte
	// InsecureSkipTLSVerify turns the verification of the reference's own host off.
	InsecureSkipTLSVerify bool
	// PlainHTTP speaks http to an OCI registry.
	PlainHTTP bool
}

// String keeps a credential out of formatted text.
func (c Credential) String() string { return "[credential]" }

// GoString is String for %#v.
func (c Credential) GoString() string { return c.String() }

// login is true if there is something to authenticate with.
func (c Credential) login() bool { return c.Username != "" || c.Password != "" }

func (c Credential) basic() string {
	if !c.login() {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password))
}

// identity tells credentials apart without showing them. What was read with one is not given to another, so that
// knowing a digest or a URL is never enough.
func (c Credential) identity() string {
	h := sha256.New()
	for _, part := range []string{c.Username, c.Password, string(c.CABundle), strconv.FormatBool(c.InsecureSkipTLSVerify), strconv.FormatBool(c.PlainHTTP)} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// roots is the system's pool with the CA bundle added; nil means the system's alone.
func (c Credential) roots() (*x509.CertPool, error) {
	if len(c.CABundle) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(c.CABundle) {
		return nil, fmt.Errorf("%w: the CA bundle holds no PEM certificate", ErrInvalid)
	}
	return pool, nil
}

// The keys of Fleet's Secrets.
const (
	keyUsername = "username"
	keyPassword = "password"
	keyCACerts  = "cacerts"
	keyInsecure = "insecureSkipVerify"
	keyPlain    = "basicHTTP"
	keyPaths    = "secrets-path.yaml"
)

// CredentialFromSecret reads the Secret named in helmSecretName: username, password, cacerts, insecureSkipVerify and
// basicHTTP, each optional.
func CredentialFromSecret(data map[string][]byte) (Credential, error) {
	c := Credential{Username: string(data[keyUsername]), Password: string(data[keyPassword]), CABundle: data[keyCACerts]}
	var err error
	if c.InsecureSkipTLSVerify, err = flag(data, keyInsecure); err != nil {
		return Credential{}, err
	}
	if c.PlainHTTP, err = flag(data, keyPlain); err != nil {
		return Credential{}, err
	}
	return c, c.check("")
}

// flag reads true or false. The value itself is not shown: somebody may have mixed up the keys.
func flag(data map[string][]byte, key string) (bool, error) {
	text := strings.TrimSpace(string(data[key]))
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%w: %s in the Secret is neither true nor false", ErrInvalid, key)
	}
	return value, nil
}

func (c Credential) check(where string) error {
	if strings.ContainsRune(c.Username, ':') {
		return fmt.Errorf("%w: %susername has a colon, which basic authentication cannot carry", ErrInvalid, where)
	}
	if strings.ContainsAny(c.Username+c.Password, "\r\n\x00") {
		return fmt.Errorf("%w: %susername or password ends in or has a line break; write it with printf or echo -n", ErrInvalid, where)
	}
	if _, err := c.roots(); err != nil {
		return fmt.Errorf("%w: %sCA bundle holds no PEM certificate", ErrInvalid, where)
	}
	return nil
}

// pathCredential is one entry of secrets-path.yaml.
type pathCredential struct {
	Username           string `yaml:"username"`
	Password           string `yaml:"password"`
	CABundle           string `yaml:"caBundle"`
	InsecureSkipVerify bool   `yaml:"insecureSkipVerify"`
	BasicHTTP          bool   `yaml:"basicHTTP"`
}

// maxPathsFile bounds secrets-path.yaml; a Secret has at most 1 MiB.
const maxPathsFile = 1 << 20

// CredentialsForPaths reads the Secret named in helmSecretNameForPaths: its key secrets-path.yaml gives each bundle's
// path username, password, caBundle (base64 as in Fleet, or PEM), insecureSkipVerify and basicHTTP.
func CredentialsForPaths(data map[string][]byte) (map[string]Credential, error) {
	text, ok := data[keyPaths]
	if !ok {
		return nil, fmt.Errorf("%w: the Secret has no key %s", ErrInvalid, keyPaths)
	}
	if len(text) > maxPathsFile {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrInvalid, keyPaths, maxPathsFile)
	}
	var entries map[string]pathCredential
	if err := yaml.Unmarshal(text, &entries); err != nil {
		// The parser's words quote what it met, which may be a password.
		return nil, fmt.Errorf("%w: %s is no map from a path to username, password, caBundle, insecureSkipVerify and basicHTTP", ErrInvalid, keyPaths)
	}
	credentials := make(map[string]Credential, len(entries))
	for path, entry := range entries {
		c := entry.credential()
		if err := c.check(strconv.Quote(path) + " in " + keyPaths + ": "); err != nil {
			return nil, err
		}
		credentials[path] = c
	}
	return credentials, nil
}

func (e pathCredential) credential() Credential {
	c := Credential{Username: e.Username, Password: e.Password, InsecureSkipTLSVerify: e.InsecureSkipVerify, PlainHTTP: e.BasicHTTP}
	if e.CABundle == "" {
		return c
	}
	c.CABundle = []byte(e.CABundle)
	if !strings.Contains(e.CABundle, "-----BEGIN") {
		// Fleet's type is a byte slice, which YAML carries as base64.
		var decoded []byte
		if err := json.Unmarshal([]byte(strconv.Quote(strings.Join(strings.Fields(e.CABundle), ""))), &decoded); err == nil {
			c.CABundle = decoded
		}
	}
	return c
}
