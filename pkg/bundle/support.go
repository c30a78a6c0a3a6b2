package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// support says of a key of the options file that it is read and not acted on
// yet. One rule decides what follows: a key whose absence cannot change objects,
// rights or deletion is a warning and no more; any other keeps the hub from
// deploying the bundle (holds), which keeps its last good revision.
type support struct {
	key    string
	holds  bool
	code   string
	reason string
}

// unsupported is the one place where keys wait for the work that makes them act.
var unsupported = []support{
	{"helm.atomic", true, CodeNotSupported, "a failed change would stay half applied"},
	{"helm.waitForJobs", false, CodeNotSupported, "it delays readiness only"},
	{"helm.timeoutSeconds", false, CodeNotSupported, "it bounds waiting only"},
	{"helm.force", false, CodeNotSupported, "an object that cannot be changed in place fails and says so"},
	{"helm.maxHistory", false, CodeNoEffect, "there is no Helm release whose history could be kept"},
	{"helm.disableDNS", false, CodeNoEffect, "charts never resolve names here"},
	{"dependsOn", true, CodeNotSupported, "objects would be applied before what they need"},
	{"rolloutStrategy", true, CodeNotSupported, "every cluster would change at once"},
	{"windows", true, CodeNotSupported, "clusters would change outside the windows"},
	{"ignore.conditions", false, CodeNotSupported, "it changes what counts as healthy only"},
	{"health", false, CodeNotSupported, "it changes what counts as healthy only"},
	{"imageScans", false, CodeNotSupported, "it would write to Git, never to a cluster"},
	{"correctDrift.keepFailHistory", false, CodeNoEffect, "there is no Helm release whose history could be kept"},
	{"correctDrift.force", false, CodeNotSupported, "what cannot be put back by an update is reported instead"},
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
		if s.holds {
			message += keepsLastGood
			r.hold(s.key)
		}
		r.add(warningAt(r.at(prefix+s.key), s.code, message))
	}
}

func (r *reading) hold(key string) {
	if r.held == nil {
		r.held = map[string]bool{}
	}
	r.held[key] = true
}

// saidKeys are the keys of the table that options say something by: false, 0 and empty say nothing.
func saidKeys(o v1alpha1.BundleOptions) map[string]bool {
	said := map[string]bool{
		"windows": len(o.Windows) > 0, "health": len(o.Health) > 0,
		"ignore.conditions": o.Ignore != nil && len(o.Ignore.Conditions) > 0,
	}
	if d := o.CorrectDrift; d != nil {
		said["correctDrift.keepFailHistory"], said["correctDrift.force"] = is(d.KeepFailHistory), is(d.Force)
	}
	if h := o.Helm; h != nil {
		said["helm.atomic"], said["helm.force"], said["helm.waitForJobs"] = is(h.Atomic), is(h.Force), is(h.WaitForJobs)
		said["helm.timeoutSeconds"], said["helm.maxHistory"] = isCount(h.TimeoutSeconds), isCount(h.MaxHistory)
		said["helm.disableDNS"] = h.DisableDNS != nil && !*h.DisableDNS
	}
	return said
}

func is(b *bool) bool       { return b != nil && *b }
func isText(s *string) bool { return s != nil && !isReset(*s) }
func isCount(n *int64) bool { return n != nil && *n != 0 }

func (r *reading) judgeKustomizeDir(key, dir string, files []File) {
	clean, err := cleanPath(dir)
	if isReset(dir) || err != nil || hasKustomization(files, clean) || r.full() && r.overflow {
		return // a path that leaves the bundle is reported by judge
	}
	p := errorAt(r.at(key), CodePathNotFound, fmt.Sprintf("%s: there is no kustomization.yaml in %q of the bundle", key, dir))
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

// maxSuggestions bounds the directories that a mistyped one is compared with.
const maxSuggestions = 500

func suggestDir(wanted string, dirs []string) string {
	if s := nearest(wanted, dirs[:min(len(dirs), maxSuggestions)]); s != "" {
		return "did you mean " + s + "?"
	}
	if len(dirs) == 0 || len(dirs) > 5 {
		return ""
	}
	return "there is: " + strings.Join(dirs, ", ")
}
