package renderer

import (
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

// said is a string option, "" and "-" being resets.
func said(s *string) string {
	if s == nil || *s == "-" {
		return ""
	}
	return *s
}

func isTrue(b *bool) bool { return b != nil && *b }

func number(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// settingsOf says how objects are finished.
func settingsOf(in Inputs) manifest.Settings {
	o := in.Options
	s := manifest.Settings{
		Namespace:            said(o.Namespace),
		DefaultNamespace:     said(o.DefaultNamespace),
		CreateNamespace:      o.CreateNamespace == nil || *o.CreateNamespace,
		NamespaceLabels:      o.NamespaceLabels,
		NamespaceAnnotations: o.NamespaceAnnotations,
	}
	if in.Kind == bundle.KindHelm {
		s.HelmRelease = ReleaseName(in.Bundle, o)
	}
	return s
}

// ReleaseName is .Release.Name: the option, else what the bundle's name makes.
func ReleaseName(bundleName string, o v1alpha1.BundleOptions) string {
	if o.Helm != nil && said(o.Helm.ReleaseName) != "" {
		return said(o.Helm.ReleaseName)
	}
	return bundle.ReleaseName(bundleName)
}

// ContentOptions is what the agent must know of a bundle's options.
func ContentOptions(in Inputs) content.Options {
	s, o := settingsOf(in), in.Options
	c := content.Options{
		Namespace:       s.ReleaseNamespace(),
		ServiceAccount:  said(o.ServiceAccount),
		Helm:            s.HelmRelease,
		KeepResources:   isTrue(o.KeepResources),
		DeleteNamespace: isTrue(o.DeleteNamespace),
		DeleteCRDs:      isTrue(o.DeleteCRDResources),
		ForceSync:       number(o.ForceSyncGeneration),
	}
	if h := o.Helm; h != nil {
		c.TakeOwnership = isTrue(h.TakeOwnership)
		c.Force = isTrue(h.Force)
		c.Atomic = isTrue(h.Atomic)
		c.WaitForJobs = isTrue(h.WaitForJobs)
		c.TimeoutSeconds = number(h.TimeoutSeconds)
	}
	c.DriftMode, c.DriftForce = drift(o)
	c.ComparePatches, c.Health = comparePatches(o), o.Health
	if o.Ignore != nil {
		c.IgnoreConditions = o.Ignore.Conditions
	}
	return c
}

// comparePatches are Fleet's and then Muster's own.
func comparePatches(o v1alpha1.BundleOptions) []v1alpha1.ComparePatch {
	var patches []v1alpha1.ComparePatch
	if o.Diff != nil {
		patches = append(patches, o.Diff.ComparePatches...)
	}
	if o.Drift != nil {
		patches = append(patches, o.Drift.Ignore...)
	}
	return patches
}

// drift is the mode and whether correcting may replace: Muster's own block wins
// over Fleet's, and reporting is the default of both.
func drift(o v1alpha1.BundleOptions) (mode string, force bool) {
	if o.CorrectDrift != nil {
		force = isTrue(o.CorrectDrift.Force)
	}
	switch {
	case o.Drift != nil && o.Drift.Mode != "":
		return string(o.Drift.Mode), force
	case o.CorrectDrift != nil && isTrue(o.CorrectDrift.Enabled):
		return string(v1alpha1.DriftCorrect), force
	default:
		return string(v1alpha1.DriftReport), force
	}
}
