package renderer

import (
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// Late says why inputs can be rendered on the cluster only, "" if the hub can:
// values that live there (helm.valuesFrom) or encrypted files (SOPS).
func Late(files []bundle.File, o v1alpha1.BundleOptions) string {
	if refs := lateValues(files, o); len(refs) > 0 {
		return "helm.valuesFrom reads " + described(refs, "the release namespace") + " on the cluster"
	}
	if name := encryptedFile(files, bundle.KindOf(files, o), o); name != "" {
		return name + " is encrypted with SOPS, and the key is on the cluster"
	}
	return ""
}

// lateValues are what valuesFrom names, if a chart is there to read it.
func lateValues(files []bundle.File, o v1alpha1.BundleOptions) []bundle.ValuesRef {
	if o.Helm == nil || len(o.Helm.ValuesFrom) == 0 || bundle.KindOf(files, o) != bundle.KindHelm {
		return nil
	}
	return bundle.OrderValues(o.Helm.ValuesFrom)
}

// checkLate refuses inputs that lack what only the cluster or the hub could
// give: chart defaults would take the place of somebody's values.
func checkLate(in Inputs) error {
	if name := encryptedFile(in.Files, in.Kind, in.Options); name != "" {
		return manifest.NewFault(name, 0, manifest.DecidedOnCluster, "the file is encrypted with SOPS: it is decrypted on the cluster, and never applied as it is")
	}
	if in.Kind != bundle.KindHelm {
		return nil
	}
	if hub := bundle.OrderValues(in.Options.HubValuesFrom); len(in.HubValues) < len(hub) {
		return manifest.NewFault("", 0, manifest.ValuesMissing, "hubValuesFrom: %d of %d values are there; it names %s", len(in.HubValues), len(hub), described(hub, "the workspace"))
	}
	late := lateValues(in.Files, in.Options)
	switch {
	case len(in.LateValues) >= len(late):
		return nil
	case len(in.LateValues) == 0:
		return manifest.NewFault("", 0, manifest.DecidedOnCluster, "helm.valuesFrom reads %s on the cluster: what is applied is decided there, and the chart's defaults never take the place of such values", described(late, "the release namespace"))
	}
	return manifest.NewFault("", 0, manifest.ValuesMissing, "helm.valuesFrom: %d of %d values are there; it names %s", len(in.LateValues), len(late), described(late, "the release namespace"))
}

// described lists references for people.
func described(refs []bundle.ValuesRef, otherwise string) string {
	var list []string
	for _, r := range refs {
		namespace := r.Namespace
		if namespace == "" {
			namespace = otherwise
		}
		list = append(list, r.Kind+" "+r.Name+" in "+namespace+" (key "+r.Key+")")
	}
	return strings.Join(list, ", ")
}
