package bundle

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// rejecter reports a value that may not be; key says where it stands.
type rejecter func(key, format string, args ...any)

// judge looks at values the types alone do not rule out. Whatever the API server
// would refuse of a Bundle is refused here, where the line is known.
func (d *decoded) judge(file string) []Problem {
	var problems []Problem
	reject := func(key, format string, args ...any) {
		if len(problems) >= maxProblems {
			return
		}
		problems = append(problems, errorAt(d.at(file, key), CodeInvalidValue, key+": "+fmt.Sprintf(format, args...)))
	}
	warn := func(key string, c v1alpha1.Criteria) {
		// A misspelt criterion has been reported as such.
		if matchesNothing(c) && !hasError(d.problems) && len(problems) < maxProblems {
			problems = append(problems, warningAt(d.at(file, key), CodeNoEffect, key+withoutCriteria))
		}
	}
	d.judgeBundle(reject)
	judgeOptions(d.BundleOptions, "", reject)
	for i, c := range d.TargetCustomizations {
		prefix := fmt.Sprintf("targetCustomizations[%d].", i)
		judgeOptions(c.BundleOptions, prefix, reject)
		judgeCriteria(c.Criteria, prefix, reject)
		warn(fmt.Sprintf("targetCustomizations[%d]", i), c.Criteria)
	}
	for i, t := range d.OverrideTargets {
		judgeCriteria(t.Criteria, fmt.Sprintf("overrideTargets[%d].", i), reject)
		warn(fmt.Sprintf("overrideTargets[%d]", i), t.Criteria)
	}
	for i, dep := range d.DependsOn {
		judgeDependency(dep, fmt.Sprintf("dependsOn[%d]", i), reject)
	}
	judgeStrategy(d.RolloutStrategy, reject)
	return problems
}

const withoutCriteria = " has no effect: without a clusterName, clusterSelector, clusterGroup or clusterGroupSelector it matches nothing"

// judgeBundle looks at what only the file itself says.
func (d *decoded) judgeBundle(reject rejecter) {
	if d.Name != "" && !isName(d.Name) {
		reject("name", "%.80q is not a name: lower-case letters, digits, - and ., at most 63", d.Name)
	}
	judgeLabels(d.Labels, "labels", reject)
	for _, k := range slices.Sorted(maps.Keys(d.Labels)) {
		if prefix, _, ok := strings.Cut(k, "/"); ok && (prefix == v1alpha1.Group || strings.HasSuffix(prefix, "."+v1alpha1.Group)) {
			reject(join("labels", k), "labels of %s are set by Muster", v1alpha1.Group)
		}
	}
	switch d.TargetCustomizationMode {
	case "", v1alpha1.FirstMatch, v1alpha1.AllMatches:
	default:
		reject("targetCustomizationMode", "%q is neither FirstMatch nor AllMatches", string(d.TargetCustomizationMode))
	}
	if n := len(d.TargetCustomizations); n > maxEntries["targetCustomizations"] {
		reject("targetCustomizations", "has %d entries, at most %d are read", n, maxEntries["targetCustomizations"])
	}
}

// judgeCriteria reports selectors that cannot be compiled; pkg/targets would
// refuse the bundle for them later, without the line.
func judgeCriteria(c v1alpha1.Criteria, prefix string, reject rejecter) {
	judgeSelector(c.ClusterSelector, prefix+"clusterSelector", reject)
	judgeSelector(c.ClusterGroupSelector, prefix+"clusterGroupSelector", reject)
}

func judgeSelector(s *metav1.LabelSelector, key string, reject rejecter) {
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		reject(key, "%s", short(err.Error()))
	}
}

// short leaves out the regular expression that Kubernetes explains names with.
func short(message string) string {
	message, _, _ = strings.Cut(message, " (e.g.")
	return message
}

// acceptedStates are Fleet's names of bundle states and our own.
var acceptedStates = map[string]bool{
	"Ready": true, "NotReady": true, "Pending": true, "OutOfSync": true, "Modified": true, "WaitApplied": true, "ErrApplied": true,
	"Applying": true, "Failed": true, "Held": true, "Removing": true,
}

func judgeDependency(dep v1alpha1.Dependency, key string, reject rejecter) {
	if dep.Name == "" && dep.Selector == nil {
		reject(key, "names no bundle: set name or selector")
	}
	judgeSelector(dep.Selector, key+".selector", reject)
	for i, state := range dep.AcceptedStates {
		if !acceptedStates[state] {
			reject(fmt.Sprintf("%s.acceptedStates[%d]", key, i), "%.80q is no state of a bundle", state)
		}
	}
}

var percent = regexp.MustCompile(`^-?[0-9]{1,9}%?$`)

func judgeStrategy(s *v1alpha1.RolloutStrategy, reject rejecter) {
	if s == nil {
		return
	}
	share := func(key string, v *intstr.IntOrString) {
		if v != nil && v.Type == intstr.String && !percent.MatchString(v.StrVal) {
			reject(key, "%.80q is neither a number nor a percentage such as 10%%", v.StrVal)
		}
	}
	count := func(key string, v *int) {
		if v != nil && *v < 0 {
			reject(key, "%d is negative", *v)
		}
	}
	share("rolloutStrategy.maxUnavailable", s.MaxUnavailable)
	share("rolloutStrategy.maxUnavailablePartitions", s.MaxUnavailablePartitions)
	share("rolloutStrategy.autoPartitionSize", s.AutoPartitionSize)
	count("rolloutStrategy.autoPartitionThreshold", s.AutoPartitionThreshold)
	count("rolloutStrategy.maxNew", s.MaxNew)
	for i, p := range s.Partitions {
		prefix := fmt.Sprintf("rolloutStrategy.partitions[%d].", i)
		share(prefix+"maxUnavailable", p.MaxUnavailable)
		judgeCriteria(p.Criteria, prefix, reject)
	}
}

// judgeLabels reports labels that Kubernetes would refuse.
func judgeLabels(labels map[string]string, key string, reject rejecter) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if problems := validation.IsQualifiedName(k); len(problems) > 0 {
			reject(join(key, k), "is no name of a label: %s", short(problems[0]))
		}
		if problems := validation.IsValidLabelValue(labels[k]); len(problems) > 0 {
			reject(join(key, k), "%.80q is no value of a label: %s", labels[k], short(problems[0]))
		}
	}
}
