package helm_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
)

// printing is a chart with one ConfigMap that shows what a template prints.
func printing(template string) []bundle.File {
	return []bundle.File{
		{Path: "Chart.yaml", Data: []byte("apiVersion: v2\nname: asks\nversion: 1.0.0\n")},
		{Path: "templates/_helpers.tpl", Data: []byte(`{{ define "version" }}{{ .Capabilities.KubeVersion.Version }}{{ end }}{{ define "minor" }}{{ .caps.KubeVersion.Minor }}{{ end }}`)},
		{Path: "templates/a.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  said: |\n    before\n{{ define \"said\" }}" + template + "{{ end }}{{ include \"said\" . | indent 4 }}\n")},
		{Path: "values.yaml", Data: []byte("text: '{{ .Capabilities.KubeVersion.Minor }}'\n")},
	}
}

var oneCluster = helm.Facts{KubeVersion: "v1.31.4+k3s1", APIVersions: []string{"v1", "apps/v1", "apps/v1/Deployment"}, Labels: map[string]string{"env": "prod"}}

// TestRecordingCapabilitiesPrintWhatHelmsPrint runs each template with Helm's
// own capabilities too, and names the questions that are recorded.
func TestRecordingCapabilitiesPrintWhatHelmsPrint(t *testing.T) {
	all := []string{"everything"}
	version := []string{"KubeVersion.Version"}
	struct3 := []string{"KubeVersion.Major", "KubeVersion.Minor", "KubeVersion.Version"}
	cases := map[string]struct {
		template string
		want     []string
	}{
		"nothing asked":             {`{{ .Release.Name }}`, nil},
		"the version printed":       {`{{ .Capabilities.KubeVersion }}`, version},
		"the version's fields":      {`{{ .Capabilities.KubeVersion.Major }}.{{ .Capabilities.KubeVersion.Minor }}`, []string{"KubeVersion.Major", "KubeVersion.Minor"}},
		"the version's methods":     {`{{ .Capabilities.KubeVersion.GitVersion }} {{ .Capabilities.KubeVersion.String }}`, version},
		"compared":                  {`{{ if .Capabilities.KubeVersion.Version | semverCompare ">=1.21-0" }}new{{ end }}{{ semverCompare "<1.31-0" .Capabilities.KubeVersion.GitVersion }}`, version},
		"quoted":                    {`{{ .Capabilities.KubeVersion | quote }}`, all},
		"in parentheses":            {`{{ (.Capabilities.KubeVersion).Minor }} {{ ($.Capabilities).KubeVersion.Major }}`, []string{"KubeVersion.Major", "KubeVersion.Minor"}},
		"has":                       {`{{ .Capabilities.APIVersions.Has "apps/v1" }} {{ $.Capabilities.APIVersions.Has "batch/v1" }}`, []string{"APIVersions.Has apps/v1", "APIVersions.Has batch/v1"}},
		"has, not reached":          {`{{ if and false (.Capabilities.APIVersions.Has "apps/v1") }}x{{ end }}`, nil},
		"has, computed":             {`{{ .Capabilities.APIVersions.Has (printf "%s/v1" "apps") }}`, []string{"APIVersions.Has apps/v1"}},
		"a variable":                {`{{ $caps := .Capabilities }}{{ $caps.KubeVersion.Minor }}{{ $caps.APIVersions.Has "v1" }}`, []string{"APIVersions.Has v1", "KubeVersion.Minor"}},
		"a variable of the version": {`{{ $v := .Capabilities.KubeVersion }}{{ $v.Minor }} {{ $v }} {{ $v | toString }}`, struct3},
		"a variable of the list":    {`{{ $has := .Capabilities.APIVersions }}{{ $has.Has "v1" }}`, []string{"APIVersions.Has v1"}},
		"a list in a variable":      {`{{ $has := .Capabilities.APIVersions }}{{ $has.Has "v1" }}{{ len $has }}`, all},
		"include":                   {`{{ include "version" . }}`, version},
		"in a dict":                 {`{{ include "minor" (dict "caps" .Capabilities) }}`, []string{"KubeVersion.Minor"}},
		"a version in a dict":       {`{{ $d := dict "v" (default "" .Values.none) "caps" $.Capabilities }}{{ $d.caps.KubeVersion.Version }}`, version},
		"with":                      {`{{ with .Capabilities }}{{ .KubeVersion.Minor }}{{ .APIVersions.Has "x" }}{{ end }}`, []string{"APIVersions.Has x", "KubeVersion.Minor"}},
		"with the version":          {`{{ with .Capabilities.KubeVersion }}{{ . }}{{ end }}`, all},
		"with the list":             {`{{ with $l := .Capabilities.APIVersions }}{{ first . }}{{ end }}`, all},
		"by name":                   {`{{ (index . "Capabilities").KubeVersion.Minor }}`, []string{"KubeVersion.Minor"}},
		"a deep copy":               {`{{ $c := deepCopy . }}{{ $c.Capabilities.KubeVersion.Minor }} {{ $c.Capabilities.KubeVersion }}`, []string{"KubeVersion.Minor", "KubeVersion.Version"}},
		"ranged over":               {`{{ range .Capabilities.APIVersions }}{{ . }} {{ end }}`, all},
		"ranged over with index":    {`{{ range $i, $v := .Capabilities.APIVersions }}{{ $i }}{{ $v }} {{ end }}`, all},
		"searched":                  {`{{ has "apps/v1" .Capabilities.APIVersions }}`, all},
		"the list printed":          {`{{ .Capabilities.APIVersions }}`, all},
		"all printed":               {`{{ .Capabilities }}`, all},
		"all as YAML":               {`{{ .Capabilities | toYaml }}`, all},
		"all as JSON":               {`{{ toJson .Capabilities }}`, all},
		"the version as YAML":       {`{{ toYaml .Capabilities.KubeVersion }}`, all},
		"the root as YAML":          {`{{ toYaml . | sha256sum }}`, all},
		"the root, prettily":        {`{{ toYamlPretty (omit . "Files" "Chart" "Subcharts") | sha256sum }}`, all},
		"the root as TOML":          {`{{ toToml . | sha256sum }}{{ .Capabilities.KubeVersion.Minor }}`, all},
		"ranged over the root":      {`{{ range $k, $v := . }}{{ if eq $k "Capabilities" }}{{ toJson $v }} {{ $v }}{{ end }}{{ end }}`, all},
		"Helm's version":            {`{{ .Capabilities.HelmVersion.Version }} {{ .Capabilities.HelmVersion }}`, nil},
		"the chart's own":           {`{{ .Chart.KubeVersion }}{{ .Chart.Name }}`, nil},
		"tpl":                       {`{{ tpl "{{ .Capabilities.KubeVersion.Minor }}" . }}`, []string{"KubeVersion.Minor"}},
		"tpl that ranges":           {`{{ tpl "{{ range .Capabilities.APIVersions }}{{ . }}{{ end }}" . }}`, all},
		"tpl of values":             {`{{ tpl .Values.text . }}`, []string{"KubeVersion.Minor"}},
		"tpl of text in pieces":     {`{{ tpl (printf "{{ .Capabilities.%s }}" "APIVersions") . }}`, all},
		"a file with tpl":           {`{{ tpl (.Files.Get "version.txt") . }}{{ .Capabilities.KubeVersion.Minor }}`, all},
		"mentioned in a comment":    {`{{/* range .Capabilities.APIVersions */}}{{ .Release.Name }}`, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			files := append(printing(c.template), bundle.File{Path: "version.txt", Data: []byte("{{ .Capabilities.KubeVersion | quote }}")})
			if want, got := byHelm(t, files, oneCluster), said(t, files, oneCluster); want != got {
				t.Errorf("helm prints\n%s\nours\n%s", want, got)
			}
			result, err := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: oneCluster})
			if err != nil {
				t.Fatal(err)
			}
			asked := slices.Sorted(maps.Keys(result.Answers))
			if diff := cmp.Diff(c.want, asked); diff != "" {
				t.Errorf("questions (-want +got):\n%s", diff)
			}
			for question, answer := range result.Answers {
				if want := helm.Answer(question, oneCluster); answer != want {
					t.Errorf("%s was answered %s, Answer says %s", question, answer, want)
				}
			}
		})
	}
}

// said is what the chart's template prints.
func said(t *testing.T, files []bundle.File, f helm.Facts) string {
	t.Helper()
	result, err := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: f})
	if err != nil {
		t.Fatal(err)
	}
	return textOf(result)
}

// byHelm is the same from Helm's engine with its own capabilities.
func byHelm(t *testing.T, files []bundle.File, f helm.Facts) string {
	t.Helper()
	text, err := tryHelm(files, f)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func tryHelm(files []bundle.File, f helm.Facts) (string, error) {
	var buffered []*loader.BufferedFile
	for _, file := range files {
		buffered = append(buffered, &loader.BufferedFile{Name: file.Path, Data: file.Data})
	}
	c, err := loader.LoadFiles(buffered)
	if err != nil {
		return "", err
	}
	parsed, err := chartutil.ParseKubeVersion(f.KubeVersion)
	if err != nil {
		return "", err
	}
	parsed.Version = f.KubeVersion // as a server says it; only --kube-version loses what follows the numbers
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion, capabilities.APIVersions = *parsed, f.APIVersions
	values, err := chartutil.ToRenderValues(c, map[string]any{}, chartutil.ReleaseOptions{Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true}, capabilities)
	if err != nil {
		return "", err
	}
	printed, err := engine.Render(c, values)
	if err != nil {
		return "", err
	}
	var object struct {
		Data map[string]string `json:"data"`
	}
	err = yaml.Unmarshal([]byte(strings.TrimSpace(printed["asks/templates/a.yaml"])), &object)
	return strings.TrimSpace(object.Data["said"]), err
}

// Errors of templates stay Helm's own where capabilities are misused.
func TestMisusedCapabilitiesFailAsInHelm(t *testing.T) {
	for template, want := range map[string]string{
		`{{ .Capabilities.TillerVersion }}`:                          "can't evaluate field TillerVersion",
		`{{ .Capabilities.KubeVersion.GitCommit }}`:                  "can't evaluate field GitCommit in type chartutil.KubeVersion",
		`{{ semverCompare ">=1.2" .Capabilities.KubeVersion }}`:      "expected string; got chartutil.KubeVersion",
		`{{ range .Capabilities.KubeVersion }}{{ end }}`:             "range can't iterate over",
		`{{ .Capabilities.APIVersions.Contains "v1" }}`:              "can't evaluate field Contains in type chartutil.VersionSet",
		`{{ (.Capabilities.APIVersions.Has "v1").Nothing }}`:         "can't evaluate field Nothing in type bool",
		`{{ required "set it" .Values.missing }}{{ .Capabilities }}`: "set it",
	} {
		_, err := helm.Render(printing(template), helm.Release{Name: "rel", Namespace: "ns", Facts: oneCluster})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", template, err, want)
		}
	}
}

// A thousand clusters, no two alike, and a chart that asks one thing: two answers.
func TestAThousandFactsAndOneQuestionAreTwoAnswers(t *testing.T) {
	files := printing(`{{ .Capabilities.APIVersions.Has "policy/v1" }}`)
	facts, answers, printed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range 1000 {
		f := helm.Facts{KubeVersion: fmt.Sprintf("v1.%d.%d", 20+i%20, i), APIVersions: []string{"v1", fmt.Sprintf("example%d.com/v1", i)}}
		if i%3 == 0 {
			f.APIVersions = append(f.APIVersions, "policy/v1")
		}
		result, err := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: f})
		if err != nil {
			t.Fatal(err)
		}
		facts[fmt.Sprint(f)], answers[fmt.Sprint(result.Answers)] = true, true
		printed[fmt.Sprint(result.Objects)] = true
	}
	if len(facts) != 1000 || len(answers) != 2 || len(printed) != 2 {
		t.Errorf("%d facts gave %d sets of answers and %d renders, want 1000, 2 and 2", len(facts), len(answers), len(printed))
	}
}

// Wherever facts agree on what was asked, what is printed is the same: that is
// what content is shared by.
func TestFactsThatAgreeRenderTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	snippets := []string{
		`{{ .Capabilities.KubeVersion.Minor }}`, `{{ .Capabilities.KubeVersion }}`, `{{ .Capabilities.APIVersions.Has "a/v1" }}`,
		`{{ if .Capabilities.APIVersions.Has "b/v1" }}{{ .Capabilities.KubeVersion.Version }}{{ else }}old{{ end }}`,
		`{{ .Values.global.fleet.clusterLabels.env }}`, `{{ $c := .Capabilities }}{{ if semverCompare ">=1.31-0" $c.KubeVersion.Version }}new{{ end }}`,
		`{{ range .Capabilities.APIVersions }}{{ . }}{{ end }}`, `{{ toYaml .Capabilities }}`, `{{ .Capabilities.KubeVersion | quote }}`,
		`{{ $c := deepCopy . }}{{ $c.Capabilities.KubeVersion.Major }}`, `{{ .Release.Name }}`,
	}
	agreed := 0
	for range 150 {
		files := printing(snippets[random.IntN(len(snippets))] + snippets[random.IntN(len(snippets))])
		files[0].Data = append(files[0].Data, []string{"", "kubeVersion: '>=1.30.0-0'\n"}[random.IntN(2)]...)
		first, second := randomFacts(random), randomFacts(random)
		one, errOne := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: first})
		two, errTwo := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: second})
		if !agree(one.Answers, second) {
			continue
		}
		agreed++
		if fmt.Sprint(errOne) != fmt.Sprint(errTwo) || fmt.Sprint(one.Objects) != fmt.Sprint(two.Objects) || !maps.Equal(one.Answers, two.Answers) {
			t.Errorf("%s\n%+v and %+v agree on %v, but give\n%v %v\n%v %v", files[2].Data, first, second, one.Answers, one.Objects, errOne, two.Objects, errTwo)
		}
	}
	if agreed < 10 {
		t.Errorf("only %d pairs agreed: this proves little", agreed)
	}
}

func agree(answers map[string]string, f helm.Facts) bool {
	for question, answer := range answers {
		if helm.Answer(question, f) != answer {
			return false
		}
	}
	return true
}

func randomFacts(random *rand.Rand) helm.Facts {
	f := helm.Facts{KubeVersion: fmt.Sprintf("v1.%d.%d", 29+random.IntN(3), random.IntN(2)), APIVersions: []string{"v1"}, Labels: map[string]string{}}
	for _, api := range []string{"a/v1", "b/v1"} {
		if random.IntN(2) == 0 {
			f.APIVersions = append(f.APIVersions, api)
		}
	}
	if random.IntN(2) == 0 {
		f.Labels["env"] = "prod"
	}
	return f
}

// A chart's kubeVersion is a question that is answered yes or no.
func TestAKubeVersionRangeIsAQuestion(t *testing.T) {
	files := printing(`x`)
	files[0].Data = append(files[0].Data, "kubeVersion: '>=1.30.0-0'\n"...)
	for version, want := range map[string]string{"v1.29.9": "false", "v1.30.1": "true", "v1.36.0-gke.7": "true", "": "true"} {
		result, err := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: helm.Facts{KubeVersion: version}})
		if diff := cmp.Diff(map[string]string{"Chart.kubeVersion >=1.30.0-0": want}, result.Answers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
		if (err == nil) != (want == "true") {
			t.Errorf("%s: error %v", version, err)
		}
	}
}

func TestFactsThatAreNoneAreRefused(t *testing.T) {
	for _, version := range []string{"1", "v1.x", "v1.2.3 ", "{{ x }}", "v1.2.3-" + strings.Repeat("a", 100)} {
		if _, err := helm.Render(printing(`x`), helm.Release{Name: "rel", Namespace: "ns", Facts: helm.Facts{KubeVersion: version}}); err == nil {
			t.Errorf("%q is taken for a version", version)
		}
	}
}

// Fleet gives every chart the labels of its cluster. Here a chart that never
// mentions them is not rendered for each cluster.
func TestChartsFindTheLabelsOfTheirCluster(t *testing.T) {
	cases := map[string]struct {
		template string
		values   map[string]any
		want     string
		asked    bool
	}{
		"not mentioned":        {`{{ .Values.global }}`, nil, "map[]", false},
		"mentioned":            {`{{ .Values.global.fleet.clusterLabels.env }}`, nil, "prod", true},
		"all of them":          {`{{ toJson .Values.global.fleet.clusterLabels }}`, nil, `{"env":"prod"}`, true},
		"values beside them":   {`{{ .Values.global.region }}{{ .Values.global.fleet.clusterLabels.env }}`, map[string]any{"global": map[string]any{"region": "eu-"}}, "eu-prod", true},
		"values win":           {`{{ .Values.global.fleet.clusterLabels.env }}`, map[string]any{"global": map[string]any{"fleet": map[string]any{"clusterLabels": map[string]any{"env": "mine"}}}}, "mine", true},
		"a text that tpl runs": {`{{ tpl .Values.run . }}`, map[string]any{"run": "{{ .Values.global.fleet.clusterLabels.env }}"}, "prod", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			files := printing(c.template)
			files[3].Data = []byte("global: {}\n")
			result, err := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: oneCluster, Values: c.values})
			if err != nil {
				t.Fatal(err)
			}
			data, _ := result.Objects[0].Body["data"].(map[string]any)
			if got := strings.TrimPrefix(strings.TrimSpace(fmt.Sprint(data["said"])), "before\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if _, asked := result.Answers["clusterLabels"]; asked != c.asked || len(result.Answers) > 1 {
				t.Errorf("asked %v, want clusterLabels: %t", result.Answers, c.asked)
			}
		})
	}
	other := oneCluster
	other.Labels = map[string]string{"env": "dev"}
	if helm.Answer("clusterLabels", oneCluster) == helm.Answer("clusterLabels", other) || helm.Answer("everything", oneCluster) != helm.Answer("everything", other) {
		t.Error("labels answer one question and not the other")
	}
}

// What is stored with content is bounded: who asks too much asks for everything.
func TestTooManyQuestionsAreEverything(t *testing.T) {
	for template, want := range map[string][]string{
		`{{ range until 150 }}{{ $.Capabilities.APIVersions.Has (printf "x%d/v1" .) }}{{ end }}`:                                                       nil, // 150 of them
		`{{ range until 2000 }}{{ $.Capabilities.APIVersions.Has (printf "x%d/v1" .) }}{{ end }}{{ .Capabilities.KubeVersion.Minor }}`:                 {"everything"},
		`{{ .Capabilities.APIVersions.Has (repeat 1000 "x") }}{{ .Capabilities.KubeVersion.Minor }}`:                                                   {"everything"},
		`{{ .Values.global.fleet.clusterLabels.env }}{{ range until 300 }}{{ $.Capabilities.APIVersions.Has (printf "x%d/v1" .) }}{{ end }}`:           {"clusterLabels", "everything"},
		`{{ .Capabilities.KubeVersion.Minor }}{{ $c := .Capabilities }}{{ toJson $c | sha256sum }}{{ .Capabilities.KubeVersion.Major }}{{/* both */}}`: {"everything"},
	} {
		result, err := helm.Render(printing(template), helm.Release{Name: "rel", Namespace: "ns", Facts: oneCluster})
		if err != nil {
			t.Fatal(err)
		}
		asked := slices.Sorted(maps.Keys(result.Answers))
		if want == nil && len(asked) != 150 || want != nil && !slices.Equal(asked, want) {
			t.Errorf("%s: asks %d questions, want %v", template, len(asked), want)
		}
	}
}

// FuzzCapabilities wants whatever a template does with capabilities to print
// what it prints with Helm's own, or to fail as there, and clusters that agree
// on what it asked to print the same.
func FuzzCapabilities(f *testing.F) {
	for _, seed := range []string{
		`{{ .Capabilities.KubeVersion }}`, `{{ .Capabilities.KubeVersion | quote }}`, `{{ with .Capabilities }}{{ .KubeVersion.Minor }}{{ end }}`,
		`{{ $c := .Capabilities }}{{ $c.APIVersions.Has "v1" }}`, `{{ range .Capabilities.APIVersions }}{{ . }}{{ end }}`, `{{ toYaml .Capabilities }}`,
		`{{ $v := .Capabilities.APIVersions }}{{ $v.Has "a" }}{{ $v }}`, `{{ (index . "Capabilities").KubeVersion.Major }}`, `{{ range $k, $v := . }}{{ toJson $v }}{{ end }}`,
		`{{ dict "a" .Capabilities | toYaml }}`, `{{ $d := deepCopy . }}{{ $d.Capabilities.KubeVersion }}`, `{{ include "version" . }}{{ template "minor" (dict "caps" .Capabilities) }}`,
		`{{ if .Capabilities.APIVersions }}a{{ end }}`, `{{ len .Capabilities.APIVersions }}`, `{{ printf "%s %v" .Capabilities.KubeVersion.Version .Capabilities.KubeVersion }}`,
		`{{ tpl "{{ .Capabilities.KubeVersion.Minor }}" . }}`, `{{ eq .Capabilities.KubeVersion.Minor "31" }}`, `{{ .Capabilities.HelmVersion }}`, `{{ kindOf .Capabilities.KubeVersion }}`,
		`{{ $l := list .Capabilities .Capabilities.KubeVersion.Minor }}{{ (first $l).KubeVersion.Version }}`, `{{ with $x := .Capabilities.KubeVersion }}{{ $x.Minor }}{{ . }}{{ end }}`,
		`{{ define "z" }}{{ . }}{{ end }}{{ include "z" .Capabilities }}`, `{{ .Capabilities.KubeVersion.String | upper }}{{ .Capabilities.KubeVersion.GitVersion }}`,
	} {
		f.Add(seed)
	}
	names := []string{"rand", "gen", "uuid", "now", "ago", "htpasswd", "crypt", "derive", "shuffle", "until", "repeat", "seq", "indent", "%p", "wrap", "date"}
	other := helm.Facts{KubeVersion: "v1.30.0", APIVersions: []string{"v1", "batch/v1"}, Labels: oneCluster.Labels}
	f.Fuzz(func(t *testing.T, template string) {
		if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(template, name) }) || len(template) > 500 {
			return
		}
		files := printing(template)
		result, err := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: oneCluster})
		first, helmErr := tryHelm(files, oneCluster)
		second, _ := tryHelm(files, oneCluster)
		if first != second {
			return // it prints addresses
		}
		if helmErr != nil && err == nil {
			t.Fatalf("%q: helm fails with %v", template, helmErr)
		}
		if got := textOf(result); err == nil && got != first {
			t.Fatalf("%q: helm prints\n%q\nours\n%q", template, first, got)
		}
		if agree(result.Answers, other) {
			again, errAgain := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Facts: other})
			if (err == nil) != (errAgain == nil) || textOf(again) != textOf(result) {
				t.Fatalf("%q: asks only %v, but prints\n%q\n%q", template, result.Answers, textOf(result), textOf(again))
			}
		}
	})
}

func textOf(r helm.Result) string {
	if len(r.Objects) == 0 {
		return ""
	}
	data, _ := r.Objects[0].Body["data"].(map[string]any)
	return strings.TrimSpace(fmt.Sprint(data["said"]))
}

// Labels reach charts within charts, and a mention there is a mention.
func TestSubchartsFindTheLabelsToo(t *testing.T) {
	part := texts{
		"Chart.yaml":       "apiVersion: v2\nname: part\nversion: 1.0.0\n",
		"templates/p.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: part}\ndata: {is: {{ .Values.global.fleet.clusterLabels.env }}}\n",
	}
	got, err := shown(t, with(simple("web", "1.0.0", ""), part.under("charts/part")), helm.Release{Facts: oneCluster})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"part=prod", "web=1.0.0 default"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
