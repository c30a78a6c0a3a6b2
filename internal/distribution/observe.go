package distribution

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"sort"
	"strings"
	"time"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
)

// row is what is wanted of a bundle on one cluster that it matches.
type row struct {
	targets.Match
	// key names everything that makes the content differ from another cluster's, but the cluster's answers.
	key string
	// hub holds what the options name on the hub, if they name anything.
	hub *hubInputs
}

func (r row) cluster() string { return r.Workspace + "/" + r.Cluster }

// match finds the rows.
func (w *work) match(f *fleet) error {
	compiled, err := targets.Compile(f.scope.Input(w.desired.Bundle))
	if err != nil {
		return fmt.Errorf("targets of bundle %s: %w", w.key(), err)
	}
	for _, c := range f.clusters {
		m := compiled.Resolve(c, f.groups)
		if !m.Matched && m.Err == nil {
			continue
		}
		w.rows = append(w.rows, row{Match: m, key: m.OptionsDigest})
	}
	sort.Slice(w.rows, func(i, j int) bool { return w.rows[i].cluster() < w.rows[j].cluster() })
	return nil
}

// observe names what the wants depend on: files and spec, then the rows.
func (w *work) observe() error {
	spec, err := json.Marshal(w.desired.Bundle.Spec)
	if err != nil {
		return fmt.Errorf("digest of bundle %s: %w", w.key(), err)
	}
	files := sha256.New()
	writeAll(files, string(spec), string(w.inputsID))
	w.files = hex.EncodeToString(files.Sum(nil)[:16])
	w.observed = w.observedBy(func(r row) string { return r.key })
	return nil
}

func (w *work) observedBy(key func(row) string) string {
	h := sha256.New()
	for _, r := range w.rows {
		writeAll(h, r.cluster(), key(r), errText(r.Err))
	}
	return w.files + "." + hex.EncodeToString(h.Sum(nil)[:16])
}

func writeAll(h hash.Hash, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// factsKey is how a row was named before renders said what they ask: with
// every fact of its cluster. Stored variants still carry such names.
func (w *work) factsKey(r row) string {
	if w.inputs.Kind != bundle.KindHelm {
		return r.key
	}
	f := w.facts[r.cluster()]
	sum := sha256.Sum256([]byte(f.KubeVersion + "\n" + strings.Join(f.APIVersions, "\n")))
	return r.key + "-" + hex.EncodeToString(sum[:8])
}

// failureKey names a row of a bundle that does not render everywhere: what a
// chart would not render with is not known, so every fact counts.
func (w *work) failureKey(r row) string {
	if w.kindOf(r) != bundle.KindHelm {
		return r.key + "!"
	}
	return r.key + "!" + factsDigest(w.facts[r.cluster()])
}

func factsDigest(f renderer.Facts) string {
	h := sha256.New()
	data, err := json.Marshal(f)
	if err != nil {
		data = []byte(err.Error()) // texts always encode
	}
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// kindOf is the renderer of one row: a customization may choose a
// kustomization or a chart.
func (w *work) kindOf(r row) bundle.Kind { return bundle.KindOf(w.inputs.Files, r.Options) }

// unchanged tells whether the stored rollout already says what this would say.
func (w *work) unchanged(now time.Time) bool {
	r := w.rollout
	if r == nil || w.bundle == nil || r.Spec.UID != string(w.bundle.UID) ||
		r.Status.BundleGeneration != w.bundle.Generation || r.Status.Removing || !w.sameInputs(now) {
		return false
	}
	w.approve = w.bundle.Annotations[v1alpha1.AnnotationApprove]
	for _, h := range r.Status.Holds {
		if h.ID == w.approve {
			return false
		}
	}
	return true
}

// sameInputs tells whether matching and rendering would give what is stored.
func (w *work) sameInputs(now time.Time) bool {
	switch w.rollout.Status.ObservedInputs {
	case w.observed:
		return w.answersHold()
	case w.observedBy(w.failureKey), w.observedBy(w.factsKey):
		return true
	case w.observedBy(w.failureKey) + againMark:
		return !w.retry.due(now)
	}
	return false
}

// answersHold tells whether every cluster still answers what its content was
// rendered with: facts that change no answer change nothing.
func (w *work) answersHold() bool {
	held := map[[2]int]bool{} // by variant and class of the cluster's facts
	for _, r := range w.rows {
		v, want, had := w.previous.VariantOf(r.cluster())
		if !had || r.Err != nil {
			continue
		}
		like := [2]int{want.Variant, w.classes[r.cluster()]}
		if held[like] && v.Options == r.key {
			continue
		}
		if !w.fits(v, r) {
			return false
		}
		held[like] = !asksLabels(v.Answers)
	}
	return true
}

// fits tells whether a variant of the same files is what a render for this row would give.
func (w *work) fits(v Variant, r row) bool {
	if v.Options == r.key {
		return w.facts[r.cluster()].Agrees(v.Answers)
	}
	return v.Options != "" && v.Options == w.factsKey(r)
}

// conclusion is what the rollout shall say was observed. While something does
// not render, other facts have it tried again, or time alone.
func (w *work) conclusion() string {
	failed := map[string]error{}
	for _, o := range w.outcomes {
		failed[o.Cluster] = o.Err
	}
	fails, again := false, ""
	for _, r := range w.rows {
		err := failed[r.cluster()]
		if r.Err != nil || err == nil {
			continue
		}
		fails = true
		if passes(err) {
			again = againMark
		}
	}
	if fails {
		return w.observedBy(w.failureKey) + again
	}
	return w.observed
}
