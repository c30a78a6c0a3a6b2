package raw

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/runtime/schema"
	numbers "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// printed are pieces of objects in the errors of merges; they may hold values.
var printed = regexp.MustCompile(`(?s)(map: )?map\[.*\]`)

// patched applies every document of a patch file to the documents of its target.
func (s *source) patched(documents []manifest.Document, p bundle.File) ([]manifest.Document, error) {
	patches, err := manifest.Documents(p.Path, p.Data)
	if err != nil {
		return nil, err
	}
	for _, one := range patches {
		if documents, err = s.patchedOnce(documents, p.Path, one); err != nil {
			return nil, err
		}
	}
	return documents, nil
}

func (s *source) patchedOnce(documents []manifest.Document, file string, patch manifest.Document) ([]manifest.Document, error) {
	t := target{source: s, documents: documents}
	place, reason := t.find(patch.Value)
	if place == nil {
		return nil, manifest.NewFault(file, patch.Line, manifest.InvalidOption, "%s", reason)
	}
	merged, err := applied(*place, patch.Value)
	if err != nil {
		fault := manifest.NewFault(file, patch.Line, manifest.InvalidOption, "patch of %s: %s", s.name, printed.ReplaceAllString(err.Error(), "an item"))
		fault.Panicked = errors.Is(err, errPanicked)
		return nil, fault
	}
	*place = merged
	return t.kept(), nil
}

// target are the documents of a file, of which a patch means one or an item of one.
type target struct {
	*source
	documents []manifest.Document
}

// find returns where the object stands that a patch means, or why there is none.
// In a file of one document it is that document, as in Fleet.
func (t target) find(patch any) (place *any, reason string) {
	if _, isMap := patch.(map[string]any); !isMap {
		if _, isList := patch.([]any); !isList {
			return nil, "not a patch: want a list of operations, or a mapping"
		}
		if len(t.documents) != 1 {
			return nil, fmt.Sprintf("a JSON patch changes the one object of a file, and %s holds %d; write a patch with kind and metadata.name", t.name, len(t.documents))
		}
		return &t.documents[0].Value, ""
	}
	want := identityOf(patch)
	for i := range t.documents {
		if found := search(&t.documents[i].Value, want); found != nil {
			return found, ""
		}
	}
	if len(t.documents) == 1 && want.fits(identityOf(t.documents[0].Value)) {
		return &t.documents[0].Value, ""
	}
	if want.kind == "" || want.name == "" {
		return nil, fmt.Sprintf("%s holds %d objects: the patch has to name one by kind and metadata.name", t.name, len(t.documents))
	}
	return nil, fmt.Sprintf("%s holds no %s %s to patch", t.name, want.kind, want.name)
}

// search finds the object of this name in a value, items of Lists included.
func search(value *any, want identity) *any {
	have := identityOf(*value)
	if want.name != "" && want.name == have.name && want.kind != "" && want.fits(have) {
		return value
	}
	body, _ := (*value).(map[string]any)
	items, _ := body["items"].([]any)
	if !strings.HasSuffix(have.kind, "List") {
		return nil
	}
	for i := range items {
		if found := search(&items[i], want); found != nil {
			return found
		}
	}
	return nil
}

// identity is how a patch names an object.
type identity struct{ apiVersion, kind, namespace, name string }

func identityOf(value any) identity {
	body, _ := value.(map[string]any)
	metadata, _ := body["metadata"].(map[string]any)
	var id identity
	id.apiVersion, _ = body["apiVersion"].(string)
	id.kind, _ = body["kind"].(string)
	id.namespace, _ = metadata["namespace"].(string)
	id.name, _ = metadata["name"].(string)
	return id
}

// fits tells whether what a patch says of the type and namespace is so; what it leaves out is.
func (id identity) fits(have identity) bool {
	return (id.kind == "" || id.kind == have.kind) &&
		(id.apiVersion == "" || schema.FromAPIVersionAndKind(id.apiVersion, "").Group == schema.FromAPIVersionAndKind(have.apiVersion, "").Group) &&
		(id.namespace == "" || have.namespace == "" || id.namespace == have.namespace)
}

// kept are the documents that a patch left something of.
func (t target) kept() []manifest.Document {
	var kept []manifest.Document
	for _, d := range t.documents {
		body, isMap := d.Value.(map[string]any)
		if d.Value == nil || isMap && len(body) == 0 {
			continue
		}
		if items, isList := body["items"].([]any); isList && strings.HasSuffix(identityOf(d.Value).kind, "List") {
			body["items"] = withoutEmpty(items)
		}
		kept = append(kept, d)
	}
	return kept
}

func withoutEmpty(items []any) []any {
	kept := []any{}
	for _, item := range items {
		if body, isMap := item.(map[string]any); item != nil && (!isMap || len(body) > 0) {
			kept = append(kept, item)
		}
	}
	return kept
}

// errPanicked stands for what a library said when it gave up.
var errPanicked = errors.New("it cannot be applied")

// applied chooses by what the patch is and whether Kubernetes knows the kind.
func applied(object, patch any) (merged any, err error) {
	defer func() {
		if r := recover(); r != nil {
			merged, err = nil, errPanicked
		}
	}()
	operations, isList := patch.([]any)
	if isList {
		return operated(object, operations)
	}
	over := patch.(map[string]any) // find saw to it
	if over["$patch"] == "delete" {
		return nil, nil
	}
	id := identityOf(object)
	known, err := scheme.Scheme.New(schema.FromAPIVersionAndKind(id.apiVersion, id.kind))
	if err != nil {
		return mergedOver(object, over), nil // a custom kind has no strategy
	}
	return strategic(object, over, known)
}

// operated applies a JSON patch (RFC 6902).
func operated(object any, operations []any) (any, error) {
	document, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(operations)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return nil, fmt.Errorf("not a list of operations: %w", err)
	}
	changed, err := patch.Apply(document)
	if err != nil {
		return nil, err
	}
	var merged any
	err = manifest.DecodeJSON(changed, &merged)
	return merged, err
}

// mergedOver applies a JSON merge patch (RFC 7386): mappings merge, null removes, all else replaces.
func mergedOver(base any, over map[string]any) any {
	body, ok := base.(map[string]any)
	if !ok {
		body = map[string]any{}
	}
	for key, value := range over {
		switch value := value.(type) {
		case nil:
			delete(body, key)
		case map[string]any:
			body[key] = mergedOver(body[key], value)
		default:
			body[key] = value
		}
	}
	return body
}

// strategic applies a strategic merge patch by the tags of the kind's own type.
func strategic(object any, over map[string]any, kind any) (any, error) {
	base, err := plain(object)
	if err != nil {
		return nil, err
	}
	patch, err := plain(over)
	if err != nil {
		return nil, err
	}
	merged, err := strategicpatch.StrategicMergeMapPatch(base, patch, kind)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	var value any
	err = manifest.DecodeJSON(text, &value)
	return value, err
}

// plain has numbers as the API server's own merge knows them.
func plain(value any) (map[string]any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var body map[string]any
	err = numbers.Unmarshal(text, &body)
	return body, err
}
