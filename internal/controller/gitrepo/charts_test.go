package gitrepo_test

import (
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/controller/gitrepo"
	"github.com/muster-dev/muster/pkg/bundle"
)

func TestWhichReferencesMayMeanAnotherVersionTomorrow(t *testing.T) {
	const repo, oci = "https://charts.example.com", "oci://registry.example.com/web"
	cases := map[string]struct {
		ref  bundle.ChartRef
		want bool
	}{
		"an exact version":            {bundle.ChartRef{Repo: repo, Chart: "web", Version: "1.2.3"}, false},
		"with a v":                    {bundle.ChartRef{Repo: repo, Chart: "web", Version: "v1.2.3-rc.1+build"}, false},
		"a constraint":                {bundle.ChartRef{Repo: repo, Chart: "web", Version: "~1.2"}, true},
		"two parts are a constraint":  {bundle.ChartRef{Repo: repo, Chart: "web", Version: "1.2"}, true},
		"no version":                  {bundle.ChartRef{Repo: repo, Chart: "web"}, true},
		"a registry's latest":         {bundle.ChartRef{Chart: oci}, true},
		"a registry's exact":          {bundle.ChartRef{Chart: oci, Version: "1.0.0"}, false},
		"a registry's digest":         {bundle.ChartRef{Chart: oci + "@sha256:" + strings.Repeat("a", 64)}, false},
		"an archive's URL":            {bundle.ChartRef{Chart: "https://example.com/web-1.tgz"}, false},
		"a repository that is no URL": {bundle.ChartRef{Repo: "oci://registry.example.com/charts", Chart: "web", Version: "*"}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := gitrepo.Floats(c.ref); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestWhichURLsGetCredentials(t *testing.T) {
	cases := map[string]struct {
		expression string
		ref        bundle.ChartRef
		want       bool
		fails      bool
	}{
		"any without an expression":    {"", bundle.ChartRef{Repo: "https://a.example.com", Chart: "web"}, true, false},
		"a repository that matches":    {`^https://a\.example\.com/`, bundle.ChartRef{Repo: "https://a.example.com/charts", Chart: "web"}, true, false},
		"a repository that does not":   {`^https://a\.example\.com/`, bundle.ChartRef{Repo: "https://b.example.com/charts", Chart: "web"}, false, false},
		"a registry":                   {`^oci://a\.example\.com/`, bundle.ChartRef{Chart: "oci://a.example.com/web"}, true, false},
		"the chart's name is no URL":   {`web`, bundle.ChartRef{Repo: "https://a.example.com", Chart: "web"}, false, false},
		"no regular expression at all": {`(`, bundle.ChartRef{Repo: "https://a.example.com", Chart: "web"}, false, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := gitrepo.MayLogIn(c.expression, c.ref)
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
