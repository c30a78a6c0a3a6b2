package distribution_test

import (
	"testing"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/lab/tgz"
	"github.com/muster-dev/muster/pkg/bundle"
)

func packed(t *testing.T, name, text string) []byte {
	t.Helper()
	return tgz.Pack(t, tgz.File{Name: name, Text: text})
}

func TestAChartThatMayReadLabelsIsFoundInArchives(t *testing.T) {
	const reads, silent = "{{ .Values.global.fleet.clusterLabels.env }}", "{{ .Values.env }}"
	cases := map[string]struct {
		file bundle.File
		want bool
	}{
		"a template":             {bundle.File{Path: "templates/a.yaml", Data: []byte(reads)}, true},
		"a silent template":      {bundle.File{Path: "templates/a.yaml", Data: []byte(silent)}, false},
		"a packed chart":         {bundle.File{Path: "c.tgz", Data: packed(t, "c/templates/a.yaml", reads)}, true},
		"a silent packed chart":  {bundle.File{Path: "c.tgz", Data: packed(t, "c/templates/a.yaml", silent)}, false},
		"a packed dependency":    {bundle.File{Path: "c.tgz", Data: packed(t, "c/charts/d.tgz", string(packed(t, "d/templates/a.yaml", reads)))}, true},
		"what cannot be read":    {bundle.File{Path: "c.tgz", Data: []byte("no archive")}, true},
		"more than is looked at": {bundle.File{Path: "c.tgz", Data: packed(t, "c/a", string(make([]byte, 65<<20)))}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := distribution.MayReadLabels([]bundle.File{c.file}); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
