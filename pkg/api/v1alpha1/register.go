package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of every Muster object.
const Group = "muster.dev"

// GroupVersion is the only version served so far.
var GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

// AddToScheme registers every kind of this package with s.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&GitRepo{}, &GitRepoList{},
		&Bundle{}, &BundleList{},
		&Cluster{}, &ClusterList{},
		&ClusterGroup{}, &ClusterGroupList{},
		&Assignment{}, &AssignmentList{},
		&ClusterReport{}, &ClusterReportList{},
		&Rollout{}, &RolloutList{},
		&JoinToken{}, &JoinTokenList{},
		&BundleNamespaceMapping{}, &BundleNamespaceMappingList{},
		&Policy{}, &PolicyList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
