package charts_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/bundle"
)

// Whatever a bundle names ends in an error with a kind when there is no network.
func FuzzReference(f *testing.F) {
	f.Add("https://example.com/charts", "app", "^1.2")
	f.Add("", "oci://example.com/team/app:1.0.0", "")
	f.Add("", "oci://[::1]:5000/app@sha256:abc", "1.x")
	f.Add("oci://example.com/team", "app", ">=1 <2 || 3")
	f.Add("", "https://u:p@example.com/app.tgz?x=y#z", "")
	f.Add("http://%41:%zz/", "../..", "v1.2.3+a_b")
	closed := errors.New("closed")
	fetcher := charts.New(charts.Options{RetryDelay: 1, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, closed }})
	f.Fuzz(func(t *testing.T, repo, chart, version string) {
		_, err := fetcher.Fetch(t.Context(), bundle.ChartRef{Repo: repo, Chart: chart, Version: version}, charts.Credential{})
		var told *charts.Error
		if !errors.As(err, &told) || told.Kind == nil || told.Op == "" {
			t.Errorf("%q %q %q: got %v", repo, chart, version, err)
		}
	})
}
