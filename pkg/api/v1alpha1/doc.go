// Package v1alpha1 holds the objects people and Muster's own parts keep on the
// hub, group muster.dev. It knows their shape and nothing of what is done with
// them, and imports apimachinery only.
//
// +kubebuilder:object:generate=true
// +groupName=muster.dev
package v1alpha1
