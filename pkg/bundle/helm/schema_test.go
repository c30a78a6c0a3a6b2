package helm_test

import (
	"strings"
	"testing"

	"github.com/muster-dev/muster/pkg/bundle/helm"
)

// What a schema refuses is named by its path; the value may be a password.
func TestSchemaFaultsShowPathsAndNoValues(t *testing.T) {
	schema := `{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {
		"pattern": {"pattern": "^[a-z]+$"}, "enum": {"enum": ["a", "b"]}, "const": {"const": "x"}, "type": {"type": "integer"},
		"max": {"maximum": 10}, "short": {"minLength": 90}, "mail": {"format": "email"}, "date": {"format": "date-time"}, "multiple": {"multipleOf": 7},
		"deep": {"type": "object", "properties": {"list": {"items": {"type": "string", "maxLength": 2}}}}
	}}`
	files := texts{
		"Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "values.schema.json": schema,
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
	}
	for path, value := range map[string]any{
		"pattern": "S3cret!", "enum": "S3cret!", "const": "S3cret!", "type": "S3cret!", "max": 837261.0, "short": "S3cret!", "mail": "S3cret!", "date": "S3cret!", "multiple": 837261.5,
		"deep/list/0": []any{"S3cret!"},
	} {
		values := map[string]any{path: value}
		if path == "deep/list/0" {
			values = map[string]any{"deep": map[string]any{"list": value}}
		}
		_, err := shown(t, files, helm.Release{Values: values})
		switch {
		case err == nil:
			t.Errorf("%s is accepted", path)
		case !strings.HasPrefix(err.Error(), "values.schema.json: ") || !strings.Contains(err.Error(), "'/"+path+"'"):
			t.Errorf("%s: %v does not name it", path, err)
		case strings.Contains(err.Error(), "S3cret") || strings.Contains(err.Error(), "837"):
			t.Errorf("%s: %v shows the value", path, err)
		}
	}
	if got, err := shown(t, files, helm.Release{Values: map[string]any{"max": 11.0}, SkipSchemaValidation: true}); err != nil || len(got) != 1 {
		t.Errorf("with validation skipped: %v %v", got, err)
	}
}

// Errors of a chart's templates name their line and not what they were given.
func TestTemplateFaultsDoNotShowValues(t *testing.T) {
	for template, want := range map[string]string{
		`{{ tpl .Values.broken . }}`:                               "templates/a.yaml:7: ",
		`{{ tpl .Values.failing . }}`:                              "templates/a.yaml:7: ",
		`{{ include "none" .Values.secret }}`:                      "templates/a.yaml:7: ",
		`{{ .Values.secret.deeper }}`:                              "templates/a.yaml:7: ",
		`{{ semverCompare ">1" .Values.secret }}`:                  "templates/a.yaml:7: ",
		`{{ mustToDate "2006" .Values.secret }}`:                   "templates/a.yaml:7: ",
		`{{ mustRegexMatch .Values.pattern "x" }}`:                 "templates/a.yaml:7: ",
		`{{ fromYaml .Values.secret | len | index .Values.none }}`: "templates/a.yaml:7: ",
		`{{ index .Values.list .Values.secret }}`:                  "templates/a.yaml:7: ",
		"{{ \"\\n\" }}{{ .Values.alias | trim }}":                  "templates/a.yaml: ",
	} {
		values := map[string]any{"secret": "s3cret", "broken": "s3cret {{ if", "failing": "s3cret {{ .a.b.c }}", "pattern": "s3cret(", "alias": "\n\nx: *s3cret", "list": []any{1.0}}
		files := texts{}
		for _, f := range printing(template) {
			files[f.Path] = string(f.Data)
		}
		if strings.Contains(template, "alias") {
			files["templates/a.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n" + template
		}
		_, err := shown(t, files, helm.Release{Values: values})
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", template, err)
		}
	}
}
