package charts

import "net/url"

// IndexVersions parses an index and gives each chart's versions with URL and digest, for tests.
func IndexVersions(text []byte, maxVersions int) (map[string][][3]string, error) {
	ix, err := parseIndex(text, maxVersions)
	if err != nil {
		return nil, err
	}
	all := map[string][][3]string{}
	for _, name := range ix.names() {
		releases, ok, err := ix.releases(name)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue // a line in a text that looked like a chart
		}
		all[name] = [][3]string{}
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
	return len(parts)
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

// OneChart reads an index and counts the versions of one chart.
func OneChart(text []byte, name string) (int, error) {
	ix, err := parseIndex(text, 1000)
	if err != nil {
		return 0, err
	}
	releases, _, err := ix.releases(name)
	return len(releases), err
}
