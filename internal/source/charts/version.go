package charts

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// maxConstraint bounds a constraint: the library matches it with regular expressions.
const maxConstraint = 256

// wanted is a constraint as Helm reads it: a text that equals a version wins, then the highest version that fits,
// where pre-releases fit only if the constraint names one.
type wanted struct {
	text       string
	constraint *semver.Constraints
}

func parseWanted(text string) (wanted, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxConstraint {
		return wanted{}, fmt.Errorf("%w: the version has more than %d bytes", ErrInvalid, maxConstraint)
	}
	constraint, err := semver.NewConstraint(cmp.Or(text, "*"))
	if err != nil {
		return wanted{}, fmt.Errorf("%w: version %q is neither a version nor a constraint", ErrInvalid, text)
	}
	return wanted{text: text, constraint: constraint}, nil
}

// exact is true if only one version can be meant.
func (w wanted) exact() bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(w.text, "v"))
	return err == nil
}

// version is one that a repository offers.
type version struct {
	text   string
	parsed *semver.Version
	at     int // its place in the list it came from
}

// ranked parses versions and puts the highest first. What is no version is left out, as Helm does. Equal ones are
// ordered by their text, so that build metadata never makes two runs differ.
func ranked(texts []string, parse func(string) (*semver.Version, error)) []version {
	versions := make([]version, 0, len(texts))
	for i, text := range texts {
		if parsed, err := parse(text); err == nil {
			versions = append(versions, version{text: text, parsed: parsed, at: i})
		}
	}
	slices.SortStableFunc(versions, func(a, b version) int {
		return cmp.Or(b.parsed.Compare(a.parsed), cmp.Compare(b.text, a.text))
	})
	return versions
}

// pick chooses among ranked versions.
func (w wanted) pick(versions []version) (version, bool) {
	if i := slices.IndexFunc(versions, func(v version) bool { return w.text != "" && v.text == w.text }); i >= 0 {
		return versions[i], true
	}
	if i := slices.IndexFunc(versions, func(v version) bool { return w.constraint.Check(v.parsed) }); i >= 0 {
		return versions[i], true
	}
	return version{}, false
}

// number finds what a constraint is about.
var number = regexp.MustCompile(`\d+(\.\d+){0,2}(-[0-9A-Za-z.-]+)?`)

// without says why none fits and which come near: two on each side of the constraint's first number, and the newest.
func (w wanted) without(versions []version) (detail, hint string) {
	asked := "no version matches " + w.text
	if w.text == "" || w.text == "*" {
		asked = "there is no stable version"
	}
	if len(versions) == 0 {
		return asked + ": there are no versions at all", ""
	}
	if !slices.ContainsFunc(versions, func(v version) bool { return v.parsed.Prerelease() == "" }) {
		return asked + ": there are only pre-releases", fmt.Sprintf("the newest is %s; a constraint such as >=0.0.0-0 takes pre-releases", versions[0].text)
	}
	return asked, "the nearest versions are " + strings.Join(w.near(versions), ", ") + "; the newest is " + versions[0].text
}

func (w wanted) near(versions []version) []string {
	i := 0
	if about, err := semver.NewVersion(number.FindString(w.text)); err == nil {
		i, _ = slices.BinarySearchFunc(versions, about, func(v version, about *semver.Version) int { return about.Compare(v.parsed) })
	}
	var texts []string
	for _, v := range versions[max(0, i-2):min(len(versions), i+2)] {
		texts = append(texts, v.text)
	}
	return texts
}
