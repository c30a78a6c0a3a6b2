package bundle

import (
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// judgeCriteria reports selectors that cannot be compiled; pkg/targets would
// refuse the bundle for them later, without the line.
func judgeCriteria(c v1alpha1.Criteria, prefix string, reject func(string, string, ...any)) {
	for key, s := range map[string]*metav1.LabelSelector{"clusterSelector": c.ClusterSelector, "clusterGroupSelector": c.ClusterGroupSelector} {
		if s == nil {
			continue
		}
		if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
			reject(prefix+key, "%v", err)
		}
	}
}
