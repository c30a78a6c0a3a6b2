package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/targets"
	"sigs.k8s.io/yaml"
)

// noUID stands for the uid a Bundle will get on a hub.
const noUID = "00000000-0000-0000-0000-000000000000"

// print writes one bundle's objects: to stdout, or to a file per cluster and bundle.
func (r *rendering) print(b *bundle.Bundle, c targets.Cluster, item content.Item) error {
	text, err := r.stream(b, item)
	if err != nil {
		return err
	}
	if !r.options.All {
		_, err := r.app.Out.Write(text)
		return err
	}
	name := path.Join(c.Workspace, c.Name, b.Name+".yaml")
	if !isWrittenName(name) {
		return fmt.Errorf("write what %s is given: %q is no file below %s", c.Key(), name, r.options.Output)
	}
	if err := r.written.write(name, text); err != nil {
		return fmt.Errorf("write what %s is given: %w", c.Key(), err)
	}
	return nil
}

// stream is the YAML of a bundle, in apply order.
func (r *rendering) stream(b *bundle.Bundle, item content.Item) ([]byte, error) {
	sources := sourcesOf(b, item, r.named.in(b))
	var out bytes.Buffer
	for _, i := range inTurn(item.Objects) {
		object := item.Objects[i]
		text, err := r.document(object)
		if err != nil {
			return nil, fmt.Errorf("print %s of bundle %s: %w", object.Key, b.Name, err)
		}
		fmt.Fprintf(&out, "---\n# bundle: %s source: %s\n%s%s", b.Name, sources[i], hookComment(object), volatileComments(item, object))
		out.Write(text)
	}
	return out.Bytes(), nil
}

func (r *rendering) document(object content.Object) ([]byte, error) {
	if !r.options.WithMetadata && len(object.Volatile) == 0 {
		return yaml.JSONToYAML(object.Manifest)
	}
	var fields map[string]any
	if err := manifest.DecodeJSON(object.Manifest, &fields); err != nil {
		return nil, err
	}
	maskVolatile(object, fields)
	if r.options.WithMetadata {
		metadata, ok := fields["metadata"].(map[string]any)
		if !ok {
			return nil, errors.New("it has no metadata")
		}
		add(metadata, "labels", v1alpha1.LabelBundle, noUID[:13])
		add(metadata, "annotations", v1alpha1.AnnotationOwner, noUID+"/")
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(data)
}

func add(metadata map[string]any, field, key, value string) {
	pairs, ok := metadata[field].(map[string]any)
	if !ok {
		pairs = map[string]any{}
	}
	pairs[key] = value
	metadata[field] = pairs
}

// copiedFromHub is where objects come from that the options file copies from the hub.
const copiedFromHub = "downstreamResources"

// sourcesOf finds the file each object was written in. What Muster itself adds
// comes from the options file; what Kustomize makes of several files, and knows
// by its kustomization only, is traced to the file that holds the object's name.
func sourcesOf(b *bundle.Bundle, item content.Item, named map[string]string) []string {
	sources := make([]string, len(item.Objects))
	for i, object := range item.Objects {
		group, kind, _, name := object.Key.Split()
		file := item.Files[object.Key]
		if written := named[group+"/"+kind+"/"+name]; written != "" && isKustomization(file) {
			file = written
		}
		if object.Role == content.RoleReleaseNamespace || file == copiedFromHub {
			file = b.OptionsFile
		}
		sources[i] = path.Join(b.Path, file)
	}
	return sources
}

// lastNamed remembers the names of the bundle printed last: its clusters come one after another.
type lastNamed struct {
	bundle *bundle.Bundle
	names  map[string]string
}

func (l *lastNamed) in(b *bundle.Bundle) map[string]string {
	if l.bundle != b {
		l.bundle, l.names = b, namedIn(b.Files)
	}
	return l.names
}

func isKustomization(file string) bool {
	base := strings.ToLower(path.Base(file))
	return base == "kustomization" || base == "kustomization.yaml" || base == "kustomization.yml"
}

// namedIn maps group/kind/name to the first file of a bundle that holds it: a
// base comes before the overlays that patch it.
func namedIn(files []bundle.File) map[string]string {
	named := map[string]string{}
	for _, f := range files {
		objects, err := manifest.Decode(f.Path, f.Data, manifest.Options{Lenient: true})
		if err != nil {
			continue // a template, or no manifest at all
		}
		for _, o := range objects {
			if key := o.Group + "/" + o.Kind + "/" + o.Name; named[key] == "" {
				named[key] = f.Path
			}
		}
	}
	return named
}

// mergeLabels lays labels over others.
func mergeLabels(base, over map[string]string) map[string]string {
	merged := maps.Clone(base)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, over)
	return merged
}

// yamlToJSON reads one document; values have to be a map.
func yamlToJSON(data []byte) ([]byte, error) {
	var values map[string]any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, err
	}
	return json.Marshal(values)
}
