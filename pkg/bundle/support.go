package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// support says of a key of the options file that it is read and not acted on
// yet. Severity follows one rule: only a key whose absence cannot change
// objects, rights or deletion is a warning; anything else breaks its bundle,
// which keeps its last good revision.
type support struct {
	key      string
	severity string
	code     string
	reason   string
}

// unsupported is the one place where keys wait for the work that makes them act.
var unsupported = []support{
	{"helm.repo", Error, CodeNotSupported, "charts come from the repository so far, not from a registry"},
	{"helm.version", Error, CodeNotSupported, "it chooses a chart from a registry"},
	{"helm.valuesFrom", Error, CodeNotSupported, "values would be missing"},
	{"helm.atomic", Error, CodeNotSupported, "a failed change would stay half applied"},
	{"helm.waitForJobs", Warning, CodeNotSupported, "it delays readiness only"},
	{"helm.timeoutSeconds", Warning, CodeNotSupported, "it bounds waiting only"},
	{"helm.maxHistory", Warning, CodeNoEffect, "there is no Helm release whose history could be kept"},
	{"helm.disableDNS", Warning, CodeNoEffect, "charts never resolve names here"},
	{"hubValuesFrom", Error, CodeNotSupported, "values would be missing"},
	{"yaml.overlays", Error, CodeNotSupported, "objects would lack the overlays"},
	{"dependsOn", Error, CodeNotSupported, "objects would be applied before what they need"},
	{"rolloutStrategy", Error, CodeNotSupported, "every cluster would change at once"},
	{"windows", Error, CodeNotSupported, "clusters would change outside the windows"},
	{"downstreamResources", Error, CodeNotSupported, "objects would be missing"},
	{"diff.comparePatches", Error, CodeNotSupported, "drift correction would put back what is to be left alone"},
	{"drift.ignore", Error, CodeNotSupported, "drift correction would put back what is to be left alone"},
	{"ignore.conditions", Warning, CodeNotSupported, "it changes what counts as healthy only"},
	{"health", Warning, CodeNotSupported, "it changes what counts as healthy only"},
	{"imageScans", Warning, CodeNotSupported, "it would write to Git, never to a cluster"},
	{"correctDrift.keepFailHistory", Warning, CodeNoEffect, "there is no Helm release whose history could be kept"},
	{"correctDrift.force", Warning, CodeNotSupported, "what cannot be put back by an update is reported instead"},
}

// judgeSupport reports what the options say and nothing acts on, in the bundle's
// own part and in each customization.
func (r *reading) judgeSupport(files []File) {
	r.judgePart("", r.options.BundleOptions, files)
	for i, c := range r.options.TargetCustomizations {
		r.judgePart(fmt.Sprintf("targetCustomizations[%d].", i), c.BundleOptions, files)
	}
	said := map[string]bool{
		"dependsOn": len(r.options.DependsOn) > 0, "rolloutStrategy": r.options.RolloutStrategy != nil, "imageScans": len(r.options.ImageScans) > 0,
	}
	r.reportUnsupported("", said)
}

func (r *reading) judgePart(prefix string, o v1alpha1.BundleOptions, files []File) {
	r.reportUnsupported(prefix, saidKeys(o))
	if o.Helm != nil && o.Helm.Chart != nil {
		r.judgeChart(prefix+"helm.chart", o.Helm, files)
	}
	if o.Kustomize != nil && o.Kustomize.Dir != nil {
		r.judgeKustomizeDir(prefix+"kustomize.dir", *o.Kustomize.Dir, files)
	}
}

func (r *reading) reportUnsupported(prefix string, said map[string]bool) {
	for _, s := range unsupported {
		if !said[s.key] {
			continue
		}
		message := "not supported yet: " + s.key + " (" + s.reason + ")"
		if s.code == CodeNoEffect {
			message = s.key + " has no effect: " + s.reason
		}
		p := errorAt(r.options.at(r.optionsPath(), prefix+s.key), s.code, message)
		p.Severity = s.severity
		r.add(p)
	}
}

// saidKeys are the keys of the table that options say something by: false, 0 and empty say nothing.
func saidKeys(o v1alpha1.BundleOptions) map[string]bool {
	said := map[string]bool{
		"hubValuesFrom": len(o.HubValuesFrom) > 0, "windows": len(o.Windows) > 0,
		"downstreamResources": len(o.DownstreamResources) > 0, "health": len(o.Health) > 0,
		"yaml.overlays":       o.YAML != nil && len(o.YAML.Overlays) > 0,
		"diff.comparePatches": o.Diff != nil && len(o.Diff.ComparePatches) > 0,
		"ignore.conditions":   o.Ignore != nil && len(o.Ignore.Conditions) > 0,
		"drift.ignore":        o.Drift != nil && len(o.Drift.Ignore) > 0,
	}
	if d := o.CorrectDrift; d != nil {
		said["correctDrift.keepFailHistory"], said["correctDrift.force"] = is(d.KeepFailHistory), is(d.Force)
	}
	if h := o.Helm; h != nil {
		said["helm.repo"], said["helm.version"] = isText(h.Repo), isText(h.Version) && isText(h.Repo)
		said["helm.valuesFrom"] = len(h.ValuesFrom) > 0
		said["helm.atomic"], said["helm.waitForJobs"] = is(h.Atomic), is(h.WaitForJobs)
		said["helm.timeoutSeconds"], said["helm.maxHistory"] = isCount(h.TimeoutSeconds), isCount(h.MaxHistory)
		said["helm.disableDNS"] = h.DisableDNS != nil && !*h.DisableDNS
	}
	return said
}

func is(b *bool) bool       { return b != nil && *b }
func isText(s *string) bool { return s != nil && !isReset(*s) }
func isCount(n *int64) bool { return n != nil && *n != 0 }

// judgeChart refuses a chart that is not among the bundle's files.
func (r *reading) judgeChart(key string, h *v1alpha1.HelmOptions, files []File) {
	chart := *h.Chart
	pos := r.options.at(r.optionsPath(), key)
	switch {
	case isReset(chart), isText(h.Repo), localChart(files, chart):
	case chartURL.MatchString(chart):
		r.add(errorAt(pos, CodeNotSupported, "not supported yet: helm.chart from a registry or URL; put the chart into the repository"))
	default:
		if _, err := cleanPath(chart); err != nil {
			r.add(errorAt(pos, CodeInvalidValue, key+": "+err.Error()))
			return
		}
		p := errorAt(pos, CodePathNotFound, fmt.Sprintf("%s: there is no chart %q in the bundle", key, chart))
		p.Suggestion = suggestDir(chartDir(v1alpha1.BundleOptions{Helm: h}), dirsWith(files, "Chart.yaml"))
		r.add(p)
	}
}

func (r *reading) judgeKustomizeDir(key, dir string, files []File) {
	clean, err := cleanPath(dir)
	if isReset(dir) || err != nil || hasKustomization(files, clean) {
		return // a path that leaves the bundle is reported by judge
	}
	p := errorAt(r.options.at(r.optionsPath(), key), CodePathNotFound, fmt.Sprintf("%s: there is no kustomization.yaml in %q of the bundle", key, dir))
	p.Suggestion = suggestDir(clean, dirsWith(files, "kustomization.yaml"))
	r.add(p)
}

func dirsWith(files []File, base string) []string {
	var dirs []string
	for _, f := range files {
		if path.Base(f.Path) == base {
			dirs = append(dirs, path.Dir(f.Path))
		}
	}
	slices.Sort(dirs)
	return dirs
}

func suggestDir(wanted string, dirs []string) string {
	if s := nearest(wanted, dirs); s != "" {
		return "did you mean " + s + "?"
	}
	if len(dirs) == 0 || len(dirs) > 5 {
		return ""
	}
	return "there is: " + strings.Join(dirs, ", ")
}
