package helm

import (
	"bytes"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
)

// survey is what the texts of a chart say about the cluster before any is executed.
type survey struct {
	// labels: something mentions the cluster's labels.
	labels bool
	// unrecordable: capabilities are used in a way that recording cannot imitate.
	unrecordable bool
}

// mentionLabels is what a text says that uses .Values.global.fleet.clusterLabels.
const mentionLabels = "clusterLabels"

// surveyChart reads every template of a chart and its subcharts. Values and
// other files are templates too if something executes them with tpl.
func surveyChart(c *chart.Chart, values map[string]any) survey {
	var s survey
	var all parts
	all.collect(c)
	for _, t := range all.templates {
		s.template(string(t))
	}
	if !all.mention("tpl") {
		return s
	}
	for _, v := range append(all.values, values) {
		s.value(v)
	}
	if all.mention("Files") {
		for _, f := range all.files {
			s.text(string(f))
		}
	}
	return s
}

// parts of a chart and all charts in it.
type parts struct {
	templates, files [][]byte
	values           []map[string]any
}

func (p *parts) collect(c *chart.Chart) {
	for _, f := range c.Templates {
		p.templates = append(p.templates, f.Data)
	}
	for _, f := range c.Files {
		p.files = append(p.files, f.Data)
	}
	p.values = append(p.values, c.Values)
	for _, d := range c.Dependencies() {
		p.collect(d)
	}
}

func (p *parts) mention(word string) bool {
	return slices.ContainsFunc(p.templates, func(t []byte) bool { return bytes.Contains(t, []byte(word)) })
}

func (s *survey) template(text string) {
	s.labels = s.labels || strings.Contains(text, mentionLabels)
	s.unrecordable = s.unrecordable || !recordable(text)
}

// value looks into keys and texts, at any depth.
func (s *survey) value(v any) {
	switch v := v.(type) {
	case string:
		s.text(v)
	case []any:
		for _, item := range v {
			s.value(item)
		}
	case map[string]any:
		for key, item := range v {
			s.text(key)
			s.value(item)
		}
	}
}

// text is one that may be executed, alone or as a part of another.
func (s *survey) text(text string) {
	s.labels = s.labels || strings.Contains(text, mentionLabels)
	if s.unrecordable || !suspicious(text) {
		return
	}
	s.unrecordable = !strings.Contains(text, "{{") || !recordable(text)
}
