package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxCheckBytes bounds what is parsed here. A parsed file takes some fifty times
// its size; larger ones are left to the renderer, which is a limited process.
const maxCheckBytes = 1 << 20

// overlaysDir holds the overlays of a raw bundle, each in a directory of its own.
const overlaysDir = "overlays/"

// patchMark in the name of an overlay's file says that it patches another.
const patchMark = "_patch."

// isManifest tells whether a file of a raw bundle is read as Kubernetes objects.
func isManifest(name string) bool {
	return (isYAML(name) || strings.HasSuffix(name, ".json")) && !isOptionsFile(path.Base(name))
}

// judgeManifests checks that every manifest of a raw bundle holds Kubernetes
// objects. A bundle that any customization makes a chart or a kustomization is
// left to its renderer, which knows which files are objects.
func (r *reading) judgeManifests(files []File, kinds []Kind) {
	if !onlyRaw(kinds) {
		return
	}
	charts, found := chartDirs(files), 0
	for _, f := range files {
		if !isManifest(f.Path) || inCharts(charts, f.Path) || len(f.Data) > maxCheckBytes || tooDense(f.Data) || found >= maxProblems {
			continue // what is too large to be parsed here is left to the renderer
		}
		file := path.Join(r.c.dir, f.Path)
		var problems []Problem
		switch {
		case !strings.HasPrefix(f.Path, overlaysDir):
			problems = CheckManifest(file, f.Data)
		case !inOverlays(r.overlays, f.Path): // nobody chooses it
		case strings.Contains(path.Base(f.Path), patchMark):
			problems = checkYAML(file, f.Data, nil)
		default:
			problems = CheckManifest(file, f.Data)
		}
		found += len(problems)
		r.add(problems...)
	}
}

// chartDirs are the directories below the bundle's that hold charts: as with
// Fleet their files are no manifests of the bundle.
func chartDirs(files []File) []string {
	var dirs []string
	for _, f := range files {
		if dir, is := strings.CutSuffix(f.Path, "/Chart.yaml"); is {
			dirs = append(dirs, dir+"/")
		}
	}
	return dirs
}

func inCharts(dirs []string, file string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(file, dir) })
}

// CheckManifest reports what in a YAML or JSON file is no Kubernetes object,
// with file and line. Empty documents are fine.
func CheckManifest(file string, data []byte) []Problem {
	return checkYAML(file, data, func(n *yaml.Node) []Problem { return checkDocument(file, n) })
}

// checkYAML parses a YAML or JSON file and has each document judged.
func checkYAML(file string, data []byte, judge func(*yaml.Node) []Problem) []Problem {
	if strings.HasSuffix(file, ".json") {
		if p := checkJSON(file, data); p != nil {
			return []Problem{*p}
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var problems []Problem
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return problems
		}
		if err != nil {
			return append(problems, yamlProblem(file, err))
		}
		if p := checkBudget(file, &doc); p != nil {
			return append(problems, *p)
		}
		if judge != nil {
			problems = append(problems, judge(doc.Content[0])...)
		}
		if len(problems) >= maxProblems {
			return problems[:maxProblems]
		}
	}
}

// checkJSON finds what JSON forbids and YAML allows, such as a trailing comma.
func checkJSON(file string, data []byte) *Problem {
	var v any
	err := json.Unmarshal(data, &v)
	var syntax *json.SyntaxError
	if err == nil || len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	line := 1
	if errors.As(err, &syntax) {
		line += bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	}
	p := errorAt(Position{File: file, Line: line}, CodeInvalidYAML, "is not valid JSON: "+err.Error())
	return &p
}

// What is said of documents that are no objects at all.
const (
	noObject = ", not a Kubernetes object"
	noKind   = "is not a Kubernetes object: apiVersion and kind are missing or no text"
)

// checkDocument is checkObject for what is not in a list: a document that is no
// object at all is most often meant for something else.
func checkDocument(file string, n *yaml.Node) []Problem {
	problems := checkObject(file, n)
	for i, p := range problems {
		if len(problems) == 1 && p.Line == n.Line && (p.Message == noKind || strings.HasSuffix(p.Message, noObject)) {
			problems[i].Suggestion = "is it a values file? name it in helm.valuesFiles, or list it in " + ignoreFile
		}
	}
	return problems
}

func says(n *yaml.Node) bool { return n != nil && kindOf(n) == kindString && n.Value != "" }

func checkObject(file string, n *yaml.Node) []Problem {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	at := Position{File: file, Line: n.Line, Column: n.Column}
	if kindOf(n) == kindNull {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return []Problem{errorAt(at, CodeInvalidObject, fmt.Sprintf("is %s%s", kindOf(n), noObject))}
	}
	w := newWalker(file)
	fields := map[string]*yaml.Node{}
	w.pairs(n, "", func(k, v *yaml.Node) { fields[k.Value] = v })
	switch hasVersion, hasKind := says(fields["apiVersion"]), says(fields["kind"]); {
	case !hasVersion && !hasKind:
		w.report(n, CodeInvalidObject, noKind)
		return w.problems
	case !hasVersion:
		w.report(n, CodeInvalidObject, "is not a Kubernetes object: apiVersion is missing or no text")
	case !hasKind:
		w.report(n, CodeInvalidObject, "is not a Kubernetes object: kind is missing or no text")
	}
	if items := fields["items"]; items != nil && items.Kind == yaml.SequenceNode && fields["kind"] != nil && strings.HasSuffix(fields["kind"].Value, "List") {
		for _, item := range items.Content {
			if len(w.problems) >= maxProblems {
				break
			}
			w.problems = append(w.problems, checkObject(file, item)...)
		}
		return w.problems
	}
	checkMetadata(w, n, fields["metadata"])
	return w.problems
}

func checkMetadata(w *walker, object, metadata *yaml.Node) {
	if metadata == nil || kindOf(metadata) != kindMap {
		w.report(object, CodeInvalidObject, "is not a Kubernetes object: metadata is missing or no map")
		return
	}
	if metadata.Kind == yaml.AliasNode {
		metadata = metadata.Alias
	}
	named := false
	w.pairs(metadata, "metadata", func(k, v *yaml.Node) { named = named || k.Value == "name" && kindOf(v) == kindString && v.Value != "" })
	if !named {
		w.report(metadata, CodeInvalidObject, "has no metadata.name, or one that is no text")
	}
}
