package kustomize

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

const (
	// maxDepth of kustomizations that include each other.
	maxDepth = 64
	// maxBuilt is how many kustomizations a build may build, each as often as it
	// is included: two that include two that include two are a bomb.
	maxBuilt = 1000
)

// scan walks from one kustomization to everything it reaches.
type scan struct {
	files    map[string][]byte
	dirs     map[string]bool
	progress func(file string)
	visited  map[string]bool
	// built counts what building a directory builds, itself included.
	built   map[string]int
	tainted bool
	// written is the text of the files that were changed here: lines count in it.
	written map[string][]byte
}

func newScan(files []bundle.File, progress func(string)) *scan {
	s := &scan{files: map[string][]byte{}, dirs: map[string]bool{".": true}, visited: map[string]bool{}, built: map[string]int{}, written: map[string][]byte{}, progress: progress}
	for _, f := range files {
		s.files[f.Path] = f.Data
		for dir := path.Dir(f.Path); dir != "." && dir != "/"; dir = path.Dir(dir) {
			s.dirs[dir] = true
		}
	}
	return s
}

// find returns the kustomization of a directory, or "".
func (s *scan) find(dir string) string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if _, ok := s.files[path.Join(dir, name)]; ok {
			return path.Join(dir, name)
		}
	}
	return ""
}

// checkAliases looks at every file, since any of them may be named as a
// resource, and at texts within them, since patches are YAML within YAML.
func (s *scan) checkAliases() error {
	names := make([]string, 0, len(s.files))
	for name := range s.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s.tell(name)
		if err := manifest.CheckNestedAliases(name, s.files[name]); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) tell(file string) {
	if s.progress != nil {
		s.progress(file)
	}
}

// textOf is a file as its author wrote it.
func (s *scan) textOf(file string) []byte {
	if text, changed := s.written[file]; changed {
		return text
	}
	return s.files[file]
}

// kustomization judges the one in dir, which the file from names, and returns its file.
func (s *scan) kustomization(dir, from string) (string, error) {
	file := s.find(dir)
	if file == "" {
		return "", manifest.NewFault(from, 0, manifest.InvalidOption, "%s holds no kustomization.yaml", dir)
	}
	if s.visited[dir] {
		return file, nil // a cycle is kustomize's to report
	}
	s.visited[dir] = true
	if len(s.visited) > maxDepth {
		return "", manifest.NewFault(file, 0, manifest.LimitExceeded, "more than %d kustomizations", maxDepth)
	}
	s.tell(file)
	k, err := s.read(file)
	if err != nil {
		return "", err
	}
	s.built[dir] = 1
	if err := k.judge(); err != nil {
		return "", err
	}
	if err := checkFields(file, k.top); err != nil {
		return "", err
	}
	if s.built[dir] > maxBuilt {
		return "", manifest.NewFault(file, 0, manifest.LimitExceeded, "it includes more than %d kustomizations, counting each as often as it is included", maxBuilt)
	}
	return file, nil
}

func (s *scan) read(file string) (kustomization, error) {
	top := document(s.textOf(file))
	var value any
	if err := yaml.UnmarshalStrict(s.files[file], &value); err != nil {
		return kustomization{}, manifest.YAMLFault(file, err)
	}
	body, ok := value.(map[string]any)
	if !ok && value != nil {
		return kustomization{}, manifest.NewFault(file, 1, manifest.InvalidYAML, "not a kustomization: want a mapping")
	}
	body, _ = folded(body).(map[string]any)
	return kustomization{scan: s, file: file, dir: path.Dir(file), body: body, top: top}, nil
}

// addManifests puts a chart's output in as a resource. The file is there even if
// nothing was printed, since a kustomization may name it.
func (s *scan) addManifests(dir string, manifests []byte) error {
	s.files[path.Join(dir, ManifestsFile)] = manifests
	if len(manifests) == 0 {
		return nil
	}
	file := s.find(dir)
	if file == "" {
		return manifest.NewFault("", 0, manifest.InvalidOption, "%s holds no kustomization.yaml", dir)
	}
	body := map[string]any{}
	if err := yaml.Unmarshal(s.files[file], &body); err != nil {
		return manifest.YAMLFault(file, err)
	}
	field := spelt(body, "resources")
	resources, _ := body[field].([]any)
	if slices.Contains(resources, any(ManifestsFile)) || slices.Contains(resources, any("./"+ManifestsFile)) {
		return nil
	}
	body[field] = append([]any{ManifestsFile}, resources...)
	data, err := yaml.Marshal(body)
	if err != nil {
		return manifest.NewFault(file, 0, manifest.RenderFailed, "add %s: %v", ManifestsFile, err)
	}
	s.files[file], s.written[file] = data, s.files[file]
	return nil
}

// spelt is a field as it is written, since kustomize does not mind case: beside
// one written otherwise another would take its place.
func spelt(body map[string]any, field string) string {
	for key := range body {
		if strings.EqualFold(key, field) {
			return key
		}
	}
	return field
}

// kustomization is one file under judgement.
type kustomization struct {
	*scan
	file string
	dir  string
	body map[string]any
	// top is what stands in the file, for its lines.
	top *yamlnode.Node
}

// Fields of a kustomization by what their entries are.
var (
	// Directories or files, and kustomize would clone or fetch what looks remote.
	includes = []string{"resources", "bases", "components"}
	// Files.
	fileLists = []string{"crds", "configurations"}
	// Configurations of plugins: files, directories or texts.
	plugins = []string{"generators", "transformers", "validators"}
	// Lists of {path: file}.
	pathLists = []string{"patches", "patchesJson6902", "replacements"}
	// Lists of {files, envs, env}.
	dataLists = []string{"configMapGenerator", "secretGenerator"}
	// Helm runs as a program from within kustomize.
	helmFields = []string{"helmCharts", "helmChartInflationGenerator", "helmGlobals"}
)

// value of a field, however it is spelt.
func (k kustomization) value(field string) any { return k.body[strings.ToLower(field)] }

func (k kustomization) judge() error {
	for _, field := range helmFields {
		if k.value(field) != nil {
			return k.placed(field, "", k.fault(manifest.ExecRefused, "%s runs helm; use the bundle's own helm options", field))
		}
	}
	k.scan.tainted = k.scan.tainted || k.value("openapi") != nil || k.value("crds") != nil
	steps := []func() error{k.judgeIncludes, k.judgeFiles, k.judgePatches, k.judgeData, k.judgePlugins}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (k kustomization) judgeIncludes() error {
	for _, field := range includes {
		for _, entry := range stringList(k.value(field)) {
			target, err := k.resolve(field, entry)
			if err != nil {
				return err
			}
			if s := k.scan; s.dirs[target] && s.files[target] == nil {
				if _, err := s.kustomization(target, k.file); err != nil {
					return k.placed(field, entry, err)
				}
				s.built[k.dir] += s.built[target]
			}
		}
	}
	return nil
}

func (k kustomization) judgeFiles() error {
	for _, field := range fileLists {
		if err := k.resolveAll(field, stringList(k.value(field))); err != nil {
			return err
		}
	}
	openapi, _ := k.value("openapi").(map[string]any)
	if name, ok := openapi["path"].(string); ok {
		return k.resolveAll("openapi.path", []string{name})
	}
	return nil
}

func (k kustomization) judgePatches() error {
	for _, entry := range stringList(k.value("patchesStrategicMerge")) {
		if isInline(entry) {
			continue
		}
		if _, err := k.resolve("patchesStrategicMerge", entry); err != nil {
			return err
		}
	}
	for _, field := range pathLists {
		for _, item := range maps(k.value(field)) {
			if name, ok := item["path"].(string); ok && name != "" {
				if _, err := k.resolve(field, name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// judgeData looks at files of generators, written as path or key=path.
func (k kustomization) judgeData() error {
	for _, field := range dataLists {
		for _, item := range maps(k.value(field)) {
			if err := k.judgeSources(field, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k kustomization) judgeSources(field string, item map[string]any) error {
	names := slices.Concat(stringList(item["envs"]), stringList([]any{item["env"]}))
	for _, entry := range stringList(item["files"]) {
		if _, after, keyed := strings.Cut(entry, "="); keyed {
			entry = after
		}
		names = append(names, entry)
	}
	return k.resolveAll(field, names)
}

func (k kustomization) resolveAll(field string, names []string) error {
	for _, name := range names {
		if _, err := k.resolve(field, name); err != nil {
			return err
		}
	}
	return nil
}

// placed gives a fault of this file the line of the entry that it is about. That
// costs a walk through the file, so nobody does it before there is a fault.
func (k kustomization) placed(field, entry string, err error) error {
	var fault *manifest.Fault
	if errors.As(err, &fault) && fault.File == k.file && fault.Line == 0 {
		fault.Line = lineOf(k.top, field, entry)
	}
	return err
}

func (k kustomization) resolve(field, entry string) (string, error) {
	target, err := k.target(field, entry)
	return target, k.placed(field, entry, err)
}

// target turns what an entry names into a path of the bundle, and refuses
// everything that is none: kustomize takes what it does not find for an address.
func (k kustomization) target(field, entry string) (string, error) {
	target := path.Join(k.dir, entry)
	_, isFile := k.files[target]
	exists := isFile || k.dirs[target]
	switch {
	case strings.Contains(entry, "://") || strings.Contains(entry, "::"):
		return "", k.fault(manifest.RemoteRefused, "%s: %q would be fetched while rendering; commit it to the repository", field, entry)
	case path.IsAbs(entry) || !inside(target):
		return "", k.fault(manifest.PathRefused, "%s: %q leaves the bundle", field, entry)
	case exists:
		return target, nil
	case looksRemote(entry):
		return "", k.fault(manifest.RemoteRefused, "%s: %q would be fetched while rendering; commit it to the repository", field, entry)
	}
	return "", k.fault(manifest.InvalidOption, "%s: %q is not in the bundle", field, entry)
}

// looksRemote recognises the short forms of git addresses kustomize accepts.
func looksRemote(entry string) bool {
	host, _, _ := strings.Cut(entry, "/")
	return strings.ContainsAny(entry, "@?") || strings.Contains(entry, ".git") || (strings.Contains(host, ".") && strings.Trim(host, ".") != "" && strings.Contains(entry, "/"))
}

func (k kustomization) fault(code, format string, args ...any) error {
	return manifest.NewFault(k.file, 0, code, "%s", fmt.Sprintf(format, args...))
}

// isInline tells a text from a path.
func isInline(entry string) bool {
	return strings.Contains(entry, "\n") || strings.HasPrefix(strings.TrimSpace(entry), "{")
}

// folded returns v with the keys of its mappings in lower case, since kustomize
// matches them without regard to case; values of keys that become equal are
// joined, so that none escapes judgement.
func folded(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = folded(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			key, value = strings.ToLower(key), folded(value)
			if other, taken := out[key]; taken {
				value = append(asList(other), asList(value)...)
			}
			out[key] = value
		}
		return out
	}
	return v
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func stringList(v any) []string {
	items, _ := v.([]any)
	var list []string
	for _, item := range items {
		if s, ok := item.(string); ok && s != "" {
			list = append(list, s)
		}
	}
	return list
}

func maps(v any) []map[string]any {
	items, _ := v.([]any)
	var list []map[string]any
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}
