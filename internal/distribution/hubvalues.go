package distribution

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// hubInputs are what a row's options name in the workspace on the hub. They
// decide, as options do, whether anything changed.
type hubInputs struct {
	values, copied []json.RawMessage
	digest         string
	refs           []hubRef
	// missing is why the row can have no content now; what runs there stays.
	missing *renderer.Problem
}

// addHubInputs reads what the rows name on the hub, once per distinct options.
func (d *Deployer) addHubInputs(ctx context.Context, w *work) error {
	byOptions := map[string]*hubInputs{}
	var used []hubRef
	for i := range w.rows {
		r := &w.rows[i]
		if r.Err != nil || len(r.Options.HubValuesFrom)+len(r.Options.DownstreamResources) == 0 {
			continue
		}
		in, ok := byOptions[r.key]
		if !ok {
			var err error
			if in, err = d.hubInputs(ctx, w.desired.Bundle, r.Options); err != nil {
				return fmt.Errorf("bundle %s: %w", w.key(), err)
			}
			byOptions[r.key] = in
			used = append(used, in.refs...)
		}
		if r.hub = in; in.missing != nil {
			r.Err = in.missing
			continue
		}
		r.key += "+" + in.digest
	}
	slices.SortFunc(used, compareRefs)
	d.HubObjects.use(w.key(), slices.Compact(used))
	return nil
}

func (d *Deployer) hubInputs(ctx context.Context, b *v1alpha1.Bundle, o v1alpha1.BundleOptions) (*hubInputs, error) {
	in := &hubInputs{}
	for _, v := range bundle.OrderValues(o.HubValuesFrom) {
		if v.Namespace != "" && v.Namespace != b.Namespace {
			in.miss(b, "hubValuesFrom: %s %s lies in namespace %s; on the hub values are read from the bundle's own workspace %s only", v.Kind, v.Name, v.Namespace, b.Namespace)
			continue
		}
		if err := d.addValues(ctx, b, in, v); err != nil {
			return nil, err
		}
	}
	for _, r := range o.DownstreamResources {
		if err := d.addCopied(ctx, b, in, hubRef{r.Kind, b.Namespace, r.Name}); err != nil {
			return nil, err
		}
	}
	h := sha256.New()
	for _, v := range in.values {
		writeAll(h, "value", string(v))
	}
	for _, c := range in.copied {
		writeAll(h, "copied", string(c))
	}
	in.digest = hex.EncodeToString(h.Sum(nil)[:16])
	return in, nil
}

func (d *Deployer) addValues(ctx context.Context, b *v1alpha1.Bundle, in *hubInputs, v bundle.ValuesRef) error {
	ref := hubRef{v.Kind, b.Namespace, v.Name}
	in.refs = append(in.refs, ref)
	o, err := d.hubObject(ctx, b, in, ref)
	if err != nil || in.missing != nil {
		return err
	}
	text, ok := o.data[v.Key]
	switch {
	case o.version == "":
		in.miss(b, "hubValuesFrom: there is no %s %s in workspace %s", v.Kind, v.Name, b.Namespace)
		return nil
	case !ok:
		in.miss(b, "hubValuesFrom: %s %s in workspace %s has no key %q", v.Kind, v.Name, b.Namespace, v.Key)
		return nil
	}
	value, ok := valuesOf(text)
	if !ok {
		in.miss(b, "hubValuesFrom: key %q of %s %s in workspace %s is no YAML mapping", v.Key, v.Kind, v.Name, b.Namespace)
		return nil
	}
	in.values = append(in.values, value)
	return nil
}

// hubObject reads one object. That the hub may not is its owner's to mend and
// no reason to try again at once.
func (d *Deployer) hubObject(ctx context.Context, b *v1alpha1.Bundle, in *hubInputs, ref hubRef) (hubObject, error) {
	o, err := d.HubObjects.get(ctx, ref)
	if apierrors.IsForbidden(err) {
		in.miss(b, "the hub may not read %s: allow its service account to get it, as for the workspaces named in the values of Muster's chart", ref)
		return hubObject{}, nil
	}
	return o, err
}

// valuesOf reads values as JSON. What is wrong with them is not said: the
// parser's message could quote a Secret.
func valuesOf(text []byte) (json.RawMessage, bool) {
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, false
	}
	if string(data) == "null" {
		return json.RawMessage("{}"), true // empty, or only comments
	}
	return data, len(data) > 0 && data[0] == '{'
}

func (d *Deployer) addCopied(ctx context.Context, b *v1alpha1.Bundle, in *hubInputs, ref hubRef) error {
	in.refs = append(in.refs, ref)
	o, err := d.hubObject(ctx, b, in, ref)
	if err != nil || in.missing != nil {
		return err
	}
	if o.version == "" {
		in.miss(b, "downstreamResources: there is no %s %s in workspace %s", ref.kind, ref.name, b.Namespace)
		return nil
	}
	data, err := json.Marshal(o.copy(ref))
	if err != nil {
		return fmt.Errorf("copy %s: %w", ref, err)
	}
	in.copied = append(in.copied, data)
	return nil
}

// copy is the object as it goes to clusters: its name and what it holds.
// Labels and annotations speak of the hub.
func (o hubObject) copy(ref hubRef) map[string]any {
	out := map[string]any{"apiVersion": "v1", "kind": ref.kind, "metadata": map[string]any{"name": ref.name}}
	if o.immutable != nil {
		out["immutable"] = *o.immutable
	}
	if ref.kind == "Secret" {
		out["type"], out["data"] = o.secret, o.data
		return out
	}
	text, binary := map[string]string{}, map[string][]byte{}
	for key, value := range o.data {
		if o.binary[key] {
			binary[key] = value
			continue
		}
		text[key] = string(value)
	}
	out["data"] = text
	if len(binary) > 0 {
		out["binaryData"] = binary
	}
	return out
}

// miss notes the first thing that is missing.
func (in *hubInputs) miss(b *v1alpha1.Bundle, format string, args ...any) {
	if in.missing == nil {
		in.missing = &renderer.Problem{Problem: bundle.Problem{
			Bundle: b.Name, Severity: bundle.Error, Code: v1alpha1.ReasonValuesMissing, Message: fmt.Sprintf(format, args...),
		}}
	}
}
