package charts_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/bundle"
)

func ExampleFetcher_Resolve() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "apiVersion: v1\nentries:\n  app:\n")
		for _, version := range []string{"1.0.0", "1.4.2", "2.0.0"} {
			fmt.Fprintf(w, "  - version: %s\n    urls: [app-%s.tgz]\n    digest: %064d\n", version, version, 0)
		}
	}))
	defer server.Close()

	fetcher := charts.New(charts.Options{})
	lock, err := fetcher.Resolve(context.Background(), bundle.ChartRef{Repo: server.URL, Chart: "app", Version: "^1.2"}, charts.Credential{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lock.Version, "is", lock.Resolved)
	// Output: ^1.2 is 1.4.2
}
