package manifest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/content"
)

// Settings say how a bundle's objects become what an agent applies.
type Settings struct {
	// Namespace forces every object into it; empty = not forced.
	Namespace string
	// DefaultNamespace is for namespaced objects that name none; empty = "default".
	DefaultNamespace string
	// CreateNamespace adds the release namespace if the bundle does not hold it.
	CreateNamespace bool
	// NamespaceLabels and NamespaceAnnotations go onto the release namespace.
	NamespaceLabels      map[string]string
	NamespaceAnnotations map[string]string
	// HelmRelease is the release name of a chart; its objects carry Helm's ownership metadata.
	HelmRelease string
}

// ReleaseNamespace is where a bundle's objects go that name none themselves.
func (s Settings) ReleaseNamespace() string {
	switch {
	case s.Namespace != "":
		return s.Namespace
	case s.DefaultNamespace != "":
		return s.DefaultNamespace
	default:
		return "default"
	}
}

// Finish gives every object its namespace, role and key, adds the release
// namespace, refuses duplicates and returns canonical manifests in apply order.
// It changes the objects it is given.
func Finish(objects []Object, s Settings) ([]content.Object, error) {
	f := finisher{settings: s, scopes: newScopes(objects), seen: map[string]*Object{}}
	if err := f.checkSettings(); err != nil {
		return nil, err
	}
	for i := range objects {
		if err := f.add(&objects[i]); err != nil {
			return nil, err
		}
	}
	if err := f.addReleaseNamespace(); err != nil {
		return nil, err
	}
	sortForApply(f.out)
	return f.out, nil
}

type finisher struct {
	settings Settings
	scopes   scopes
	seen     map[string]*Object // by key, and event for hooks
	out      []content.Object
	// holdsNamespace is set when the bundle holds its release namespace itself.
	holdsNamespace bool
}

func (f *finisher) checkSettings() error {
	for _, name := range []string{f.settings.Namespace, f.settings.DefaultNamespace} {
		if name != "" && !labelPattern.MatchString(name) {
			return NewFault("", 0, InvalidOption, "namespace %q is not a namespace", name)
		}
	}
	for _, m := range []map[string]string{f.settings.NamespaceLabels, f.settings.NamespaceAnnotations} {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if strings.HasPrefix(key, reservedPrefix) {
				return NewFault("", 0, ReservedKey, "the release namespace cannot have %s: reserved", key)
			}
		}
	}
	return nil
}

func (f *finisher) add(o *Object) error {
	hook, dropped := o.hook()
	if dropped {
		return nil
	}
	if err := f.placeInNamespace(o); err != nil {
		return err
	}
	if err := f.claimKey(o, hook); err != nil {
		return err
	}
	wave, err := o.wave()
	if err != nil {
		return err
	}
	f.decorate(o, hook)
	data, err := o.canonical()
	if err != nil {
		return err
	}
	f.out = append(f.out, content.Object{Key: o.Key(), Role: role(o, hook), Hook: hook, Wave: wave, Manifest: data})
	return nil
}

func role(o *Object, hook *content.Hook) content.Role {
	switch {
	case hook != nil:
		return content.RoleHook
	case o.ChartCRD:
		return content.RoleChartCRD
	default:
		return content.RoleNone
	}
}

// placeInNamespace follows the precedence: forced, the manifest's own, default.
func (f *finisher) placeInNamespace(o *Object) error {
	metadata := o.Body["metadata"].(map[string]any) // newObject saw to it
	if f.scopes.cluster(o) {
		// CRDs of a chart's crds/ directory are co-owned and belong to no release.
		if f.settings.Namespace != "" && !o.ChartCRD {
			return o.fault(NamespaceForced, "%s %s is cluster-scoped, but the bundle forces namespace %s; use defaultNamespace, or move it to another bundle", o.Kind, o.Name, f.settings.Namespace)
		}
		o.Namespace = ""
		delete(metadata, "namespace")
		return nil
	}
	if f.settings.Namespace != "" || o.Namespace == "" {
		o.Namespace = f.settings.ReleaseNamespace()
	}
	metadata["namespace"] = o.Namespace
	return nil
}

// claimKey refuses a second object with the same key. Hooks are told apart by
// their events: a chart may have one object for install and one for upgrade.
func (f *finisher) claimKey(o *Object, hook *content.Hook) error {
	claims := []string{string(o.Key())}
	if hook != nil {
		claims = claims[:0]
		for _, event := range hook.Events {
			claims = append(claims, event+" "+string(o.Key()))
		}
	}
	for _, claim := range claims {
		if first, taken := f.seen[claim]; taken {
			return o.fault(DuplicateObject, "%s is already defined in %s", described(o), first.place())
		}
		f.seen[claim] = o
	}
	return nil
}

func described(o *Object) string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

func (o *Object) place() string {
	f := Fault{File: o.File, Line: o.Line}
	return strings.TrimSuffix(f.Error(), ": ")
}

// decorate adds Helm's ownership metadata, as Helm does: not to hooks, not to
// crds/, nor to what is no part of the release.
func (f *finisher) decorate(o *Object, hook *content.Hook) {
	s := f.settings
	if o.Group == "" && o.Kind == "Namespace" && o.Name == s.ReleaseNamespace() && hook == nil {
		f.holdsNamespace = true
		setAll(o, "labels", s.NamespaceLabels)
		setAll(o, "annotations", s.NamespaceAnnotations)
	}
	if s.HelmRelease == "" || hook != nil || o.ChartCRD || o.Copied {
		return
	}
	o.set("labels", "app.kubernetes.io/managed-by", "Helm")
	o.set("annotations", "meta.helm.sh/release-name", s.HelmRelease)
	o.set("annotations", "meta.helm.sh/release-namespace", s.ReleaseNamespace())
}

func setAll(o *Object, field string, values map[string]string) {
	for key, value := range values {
		o.set(field, key, value)
	}
}

// addReleaseNamespace adds the release namespace as an object like any other.
// System namespaces exist already; they are only touched to carry labels that
// were asked for.
func (f *finisher) addReleaseNamespace() error {
	s := f.settings
	name := s.ReleaseNamespace()
	asked := len(s.NamespaceLabels)+len(s.NamespaceAnnotations) > 0
	if !s.CreateNamespace || f.holdsNamespace || (systemNamespace(name) && !asked) {
		return nil
	}
	metadata := map[string]any{"name": name}
	if len(s.NamespaceLabels) > 0 {
		metadata["labels"] = s.NamespaceLabels
	}
	if len(s.NamespaceAnnotations) > 0 {
		metadata["annotations"] = s.NamespaceAnnotations
	}
	data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
	if err != nil {
		return NewFault("", 0, InvalidOption, "release namespace %s: %v", name, err)
	}
	f.out = append(f.out, content.Object{Key: content.NewKey("", "Namespace", "", name), Role: content.RoleReleaseNamespace, Manifest: data})
	return nil
}

func systemNamespace(name string) bool {
	return name == "default" || strings.HasPrefix(name, "kube-")
}
