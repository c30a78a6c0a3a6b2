package helm

import (
	"encoding/json"
	"fmt"
	"maps"

	"helm.sh/helm/v3/pkg/chartutil"
)

// recorder answers questions about a cluster and remembers them.
type recorder struct {
	facts   Facts
	answers map[string]string
}

func newRecorder(f Facts) *recorder { return &recorder{facts: f, answers: map[string]string{}} }

// Bounds on what a chart can make of its questions; beyond them it asks for everything.
const (
	maxQuestions      = 200
	maxQuestionLength = 300
)

// ask answers and remembers. Everything covers all other questions but the one
// for labels, so those need not be remembered beside it.
func (r *recorder) ask(question string) string {
	if answer, asked := r.answers[question]; asked {
		return answer
	}
	answer := Answer(question, r.facts)
	_, all := r.answers[questionEverything]
	switch {
	case question == questionLabels:
		r.answers[question] = answer
	case question == questionEverything, !all && (len(question) > maxQuestionLength || len(r.answers) >= maxQuestions):
		maps.DeleteFunc(r.answers, func(asked, _ string) bool { return asked != questionLabels })
		r.answers[questionEverything] = Answer(questionEverything, r.facts)
	case !all:
		r.answers[question] = answer
	}
	return answer
}

func (r *recorder) everything() *chartutil.Capabilities {
	r.ask(questionEverything)
	return r.facts.capabilities()
}

// capabilities are .Capabilities to a template. They print, marshal and compare
// as Helm's do and remember what was looked at. What they cannot imitate (they
// are no list to range over) is found by the survey of a chart's templates, and
// then templates are given Helm's own. All that is in them is exported, and
// functions stay functions, so that a deep copy records too.
type capabilities struct {
	KubeVersion kubeVersion
	APIVersions apiVersions
	HelmVersion any
	Whole       func() *chartutil.Capabilities
}

// recording returns capabilities that ask r.
func recording(r *recorder) *capabilities {
	return &capabilities{
		KubeVersion: kubeVersion{
			Text: func() string { return r.ask(questionVersion) },
			Big:  func() string { return r.ask(questionMajor) },
			Less: func() string { return r.ask(questionMinor) },
		},
		APIVersions: apiVersions{
			Known: func(api string) bool { return r.ask(questionHas+api) == "true" },
			Whole: func() chartutil.VersionSet { return r.everything().APIVersions },
		},
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
		Whole:       r.everything,
	}
}

// Format prints what Helm's would print.
func (c capabilities) Format(s fmt.State, verb rune) { printAs(s, verb, *c.Whole()) }

// MarshalJSON is for toJson and toYaml of everything a template sees.
func (c capabilities) MarshalJSON() ([]byte, error) { return json.Marshal(c.Whole()) }

// MarshalYAML is for toYamlPretty.
func (c capabilities) MarshalYAML() (any, error) { return c.Whole(), nil }

// kubeVersion has Helm's fields as methods, and its methods on a pointer as
// Helm has them: printed as a field it is its version, as an argument a struct.
type kubeVersion struct{ Text, Big, Less answer }

func (v kubeVersion) Version() string { return v.Text() }
func (v kubeVersion) Major() string   { return v.Big() }
func (v kubeVersion) Minor() string   { return v.Less() }

func (v *kubeVersion) GitVersion() string { return v.Text() }
func (v *kubeVersion) String() string     { return v.Text() }

func (v kubeVersion) real() chartutil.KubeVersion {
	return chartutil.KubeVersion{Version: v.Text(), Major: v.Big(), Minor: v.Less()}
}

func (v kubeVersion) MarshalJSON() ([]byte, error) { return json.Marshal(v.real()) }
func (v kubeVersion) MarshalYAML() (any, error)    { return v.real(), nil }

// answer is a text that is asked for when it is printed.
type answer func() string

func (a answer) Format(s fmt.State, verb rune) { printAs(s, verb, a()) }

type apiVersions struct {
	Known func(api string) bool
	Whole func() chartutil.VersionSet
}

// Has tells whether the cluster serves a version, or a kind in it.
func (v apiVersions) Has(api string) bool { return v.Known(api) }

func (v apiVersions) Format(s fmt.State, verb rune) { printAs(s, verb, v.Whole()) }
func (v apiVersions) MarshalJSON() ([]byte, error)  { return json.Marshal(v.Whole()) }
func (v apiVersions) MarshalYAML() (any, error)     { return v.Whole(), nil }

func printAs(s fmt.State, verb rune, real any) {
	// A fmt.State has nowhere to return the error of its writer, which keeps it.
	_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), real)
}
