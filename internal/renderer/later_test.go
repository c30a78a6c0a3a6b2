package renderer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/content"
)

// A day is the same in both renders and another one tomorrow.
func TestATimeIsVolatileHoweverCoarselyItIsPrinted(t *testing.T) {
	const templates = `apiVersion: v1
kind: ConfigMap
metadata: {name: times}
data:
  year: {{ now | date "2006" | quote }}
  day: {{ (now).Day | quote }}
  hour: {{ now.Hour | quote }}
  epoch: {{ now | unixEpoch | quote }}
  variable: {{ $now := now }}{{ $now.Year | quote }}
  included: {{ include "stamp" . | quote }}
  since: {{ now | ago | quote }}
  text: now and ago # {{/* now */}}
  string: {{ "now" | quote }}
  field: {{ .Values.now | quote }}
{{ define "stamp" }}{{ now.Format "Jan 2" }}{{ end }}
`
	pool := newPool(t, renderer.Options{})
	item := mustRender(t, pool.Render, helmInputs(`{"now": "a value"}`, template(templates)...))
	want := []string{"/data/day", "/data/epoch", "/data/hour", "/data/included", "/data/since", "/data/variable", "/data/year"}
	if diff := cmp.Diff(want, volatileOf(item, "times")); diff != "" {
		t.Errorf("volatile (-want +got):\n%s", diff)
	}
}

func TestATimeInValuesIsVolatile(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	const printed = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: times}\ndata: {year: {{ .Values.year | quote }}, name: {{ .Values.name | quote }}}\n"
	in := withContext(helmInputs(`{"year": "${ now.Year }", "name": "${ .ClusterName }"}`, template(printed)...))
	item := mustRender(t, pool.Render, in)
	if diff := cmp.Diff([]string{"/data/year"}, volatileOf(item, "times")); diff != "" {
		t.Errorf("volatile (-want +got):\n%s", diff)
	}
}

func TestANameWithTheDayInItIsRefused(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	_, err := pool.Render(context.Background(), helmInputs("", template("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: job-{{ now | date \"2006\" }}}\n")...))
	var p *renderer.Problem
	if !errors.As(err, &p) || p.File != "templates/bomb.yaml" || !strings.Contains(p.Message, "now") {
		t.Errorf("got %v, want a refusal that names the template and the function", err)
	}
}

func volatileOf(item content.Item, name string) []string {
	for _, o := range item.Objects {
		if strings.HasSuffix(string(o.Key), "/"+name) {
			return o.Volatile
		}
	}
	return nil
}
