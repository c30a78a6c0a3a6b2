package driver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// Requests counts an API server's requests by "VERB resource[.group]".
type Requests map[string]int

// Requests reads apiserver_request_total of one API server.
func (d *Demo) Requests(ctx context.Context, server string) (Requests, error) {
	clients, err := kubernetes.NewForConfig(d.Config(server))
	if err != nil {
		return nil, fmt.Errorf("read metrics of %s: %w", server, err)
	}
	raw, err := clients.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read metrics of %s: %w", server, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("read metrics of %s: %w", server, err)
	}
	counts := Requests{}
	for _, m := range families["apiserver_request_total"].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["subresource"] == "/metrics" || labels["subresource"] == "/readyz" {
			continue // the measuring itself
		}
		key := labels["verb"] + " " + labels["resource"]
		if labels["group"] != "" {
			key += "." + labels["group"]
		}
		if labels["subresource"] != "" {
			key += "/" + labels["subresource"]
		}
		counts[key] += int(m.GetCounter().GetValue())
	}
	return counts, nil
}

// Since returns how many requests came after before.
func (r Requests) Since(before Requests) Requests {
	more := Requests{}
	for key, n := range r {
		if d := n - before[key]; d > 0 {
			more[key] = d
		}
	}
	return more
}

// Count adds up everything but leases, which it returns apart.
func (r Requests) Count() (requests, leases int) {
	for key, n := range r {
		if strings.Contains(key, " leases.coordination.k8s.io") {
			leases += n
			continue
		}
		requests += n
	}
	return requests, leases
}

// String lists the counts, the largest first.
func (r Requests) String() string {
	keys := make([]string, 0, len(r))
	for key := range r {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if r[a] != r[b] {
			return r[b] - r[a]
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	for i, key := range keys {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %s", r[key], key)
	}
	return b.String()
}
