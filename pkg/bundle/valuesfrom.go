package bundle

import "github.com/muster-dev/muster/pkg/api/v1alpha1"

// ValuesRef is one key of a ConfigMap or Secret with values in it.
type ValuesRef struct {
	// Kind is ConfigMap or Secret.
	Kind string
	// Namespace may be empty: the release namespace, or the workspace on the hub.
	Namespace, Name string
	// Key in its data.
	Key string
}

// defaultValuesKey is the key of values in a ConfigMap or Secret if none is named.
const defaultValuesKey = "values.yaml"

// OrderValues lists what valuesFrom or hubValuesFrom name, weakest first:
// ConfigMaps, then Secrets, each in the order they were written (Fleet's order).
func OrderValues(from []v1alpha1.ValuesFrom) []ValuesRef {
	var configMaps, secrets []ValuesRef
	for _, f := range from {
		if f.ConfigMapKeyRef != nil {
			configMaps = append(configMaps, valuesRef("ConfigMap", *f.ConfigMapKeyRef))
		}
		if f.SecretKeyRef != nil {
			secrets = append(secrets, valuesRef("Secret", *f.SecretKeyRef))
		}
	}
	return append(configMaps, secrets...)
}

func valuesRef(kind string, k v1alpha1.KeyRef) ValuesRef {
	r := ValuesRef{Kind: kind, Namespace: k.Namespace, Name: k.Name, Key: k.Key}
	if r.Key == "" {
		r.Key = defaultValuesKey
	}
	return r
}
