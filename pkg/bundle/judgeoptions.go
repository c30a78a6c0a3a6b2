package bundle

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation"
)

var labelOfNamespace = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

func isNamespace(s string) bool { return len(s) <= 63 && labelOfNamespace.MatchString(s) }

// isAccount tells whether a text can be the name of a service account.
func isAccount(s string) bool { return len(s) <= 253 && nameSubdomain.MatchString(s) }

// judgeOptions looks at the options that the file and its customizations share.
func judgeOptions(o v1alpha1.BundleOptions, prefix string, reject rejecter) {
	for key, value := range map[string]*string{"namespace": o.Namespace, "defaultNamespace": o.DefaultNamespace} {
		if isText(value) && !isNamespace(*value) {
			reject(prefix+key, "%.80q is not the name of a namespace", *value)
		}
	}
	if isText(o.ServiceAccount) && !isAccount(*o.ServiceAccount) {
		reject(prefix+"serviceAccount", "%.80q is not the name of a service account", *o.ServiceAccount)
	}
	judgeLabels(o.NamespaceLabels, prefix+"namespaceLabels", reject)
	for _, k := range slices.Sorted(maps.Keys(o.NamespaceAnnotations)) {
		if problems := validation.IsQualifiedName(strings.ToLower(k)); len(problems) > 0 {
			reject(join(prefix+"namespaceAnnotations", k), "is no name of an annotation: %s", short(problems[0]))
		}
	}
	if o.Kustomize != nil {
		judgeLocal(o.Kustomize.Dir, prefix+"kustomize.dir", reject)
	}
	if o.Helm != nil {
		judgeHelm(*o.Helm, prefix+"helm.", reject)
	}
	judgeReferences(o.HubValuesFrom, prefix+"hubValuesFrom", reject)
	judgeDownstream(o.DownstreamResources, prefix+"downstreamResources", reject)
	judgeWindows(o.Windows, prefix+"windows", reject)
	judgeDrift(o, prefix, reject)
}

func judgeHelm(h v1alpha1.HelmOptions, prefix string, reject rejecter) {
	if v := h.ReleaseName; isText(v) && (len(*v) > MaxNameLength || !nameSubdomain.MatchString(*v)) {
		reject(prefix+"releaseName", "%.80q is not a release name: lower-case letters, digits, - and ., at most %d", *v, MaxNameLength)
	}
	for i := range h.ValuesFiles {
		judgeLocal(&h.ValuesFiles[i], fmt.Sprintf("%svaluesFiles[%d]", prefix, i), reject)
	}
	if v := h.Values; v != nil && len(v.Raw) > 0 && v.Raw[0] != '{' && string(v.Raw) != "null" {
		reject(prefix+"values", "is not a map")
	}
	if n := h.TimeoutSeconds; n != nil && *n < 0 {
		reject(prefix+"timeoutSeconds", "%d is negative", *n)
	}
	judgeReferences(h.ValuesFrom, prefix+"valuesFrom", reject)
}

// judgeReferences wants every entry to name a ConfigMap, a Secret or both.
func judgeReferences(from []v1alpha1.ValuesFrom, key string, reject rejecter) {
	for i, f := range from {
		at := fmt.Sprintf("%s[%d]", key, i)
		if f.ConfigMapKeyRef == nil && f.SecretKeyRef == nil {
			reject(at, "names nothing: set configMapKeyRef or secretKeyRef")
		}
		for name, ref := range map[string]*v1alpha1.KeyRef{"configMapKeyRef": f.ConfigMapKeyRef, "secretKeyRef": f.SecretKeyRef} {
			if ref != nil && (len(ref.Name) > 253 || !nameSubdomain.MatchString(ref.Name)) {
				reject(at+"."+name+".name", "%.80q is not the name of an object", ref.Name)
			}
			if ref != nil && ref.Namespace != "" && !isNamespace(ref.Namespace) {
				reject(at+"."+name+".namespace", "%.80q is not the name of a namespace", ref.Namespace)
			}
		}
	}
}

func judgeDownstream(resources []v1alpha1.DownstreamResource, key string, reject rejecter) {
	for i, d := range resources {
		at := fmt.Sprintf("%s[%d]", key, i)
		if d.Kind != "ConfigMap" && d.Kind != "Secret" {
			reject(at+".kind", "%.80q is neither ConfigMap nor Secret", d.Kind)
		}
		if len(d.Name) > 253 || !nameSubdomain.MatchString(d.Name) {
			reject(at+".name", "%.80q is not the name of an object", d.Name)
		}
	}
}

func judgeWindows(windows []v1alpha1.Window, key string, reject rejecter) {
	for i, w := range windows {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch fields := len(strings.Fields(w.Schedule)); {
		case w.Schedule == "":
			reject(at+".schedule", "is missing")
		case strings.Contains(w.Schedule, "="):
			// The parser of schedules panics on some of these.
			reject(at+".schedule", "%.80q names a time zone; set timeZone instead", w.Schedule)
		case fields != 5 && !strings.HasPrefix(w.Schedule, "@"):
			reject(at+".schedule", "%.80q is no cron expression: want minute, hour, day of month, month, day of week", w.Schedule)
		}
		if w.Kind != "" && w.Kind != "allow" && w.Kind != "deny" {
			reject(at+".kind", "%.80q is neither allow nor deny", w.Kind)
		}
	}
}

// operations are those of JSON Patch that Fleet's comparePatches use, and its own ignore.
var operations = map[string]bool{"remove": true, "replace": true, "add": true, "ignore": true}

func judgeDrift(o v1alpha1.BundleOptions, prefix string, reject rejecter) {
	if o.Diff != nil {
		judgePatches(o.Diff.ComparePatches, prefix+"diff.comparePatches", reject)
	}
	if o.Drift == nil {
		return
	}
	judgePatches(o.Drift.Ignore, prefix+"drift.ignore", reject)
	switch o.Drift.Mode {
	case "", v1alpha1.DriftReport, v1alpha1.DriftCorrect, v1alpha1.DriftOff, v1alpha1.DriftReset:
	default:
		reject(prefix+"drift.mode", "%.80q is none of report, correct, off", string(o.Drift.Mode))
	}
}

func judgePatches(patches []v1alpha1.ComparePatch, key string, reject rejecter) {
	for i, p := range patches {
		at := fmt.Sprintf("%s[%d]", key, i)
		if err := judgePattern(p.Name); err != nil {
			reject(at+".name", "%.80q is no name and no regular expression: %v", p.Name, err)
		}
		for j, pointer := range p.JSONPointers {
			judgePointer(pointer, fmt.Sprintf("%s.jsonPointers[%d]", at, j), reject)
		}
		for j, op := range p.Operations {
			judgeOperation(op, fmt.Sprintf("%s.operations[%d]", at, j), reject)
		}
	}
}

// maxPattern bounds what a regular expression grows to: one of a few hundred
// bytes, a{1000}{1000}, can take a hundred MiB to compile.
const maxPattern = 10_000

func judgePattern(text string) error {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return err
	}
	if patternSize(re) > maxPattern {
		return fmt.Errorf("it grows to more than %d steps", maxPattern)
	}
	return nil
}

// patternSize is about the number of steps a pattern is compiled to, repetitions
// written out; it stops counting beyond maxPattern.
func patternSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		if size += patternSize(sub); size > maxPattern {
			return size
		}
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return size
}

func judgeOperation(op v1alpha1.Operation, key string, reject rejecter) {
	if !operations[op.Op] {
		reject(key+".op", "%.80q is none of remove, replace, add, ignore", op.Op)
	}
	if op.Op != "ignore" {
		judgePointer(op.Path, key+".path", reject)
	}
}

func judgePointer(pointer, key string, reject rejecter) {
	if !strings.HasPrefix(pointer, "/") {
		reject(key, "%.80q is no JSON pointer such as /spec/replicas", pointer)
	}
}

func judgeLocal(value *string, key string, reject rejecter) {
	if value == nil || isReset(*value) {
		return
	}
	if _, err := cleanPath(*value); err != nil {
		reject(key, "%v", err)
	}
}
