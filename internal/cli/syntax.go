package cli

import (
	"errors"
	"path"
	"regexp"
	"strings"
	"text/template/parse"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// unreadableTemplate tells a value template that nothing can read from one that
// fails for what it is given, or prints what is no YAML then.
func unreadableTemplate(m made) bool {
	var problem *renderer.Problem
	if !errors.As(m.err, &problem) || problem.Code != manifest.InvalidValues || path.Base(problem.File) == "values.schema.json" {
		return false
	}
	for _, executed := range []string{" at <", "after its templates", "gave up"} {
		if strings.Contains(problem.Message, executed) {
			return false
		}
	}
	return true
}

// unknownFunction is how a parser of templates names what it does not know.
var unknownFunction = regexp.MustCompile(`^function "[^"]*" not defined$`)

// unparsed tells whether a chart's template failed before it was executed: no
// cluster changes that.
func unparsed(m made) bool {
	var problem *renderer.Problem
	if !errors.As(m.err, &problem) || problem.Code != manifest.RenderFailed {
		return false
	}
	if unknownFunction.MatchString(problem.Message) {
		return true
	}
	for _, f := range m.bundle.Files {
		if f.Path == problem.File {
			return !parses(string(f.Data))
		}
	}
	return false
}

func parses(text string) bool {
	tree := parse.New("template")
	tree.Mode = parse.SkipFuncCheck
	_, err := tree.Parse(text, "", "", map[string]*parse.Tree{})
	return err == nil
}
