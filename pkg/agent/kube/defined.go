package kube

import "encoding/json"

// Defined returns the kind that a CustomResourceDefinition defines, in its
// storage version, and whether data is one.
func Defined(data []byte) (Resource, bool) {
	var crd struct {
		Spec struct {
			Group string `json:"group"`
			Scope string `json:"scope"`
			Names struct {
				Kind   string `json:"kind"`
				Plural string `json:"plural"`
			} `json:"names"`
			Versions []struct {
				Name    string `json:"name"`
				Served  bool   `json:"served"`
				Storage bool   `json:"storage"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if json.Unmarshal(data, &crd) != nil || crd.Spec.Names.Plural == "" {
		return Resource{}, false
	}
	r := Resource{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind, Name: crd.Spec.Names.Plural, Namespaced: crd.Spec.Scope == "Namespaced"}
	for _, v := range crd.Spec.Versions {
		if v.Served && (r.Version == "" || v.Storage) {
			r.Version = v.Name
		}
	}
	return r, r.Version != ""
}
