package bundle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"sigs.k8s.io/yaml"
)

// optionsFile is everything fleet.yaml may say.
type optionsFile struct {
	Name                   string            `json:"name,omitempty"`
	Labels                 map[string]string `json:"labels,omitempty"`
	v1alpha1.BundleOptions `json:",inline"`

	TargetCustomizations    []v1alpha1.Customization   `json:"targetCustomizations,omitempty"`
	TargetCustomizationMode v1alpha1.CustomizationMode `json:"targetCustomizationMode,omitempty"`
	// Targets is what Fleet called targetCustomizations at first; it still reads both.
	Targets         []v1alpha1.Customization  `json:"targets,omitempty"`
	OverrideTargets []v1alpha1.Target         `json:"overrideTargets,omitempty"`
	DependsOn       []v1alpha1.Dependency     `json:"dependsOn,omitempty"`
	RolloutStrategy *v1alpha1.RolloutStrategy `json:"rolloutStrategy,omitempty"`
	Rollout         *v1alpha1.RolloutOptions  `json:"rollout,omitempty"`
	Paused          bool                      `json:"paused,omitempty"`
	ImageScans      []json.RawMessage         `json:"imageScans,omitempty"`
}

// decoded is an options file with where everything stands in it.
type decoded struct {
	optionsFile
	where    map[string]Position
	problems []Problem
}

// decodeOptions reads an options file strictly. With an error among the
// problems the rest is as complete as it could be made.
func decodeOptions(file string, data []byte) decoded {
	doc, problem := parseOne(file, data)
	if problem != nil {
		return decoded{problems: []Problem{*problem}}
	}
	d := decoded{where: map[string]Position{}}
	if doc == nil {
		return d
	}
	w := newWalker(file)
	w.walkRoot(doc, &d.optionsFile)
	d.where, d.problems = w.where, w.problems
	// The walker has judged types with positions; the values themselves are read
	// as Fleet and Helm read them, YAML 1.1 booleans included. What does not fit is
	// left out and the rest is judged too, so that one run shows every fault.
	if err := unmarshal(data, &d.optionsFile); err != nil && !hasError(d.problems) {
		d.problems = append(d.problems, errorAt(Position{File: file, Line: 1, Column: 1}, CodeWrongType, "cannot be read: "+err.Error()))
	}
	d.adoptOldTargets(file)
	d.problems = append(d.problems, d.judge(file)...)
	return d
}

// unmarshal goes through JSON without a look at the type: sigs.k8s.io/yaml would
// make empty blocks for keys of the same name further down.
func unmarshal(data []byte, into any) error {
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		return err
	}
	return json.Unmarshal(asJSON, into)
}

// adoptOldTargets puts Fleet's old key before the new one, as Fleet does.
func (d *decoded) adoptOldTargets(file string) {
	if len(d.Targets) == 0 {
		return
	}
	d.problems = append(d.problems, warningAt(d.at(file, "targets"), CodeDeprecated, "targets is the old name of targetCustomizations"))
	moved := map[string]Position{}
	for key, pos := range d.where {
		old, isOld := strings.CutPrefix(key, "targets[")
		if isOld {
			moved["targetCustomizations["+old] = pos
			continue
		}
		moved[shiftIndex(key, "targetCustomizations", len(d.Targets))] = pos
	}
	d.TargetCustomizations = append(d.Targets, d.TargetCustomizations...)
	d.Targets, d.where = nil, moved
}

// shiftIndex adds n to the index of list in a key such as "list[2].field".
func shiftIndex(key, list string, n int) string {
	rest, ok := strings.CutPrefix(key, list+"[")
	if !ok {
		return key
	}
	var i int
	if _, err := fmt.Sscanf(rest, "%d]", &i); err != nil {
		return key
	}
	return fmt.Sprintf("%s[%d]%s", list, i+n, rest[strings.IndexByte(rest, ']')+1:])
}

// at returns where a key stands, or the nearest key above it.
func (d *decoded) at(file, key string) Position {
	for key != "" {
		if pos, ok := d.where[key]; ok {
			return pos
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	if file == "" {
		return Position{}
	}
	return Position{File: file, Line: 1, Column: 1}
}

// judge looks at values the types alone do not rule out.
func (d *decoded) judge(file string) []Problem {
	var problems []Problem
	reject := func(key, format string, args ...any) {
		problems = append(problems, errorAt(d.at(file, key), CodeInvalidValue, key+": "+fmt.Sprintf(format, args...)))
	}
	if d.Name != "" && !isName(d.Name) {
		reject("name", "%.80q is not a name: lower-case letters, digits, - and ., at most 63", d.Name)
	}
	switch d.TargetCustomizationMode {
	case "", v1alpha1.FirstMatch, v1alpha1.AllMatches:
	default:
		reject("targetCustomizationMode", "%q is neither FirstMatch nor AllMatches", string(d.TargetCustomizationMode))
	}
	judgeOptions(d.BundleOptions, "", reject)
	for i, c := range d.TargetCustomizations {
		prefix := fmt.Sprintf("targetCustomizations[%d].", i)
		judgeOptions(c.BundleOptions, prefix, reject)
		judgeCriteria(c.Criteria, prefix, reject)
	}
	for i, t := range d.OverrideTargets {
		judgeCriteria(t.Criteria, fmt.Sprintf("overrideTargets[%d].", i), reject)
	}
	for i, dep := range d.DependsOn {
		judgeDependency(dep, fmt.Sprintf("dependsOn[%d]", i), reject)
	}
	return problems
}

// acceptedStates are Fleet's names of bundle states.
var acceptedStates = map[string]bool{
	"Ready": true, "NotReady": true, "Pending": true, "OutOfSync": true, "Modified": true, "WaitApplied": true, "ErrApplied": true,
}

func judgeDependency(dep v1alpha1.Dependency, key string, reject func(string, string, ...any)) {
	if dep.Name == "" && dep.Selector == nil {
		reject(key, "names no bundle: set name or selector")
	}
	for i, state := range dep.AcceptedStates {
		if !acceptedStates[state] {
			reject(fmt.Sprintf("%s.acceptedStates[%d]", key, i), "%q is no state of a bundle", state)
		}
	}
}

var labelOfNamespace = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

func judgeOptions(o v1alpha1.BundleOptions, prefix string, reject func(string, string, ...any)) {
	for key, value := range map[string]*string{"namespace": o.Namespace, "defaultNamespace": o.DefaultNamespace} {
		if value != nil && !isReset(*value) && (len(*value) > 63 || !labelOfNamespace.MatchString(*value)) {
			reject(prefix+key, "%.80q is not the name of a namespace", *value)
		}
	}
	if v := o.ServiceAccount; v != nil && !isReset(*v) && (len(*v) > 253 || !nameSubdomain.MatchString(*v)) {
		reject(prefix+"serviceAccount", "%.80q is not the name of a ServiceAccount", *v)
	}
	judgeDrift(o, prefix, reject)
	for i, w := range o.Windows {
		if strings.Contains(w.Schedule, "=") {
			reject(fmt.Sprintf("%swindows[%d].schedule", prefix, i), "%.80q names a time zone; set timeZone instead", w.Schedule)
		}
	}
	if o.Kustomize != nil {
		judgeLocal(o.Kustomize.Dir, prefix+"kustomize.dir", reject)
	}
	if o.Helm == nil {
		return
	}
	if v := o.Helm.ReleaseName; v != nil && !isReset(*v) && (len(*v) > MaxNameLength || !nameSubdomain.MatchString(*v)) {
		reject(prefix+"helm.releaseName", "%.80q is not a release name: lower-case letters, digits, - and ., at most %d", *v, MaxNameLength)
	}
	for i := range o.Helm.ValuesFiles {
		judgeLocal(&o.Helm.ValuesFiles[i], fmt.Sprintf("%shelm.valuesFiles[%d]", prefix, i), reject)
	}
	if v := o.Helm.Values; v != nil && len(v.Raw) > 0 && v.Raw[0] != '{' && string(v.Raw) != "null" {
		reject(prefix+"helm.values", "is not a map")
	}
}

// judgeDrift compiles what may be a regular expression: names of objects in rules that leave drift out.
func judgeDrift(o v1alpha1.BundleOptions, prefix string, reject func(string, string, ...any)) {
	check := func(key string, patches []v1alpha1.ComparePatch) {
		for i, p := range patches {
			if _, err := regexp.Compile(p.Name); err != nil {
				reject(fmt.Sprintf("%s%s[%d].name", prefix, key, i), "%.80q is no regular expression: %v", p.Name, err)
			}
		}
	}
	if o.Diff != nil {
		check("diff.comparePatches", o.Diff.ComparePatches)
	}
	if o.Drift != nil {
		check("drift.ignore", o.Drift.Ignore)
	}
}

func judgeLocal(value *string, key string, reject func(string, string, ...any)) {
	if value == nil || isReset(*value) {
		return
	}
	if _, err := cleanPath(*value); err != nil {
		reject(key, "%v", err)
	}
}

// isReset tells whether a text of a customization takes back what the bundle says.
func isReset(s string) bool { return s == "" || s == "-" }
