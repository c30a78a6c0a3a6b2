package bundle

import (
	"crypto/md5" // Fleet's names contain it; nothing here depends on its strength.
	"encoding/hex"
	"path"
	"regexp"
	"strings"
)

// MaxNameLength is the length of the longest computed name: Helm's limit for a release.
const MaxNameLength = 53

var (
	nameDisallowed = regexp.MustCompile(`[^a-zA-Z0-9-]+`)
	nameDashes     = regexp.MustCompile(`-+`)
	nameLabel      = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	nameSubdomain  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

// Name returns the name of the bundle in dir of a GitRepo, exactly Fleet's. An
// explicitly named options file is part of it. The rule is frozen: release names
// are bundle names and charts name objects after them, so another rule would
// replace every object of a fleet.
func Name(repo, dir, optionsFile string) string {
	id := path.Join(repo, dir)
	if optionsFile != "" {
		id = path.Join(id, strings.TrimSuffix(optionsFile, path.Ext(optionsFile)))
	}
	return ReleaseName(id)
}

// ReleaseName returns the name of the Helm release of a bundle that names none
// itself, exactly Fleet's: the bundle's name, made a DNS label of at most
// MaxNameLength bytes where it is none, without two names becoming one. Frozen as Name is.
func ReleaseName(id string) string {
	name := strings.ReplaceAll(id, "/", "-")
	if name != strings.ToLower(name) || nameDisallowed.MatchString(name) {
		name += "-" + md5Hex(name, 8)
	}
	name = nameDisallowed.ReplaceAllLiteralString(strings.ToLower(name), "-")
	name = strings.Trim(nameDashes.ReplaceAllLiteralString(name, "-"), "-")
	if !nameLabel.MatchString(name) {
		return md5Hex(id, 24)
	}
	return shorten(name)
}

// shorten cuts a name that is too long and makes it unique again by a digest of the whole.
func shorten(name string) string {
	const digits = 5
	if len(name) <= MaxNameLength {
		return name
	}
	head := name[:MaxNameLength-digits-1]
	if !strings.HasSuffix(head, "-") {
		head += "-"
	}
	return head + md5Hex(name, digits)
}

func md5Hex(s string, digits int) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])[:digits]
}

// isName tells whether a name that a user chose can be that of a Bundle object.
func isName(s string) bool { return len(s) <= 63 && nameSubdomain.MatchString(s) }
