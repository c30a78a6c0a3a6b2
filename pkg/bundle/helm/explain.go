package helm

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// templatePlace finds where in a template an error arose: "chart/templates/x.yaml:3:14".
var templatePlace = regexp.MustCompile(`([^\s():"]+):(\d+)(?::\d+)?\)?: `)

// templateFault places an error of the template engine in the bundle.
func (c *loaded) templateFault(err error) error {
	text := err.Error()
	at := templatePlace.FindStringSubmatchIndex(text)
	if at == nil {
		return c.fault("Chart.yaml", manifest.RenderFailed, "%s", withoutValues(text))
	}
	file := c.file(text[at[2]:at[3]])
	line, atoiErr := strconv.Atoi(text[at[4]:at[5]])
	if atoiErr != nil {
		line = 0
	}
	return manifest.NewFault(file, line, manifest.RenderFailed, "%s", withoutValues(lastReason(text[at[1]:])))
}

// lastReason shortens the engine's chain of includes to where it went wrong.
func lastReason(text string) string {
	if i := strings.LastIndex(text, "error calling include: "); i >= 0 {
		text = text[i+len("error calling include: "):]
	}
	return strings.TrimPrefix(text, "template: ")
}

// quotedValues are the places where libraries quote the value they complain about.
var quotedValues = []*regexp.Regexp{
	regexp.MustCompile(`(parsing )"(?:[^"\\]|\\.)*"`),
	regexp.MustCompile(`()'(?:[^'\\]|\\.)*'( is not valid| does not match)`),
	regexp.MustCompile(`(cannot (?:unmarshal|decode) !!\w+ )\x60[^\x60]*\x60`),
	regexp.MustCompile(`(unknown anchor )'.*'( referenced)`),
	regexp.MustCompile(`(invalid map key: ).*()`),
	regexp.MustCompile(`((?:[mM]aximum|[mM]inimum|multipleOf): got )\S+(, want)`),
	regexp.MustCompile(`(execution for |parse template )"(?:[^"\\]|\\.)*"()`),
	regexp.MustCompile(`(unable to cast )"(?:[^"\\]|\\.)*"`),
	regexp.MustCompile(`(can't convert |invalid syntax: )"(?:[^"\\]|\\.)*"`),
}

var (
	calledFunction = regexp.MustCompile(`error calling (\w+): `)
	quoted         = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`")
)

// withoutValues removes values from an error: they may be secret. What fail and
// required say was written by the chart's author to be read, and stays.
func withoutValues(text string) string {
	if calls := calledFunction.FindAllStringSubmatchIndex(text, -1); calls != nil {
		last := calls[len(calls)-1]
		if name := text[last[2]:last[3]]; name != "fail" && name != "required" {
			text = text[:last[1]] + quoted.ReplaceAllString(text[last[1]:], "(value)")
		}
	}
	for _, pattern := range quotedValues {
		text = pattern.ReplaceAllString(text, "${1}(value)${2}")
	}
	return text
}

// schemaReport sorts a schema validator's findings, which come in the order of
// a map, so that the same values give the same words.
func schemaReport(text string) string {
	var out, run []string
	flush := func() {
		slices.Sort(run)
		out, run = append(out, run...), nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "- "):
			run = append(run, line)
		case len(run) > 0 && strings.HasPrefix(line, " "):
			run[len(run)-1] += "\n" + line
		default:
			flush()
			out = append(out, line)
		}
	}
	flush()
	return withoutValues(strings.Join(out, "\n"))
}

// unquoted removes values from a fault about what a template printed.
func unquoted(err error) error {
	var f *manifest.Fault
	if errors.As(err, &f) && f.Code == manifest.InvalidYAML {
		f.Message = withoutValues(f.Message)
	}
	return err
}
