package bundle

import (
	"encoding/json"
	"fmt"
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
	d.resetModes()
	if hasCode(d.problems, CodeInvalidValue) {
		d.dropWindows() // a bad duration ends the decoding in the midst of them
	}
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

func (d *decoded) dropWindows() {
	d.Windows = nil
	for i := range d.TargetCustomizations {
		d.TargetCustomizations[i].Windows = nil
	}
}

// resetModes keeps an empty drift.mode of a customization apart from none.
func (d *decoded) resetModes() {
	for i, c := range d.TargetCustomizations {
		_, said := d.where[fmt.Sprintf("targetCustomizations[%d].drift.mode", i)]
		if said && c.Drift != nil && c.Drift.Mode == "" {
			c.Drift.Mode = v1alpha1.DriftReset
		}
	}
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

// isReset tells whether a text of a customization takes back what the bundle says.
func isReset(s string) bool { return s == "" || s == "-" }
