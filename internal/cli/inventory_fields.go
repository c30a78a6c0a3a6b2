package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// codeNotHeeded is a key of Fleet's that says something here is not asked.
const codeNotHeeded = "NotHeeded"

// fieldFault is what is wrong with one field of an object.
type fieldFault struct {
	// field such as spec.targets[0].name
	field, text string
}

func (f *fieldFault) Error() string { return f.text }

// decode reads names, labels and what somebody wants; status and what the API
// server adds say nothing here. It is strict about our own kinds, where an unknown
// field is a misspelling; Fleet's have fields of their own.
func decode(object unstructured.Unstructured, into any) error {
	plain := wanted(object)
	strict := strings.HasPrefix(object.GetAPIVersion(), v1alpha1.Group+"/")
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(plain, into, strict)
	switch {
	case err == nil:
		return nil
	case runtime.IsStrictDecodingError(err):
		var faults []error
		for _, f := range misspelt(err, into) {
			faults = append(faults, f)
		}
		return errors.Join(faults...)
	}
	return wrongType(plain, into, err)
}

// wanted are the fields that people write, as they are.
func wanted(object unstructured.Unstructured) map[string]any {
	fields := map[string]any{}
	for key, value := range object.Object {
		if key != "status" && key != "metadata" {
			fields[key] = value
		}
	}
	written, _, _ := unstructured.NestedFieldNoCopy(object.Object, "metadata")
	metadata := map[string]any{}
	if all, ok := written.(map[string]any); ok {
		for _, key := range []string{"name", "namespace", "labels", "annotations"} {
			if value, ok := all[key]; ok {
				metadata[key] = value
			}
		}
	}
	fields["metadata"] = metadata
	return fields
}

// wrongType names the field, which the converter does not.
func wrongType(plain map[string]any, into any, otherwise error) error {
	data, err := json.Marshal(plain)
	if err != nil {
		return otherwise
	}
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(data, reflect.New(reflect.TypeOf(into).Elem()).Interface()); !errors.As(err, &wrong) || wrong.Field == "" {
		return otherwise
	}
	field := embeddedType.ReplaceAllString(wrong.Field, "")
	return &fieldFault{field, fmt.Sprintf("%s: a %s where a %s is wanted", field, typeWord(wrong.Value), kindWord(wrong.Type))}
}

// embeddedType is a Go type in the name of a field, which nobody writes.
var embeddedType = regexp.MustCompile(`\b[A-Z]\w*\.`)

// typeWord is a JSON type in the words of YAML.
func typeWord(value string) string {
	switch word, _, _ := strings.Cut(value, " "); word {
	case "array":
		return "list"
	case "object":
		return "map"
	case "bool":
		return "boolean"
	default:
		return word
	}
}

func kindWord(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return "list"
	case reflect.Struct, reflect.Map:
		return "map"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	}
	return "number"
}

// unknownField is how the decoder names a field that a type does not have.
var unknownField = regexp.MustCompile(`unknown field "([^"]+)"`)

// misspelt names the nearest field for each that does not exist.
func misspelt(err error, into any) []*fieldFault {
	strict, _ := runtime.AsStrictDecodingError(err)
	var faults []*fieldFault
	for _, e := range strict.Errors() {
		fault := &fieldFault{text: e.Error()}
		if m := unknownField.FindStringSubmatch(fault.text); m != nil {
			fault.field = m[1]
			if near := nearest(lastName(m[1]), fieldNames(reflect.TypeOf(into), map[reflect.Type]bool{})); near != "" {
				fault.text += fmt.Sprintf("; did you mean %s?", near)
			}
		}
		faults = append(faults, fault)
	}
	slices.SortFunc(faults, func(a, b *fieldFault) int { return strings.Compare(a.text, b.text) })
	return faults
}

func lastName(field string) string { return field[strings.LastIndexByte(field, '.')+1:] }

// fieldNames are the JSON names of all fields below a type.
func fieldNames(t reflect.Type, seen map[reflect.Type]bool) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return nil
	}
	seen[t] = true
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
		names = append(names, fieldNames(t.Field(i).Type, seen)...)
	}
	return names
}

// fleetFields are fields of Fleet's kinds that ours do not have and that say
// nothing about which cluster gets what. Kinds that are not here are not looked at.
var fleetFields = map[string][]string{
	"GitRepo": {
		"spec.imageScanInterval", "spec.imageScanCommit", "spec.ociRegistry", "spec.ociRegistrySecret",
		"spec.ociRegistryBasicHTTP", "spec.ociRegistryInsecure", "spec.ociRegistryInsecureSkipTLS", "spec.correctDrift",
	},
	"ClusterGroup":           {},
	"BundleNamespaceMapping": {},
	"GitRepoRestriction":     {},
}

// restrictionFields are those of Fleet's GitRepoRestriction that are not asked here.
var restrictionFields = []string{
	"allowedClientSecretNames", "allowedRepoPatterns", "allowedServiceAccounts", "defaultClientSecretName", "defaultServiceAccount",
}

// warnOfFields tells of fields in Fleet's objects that change nothing here.
func (inv *inventory) warnOfFields(s *stream, object unstructured.Unstructured) {
	kind := object.GetKind()
	harmless, looked := fleetFields[kind]
	if !isFleets(object) || !looked {
		return
	}
	into := map[string]any{
		"GitRepo": &v1alpha1.GitRepo{}, "ClusterGroup": &v1alpha1.ClusterGroup{},
		"BundleNamespaceMapping": &v1alpha1.BundleNamespaceMapping{}, "GitRepoRestriction": &v1alpha1.Policy{},
	}[kind]
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(wanted(object), into, true)
	if !runtime.IsStrictDecodingError(err) {
		return // what is wrong otherwise has been said by who read it
	}
	for _, fault := range misspelt(err, into) {
		if slices.ContainsFunc(harmless, func(known string) bool { return strings.HasPrefix(fault.field+".", known+".") }) {
			continue
		}
		p := v1alpha1.Problem{
			File: s.file, Line: s.line(object, fault.field), Severity: bundle.Warning, Code: bundle.CodeUnknownKey,
			Message: fmt.Sprintf("%s %s: %s", kind, object.GetName(), fault.text),
		}
		if kind == "GitRepoRestriction" && slices.Contains(restrictionFields, fault.field) {
			p.Code, p.Message = codeNotHeeded, fmt.Sprintf("%s %s: %s is not heeded: a Policy limits target namespaces only", kind, object.GetName(), fault.field)
		}
		inv.problems = append(inv.problems, p)
	}
}
