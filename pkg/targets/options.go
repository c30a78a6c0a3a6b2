package targets

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// labelReference is a whole text value that stands for a cluster label.
const labelReference = "global.fleet.clusterLabels."

// maxVariants bounds the memo of substituted options; beyond it the memo starts anew.
const maxVariants = 4096

// optionSet is the bundle's options with some customizations merged in.
type optionSet struct {
	labels []string // of the customizations, in order
	where  bundle.Position
	static final
	// fault is why no cluster can have these options: values that are none, or a
	// Policy against the target namespace, which is said at faultAt.
	fault   error
	faultAt bundle.Position
	// templated says that the render may see the cluster, hasTemplates that with
	// other options it would.
	templated, hasTemplates bool
	// values and keys are set when values name cluster labels.
	values map[string]any
	keys   []string

	mu       sync.Mutex // guards variants
	variants map[string]*final
}

// final are options as one cluster gets them.
type final struct {
	options v1alpha1.BundleOptions
	digest  string
}

func (c *Compiled) compileOptions() error {
	var err error
	if c.base, err = c.newSet(nil); err != nil {
		return err
	}
	for i := range c.customizations {
		set, err := c.newSet([]int{i})
		if err != nil { // the rows of those who get this customization, not the bundle
			set.fault, set.faultAt = fmt.Errorf("%s: %w", c.customizations[i].label, err), set.where
		}
		c.first = append(c.first, set)
	}
	return nil
}

// combine returns the set of several customizations, merged once per combination.
func (c *Compiled) combine(taken []int) (*optionSet, error) {
	key := combination(taken, len(c.customizations))
	c.mu.Lock()
	defer c.mu.Unlock()
	if set, ok := c.combined[string(key)]; ok {
		return set, nil
	}
	set, err := c.newSet(taken)
	if err != nil {
		return nil, err
	}
	if len(c.combined) >= maxVariants {
		clear(c.combined)
	}
	c.combined[string(key)] = set
	return set, nil
}

// combination has one bit per customization.
func combination(taken []int, n int) []byte {
	bits := make([]byte, (n+7)/8)
	for _, i := range taken {
		bits[i/8] |= 1 << (i % 8)
	}
	return bits
}

func (c *Compiled) newSet(indexes []int) (*optionSet, error) {
	s := &optionSet{variants: map[string]*final{}}
	options := bundle.Merge(c.spec.BundleOptions, v1alpha1.BundleOptions{})
	for _, i := range indexes {
		options = bundle.Merge(options, c.spec.TargetCustomizations[i].BundleOptions)
		s.labels = append(s.labels, c.customizations[i].label)
		s.where = c.customizations[i].where
	}
	s.static.options = options
	if err := s.readValues(&options); err != nil {
		return s, fmt.Errorf("values of bundle %s: %w", c.name, err)
	}
	s.fault, s.faultAt = c.denied(targetNamespace(options)), c.namespaceAt(indexes)
	digest, err := digestOf(options)
	if c.namespaceSelector != "" {
		digest, err = digestOf(options, c.namespaceSelector)
	}
	s.static = final{options: options, digest: digest}
	return s, err
}

// targetNamespace is the one that every object is forced into, "" if none is.
func targetNamespace(o v1alpha1.BundleOptions) string {
	if o.Namespace == nil {
		return ""
	}
	return *o.Namespace
}

// namespaceAt is where the target namespace is said: by the last of the
// customizations that says it, else by the bundle.
func (c *Compiled) namespaceAt(customizations []int) bundle.Position {
	for _, i := range slices.Backward(customizations) {
		if c.spec.TargetCustomizations[i].Namespace != nil {
			return c.where[fmt.Sprintf("targetCustomizations[%d].namespace", i)]
		}
	}
	return c.where["namespace"]
}

// readValues brings values into canonical form and notes what in them depends on the cluster.
func (s *optionSet) readValues(o *v1alpha1.BundleOptions) error {
	if o.Helm == nil {
		return nil
	}
	// Values files of a bundle made by hand lie among its files, which are not
	// looked into here: they may hold templates and name labels. Those of a
	// repository are in Values already.
	inFiles := len(o.Helm.ValuesFiles) > 0
	s.hasTemplates = inFiles || len(o.Helm.TemplateValues) > 0
	if o.Helm.Values != nil && len(o.Helm.Values.Raw) > 0 {
		if err := s.readInline(o); err != nil {
			return err
		}
	}
	preProcess := o.Helm.DisablePreProcess == nil || !*o.Helm.DisablePreProcess
	s.templated = inFiles || preProcess && s.hasTemplates
	return nil
}

func (s *optionSet) readInline(o *v1alpha1.BundleOptions) error {
	values, err := decode(o.Helm.Values.Raw)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return err
	}
	helm := *o.Helm
	helm.Values = &apiextensionsv1.JSON{Raw: raw}
	o.Helm = &helm
	s.hasTemplates = s.hasTemplates || bytes.Contains(raw, []byte("${"))
	if keys := labelKeys(values, nil); len(keys) > 0 {
		s.values, s.keys = values, slices.Sorted(maps.Keys(keys))
	}
	return nil
}

func decode(raw []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var values map[string]any
	if err := dec.Decode(&values); err != nil {
		return nil, fmt.Errorf("not a map: %w", err)
	}
	return values, nil
}

// labelKeys collects the labels that values refer to.
func labelKeys(v any, keys map[string]bool) map[string]bool {
	switch v := v.(type) {
	case map[string]any:
		for _, each := range v {
			keys = labelKeys(each, keys)
		}
	case []any:
		for _, each := range v {
			keys = labelKeys(each, keys)
		}
	case string:
		if key, ok := strings.CutPrefix(v, labelReference); ok {
			if keys == nil {
				keys = map[string]bool{}
			}
			keys[key] = true
		}
	}
	return keys
}

// substitute returns v with references replaced by labels; a missing one is "".
func substitute(v any, labels map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, each := range v {
			out[k] = substitute(each, labels)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, each := range v {
			out[i] = substitute(each, labels)
		}
		return out
	case string:
		if key, ok := strings.CutPrefix(v, labelReference); ok {
			return labels[key]
		}
	}
	return v
}

// forCluster fills in the cluster's labels. Clusters with the same values of the
// labels that matter share one result.
func (s *optionSet) forCluster(cl *Cluster) *final {
	if len(s.keys) == 0 {
		return &s.static
	}
	var room [128]byte
	key := room[:0]
	for _, k := range s.keys {
		key = append(append(key, cl.Labels[k]...), 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.variants[string(key)]; ok {
		return f
	}
	if len(s.variants) >= maxVariants {
		clear(s.variants)
	}
	f := s.fill(cl.Labels)
	s.variants[string(key)] = f
	return f
}

func (s *optionSet) fill(labels map[string]string) *final {
	f := s.static
	raw, err := json.Marshal(substitute(s.values, labels))
	if err != nil {
		return &f // what was decoded from JSON encodes again
	}
	helm := *f.options.Helm
	helm.Values = &apiextensionsv1.JSON{Raw: raw}
	f.options.Helm = &helm
	sum := sha256.Sum256(append([]byte(f.digest), raw...))
	f.digest = base64.RawURLEncoding.EncodeToString(sum[:])
	return &f
}

// contextOf is what templates may see of a cluster. Annotations that machines
// write are left out: they would make a new generation of every change.
func contextOf(cl *Cluster) *Context {
	return &Context{
		ClusterNamespace: cl.Workspace, ClusterName: cl.Name, ClusterLabels: cl.Labels,
		ClusterAnnotations: ownAnnotations(cl.Annotations), ClusterValues: canonical(cl.TemplateValues),
	}
}

// canonical sorts the keys, so that the order in which they were written makes
// no difference. What is no map stays as it is.
func canonical(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	values, err := decode(raw)
	if err != nil {
		return raw
	}
	sorted, err := json.Marshal(values)
	if err != nil {
		return raw
	}
	return sorted
}

func ownAnnotations(all map[string]string) map[string]string {
	var own map[string]string
	for k, v := range all {
		if strings.HasPrefix(k, "muster.dev/") || strings.HasPrefix(k, "kubectl.kubernetes.io/") {
			continue
		}
		if own == nil {
			own = make(map[string]string, len(all))
		}
		own[k] = v
	}
	return own
}

func digestOf(parts ...any) (string, error) {
	sum := sha256.New()
	for _, p := range parts {
		data, err := json.Marshal(p)
		if err != nil {
			return "", fmt.Errorf("digest options: %w", err)
		}
		sum.Write(data)
	}
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), nil
}
