package targets

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// Input is one bundle as targeting sees it.
type Input struct {
	// Workspace of the bundle; its clusters are candidates, others only by Mappings.
	Workspace string
	// Name of the bundle.
	Name string
	// BundleLabels are the labels of the Bundle object; Mappings select by them.
	BundleLabels map[string]string
	// Mappings of the bundle's workspace, in any order.
	Mappings []Mapping
	// Policies of the bundle's workspace, in any order.
	Policies []Policy
	// Spec with options, targets, restrictions and customizations.
	Spec v1alpha1.BundleSpec
	// Where says where each part of Spec stands; may be nil.
	Where map[string]bundle.Position
	// HandMade bundles without targets go to every cluster.
	HandMade bool
}

// Compiled is a bundle's targeting, ready to be asked about many clusters by
// many goroutines. What it answers depends on its Input, the cluster and the
// groups alone.
type Compiled struct {
	reach
	name       string
	everywhere bool
	policies   []policy
	// namespaceSelector is what the policies ask of the namespace on the cluster.
	namespaceSelector string
	where             map[string]bundle.Position
	targets           []rule
	restrictions      []rule
	customizations    []rule
	allMatches        bool
	base              *optionSet
	// first holds the option set of each customization when it is the only one.
	first []*optionSet
	spec  v1alpha1.BundleSpec

	mu       sync.Mutex // guards combined
	combined map[string]*optionSet
}

// rule is one compiled entry of targets, targetRestrictions or targetCustomizations.
type rule struct {
	label       string
	where       bundle.Position
	doNotDeploy bool
	criteria
}

// criteria choose clusters; all that are set must hold.
type criteria struct {
	empty         bool
	clusterName   string
	selector      *selector
	group         string
	groupSelector *selector
}

// Compile prepares a bundle's targeting. It fails on a selector that has no
// meaning, and on values of the bundle itself that are no map; the error names
// where it stands. What is wrong in one customization, group, mapping or Policy is
// the error of the rows that it decides.
func Compile(in Input) (*Compiled, error) {
	c := &Compiled{reach: reach{in.Workspace, compileMappings(in)}, name: in.Name, spec: in.Spec, where: in.Where, combined: map[string]*optionSet{}}
	c.policies = compilePolicies(in.Policies)
	c.namespaceSelector = namespaceSelector(c.policies)
	c.everywhere = in.HandMade && len(in.Spec.Targets) == 0
	c.allMatches = in.Spec.TargetCustomizationMode == v1alpha1.AllMatches
	var err error
	if c.targets, err = compileTargets(in, "targets", in.Spec.Targets); err != nil {
		return nil, err
	}
	if c.restrictions, err = compileTargets(in, "targetRestrictions", in.Spec.TargetRestrictions); err != nil {
		return nil, err
	}
	for i, cust := range in.Spec.TargetCustomizations {
		r, err := compileRule(in, "targetCustomizations", i, cust.Criteria, cust.DoNotDeploy)
		if err != nil {
			return nil, err
		}
		c.customizations = append(c.customizations, r)
	}
	return c, c.compileOptions()
}

func compileTargets(in Input, list string, targets []v1alpha1.Target) ([]rule, error) {
	var rules []rule
	for i, t := range targets {
		r, err := compileRule(in, list, i, t.Criteria, t.DoNotDeploy)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func compileRule(in Input, list string, i int, from v1alpha1.Criteria, doNotDeploy bool) (rule, error) {
	key := list + "[" + strconv.Itoa(i) + "]"
	r := rule{label: key, where: in.Where[key], doNotDeploy: doNotDeploy}
	if from.Name != "" {
		r.label = from.Name
	}
	var err error
	if r.criteria, err = compileCriteria(from); err != nil {
		return rule{}, fmt.Errorf("compile %s of bundle %s: %w", key, in.Name, err)
	}
	return r, nil
}

func compileCriteria(from v1alpha1.Criteria) (criteria, error) {
	c := criteria{clusterName: from.ClusterName, group: from.ClusterGroup}
	var err error
	if c.selector, err = compileSelector(from.ClusterSelector); err != nil {
		return c, fmt.Errorf("clusterSelector: %w", err)
	}
	if c.groupSelector, err = compileSelector(from.ClusterGroupSelector); err != nil {
		return c, fmt.Errorf("clusterGroupSelector: %w", err)
	}
	c.empty = c.clusterName == "" && c.group == "" && c.selector == nil && c.groupSelector == nil
	return c, nil
}
