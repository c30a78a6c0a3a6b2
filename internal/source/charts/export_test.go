package charts

import (
	"net/url"
	"slices"
)

// IndexVersions parses an index and gives each chart's versions with URL and digest, for tests.
func IndexVersions(text []byte, maxVersions int) (map[string][][3]string, error) {
	ix, err := parseIndex(text, maxVersions)
	if err != nil {
		return nil, err
	}
	all := map[string][][3]string{}
	for name, releases := range ix.charts {
		for _, r := range releases {
			all[name] = append(all[name], [3]string{r.version, r.url, r.digest})
		}
	}
	return all, nil
}

// Parts is how many charts an index in block style is cut into, -1 if it cannot be cut.
func Parts(text []byte) int {
	_, parts, ok := cutIndex(text)
	if !ok {
		return -1
	}
	return len(slices.Collect(parts))
}

// Covers tells whether credentials for a reference's URL may be sent to another.
func Covers(bound, to string) bool { return bind(mustParse(bound)).covers(mustParse(to)) }

// SameParty tells whether a registry's credentials may be sent to a token service.
func SameParty(registry, realm string) bool { return sameParty(mustParse(registry), mustParse(realm)) }

// ParseChallenge is parseChallenge.
var ParseChallenge = parseChallenge

func mustParse(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}
