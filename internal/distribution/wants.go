package distribution

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/muster-dev/muster/pkg/content"
)

// factsName ends the options' name of a variant that was stored before renders
// said what they ask: a digest of all facts of its clusters.
var factsName = regexp.MustCompile(`^.{43}-[0-9a-f]{16}$`)

// Wants is what every cluster shall run of one bundle: the stored result of
// matching, rendering and rollout, from which documents are composed.
type Wants struct {
	Version  int       `json:"v"`
	Variants []Variant `json:"variants,omitempty"`
	// Clusters by workspace/name.
	Clusters map[string]Want `json:"clusters,omitempty"`
	// HeldClusters stopped matching, and their removal waits for approval.
	HeldClusters []string `json:"held,omitempty"`
}

// Variant is one content that some clusters run.
type Variant struct {
	Content  content.ID `json:"c"`
	Identity content.ID `json:"i"`
	// Options names the options it was rendered with, so that an unchanged match needs no rendering.
	Options string `json:"o,omitempty"`
	// Answers are what the render was told when it asked about its cluster (question -> answer): a
	// cluster that answers the same needs no other content.
	Answers map[string]string `json:"a,omitempty"`
}

// Volatile tells whether values in it were drawn (random, times): then it is
// one cluster's own, and no other is given it.
func (v Variant) Volatile() bool { return v.Identity != v.Content }

// Want is what one cluster shall run.
type Want struct {
	// Variant is an index into Wants.Variants.
	Variant int `json:"v"`
	// Generation at which this cluster's identity last changed.
	Generation int64 `json:"g"`
	// Retain keeps objects that left the manifests, until a loss is approved.
	Retain bool `json:"r,omitempty"`
	// Stale says that the variant was rendered from other files than the bundle has now: the row had an
	// error since, and what runs is not what a render would give.
	Stale bool `json:"s,omitempty"`
}

// kin is equal for variants that hold the same objects and differ at most in
// what was drawn.
func (v Variant) kin() content.ID {
	if v.Identity == "" {
		return v.Content
	}
	return v.Identity
}

// namedByFacts tells whether it is not known what the render asked.
func (v Variant) namedByFacts() bool { return factsName.MatchString(v.Options) }

// VariantOf returns what a cluster wants, and whether it wants the bundle at all.
func (w Wants) VariantOf(cluster string) (Variant, Want, bool) {
	want, ok := w.Clusters[cluster]
	if !ok || want.Variant < 0 || want.Variant >= len(w.Variants) {
		return Variant{}, Want{}, false
	}
	return w.Variants[want.Variant], want, true
}

// current are the variants, by number, that were rendered from the files that the bundle has now.
func (w Wants) current() map[int]bool {
	current := map[int]bool{}
	for _, want := range w.Clusters {
		if !want.Stale {
			current[want.Variant] = true
		}
	}
	return current
}

// stale tells whether any cluster runs what was rendered from older files.
func (w Wants) stale() bool {
	for _, want := range w.Clusters {
		if want.Stale {
			return true
		}
	}
	return false
}

// Contents lists the content ids that any cluster wants, sorted.
func (w Wants) Contents() []content.ID {
	ids := make([]content.ID, 0, len(w.Variants))
	for _, v := range w.Variants {
		ids = append(ids, v.Content)
	}
	slices.Sort(ids)
	return ids
}

// Encode returns the stored form and its id.
func (w Wants) Encode() (content.Blob, error) {
	data, err := json.Marshal(w)
	if err != nil {
		return content.Blob{}, fmt.Errorf("encode wants: %w", err)
	}
	return content.Blob{Kind: content.KindWants, ID: content.IDOf(data), Data: data}, nil
}

// DecodeWants reads the stored form.
func DecodeWants(data []byte) (Wants, error) {
	var w Wants
	if err := json.Unmarshal(data, &w); err != nil {
		return Wants{}, fmt.Errorf("read wants: %w", err)
	}
	if w.Version > content.Version {
		return Wants{}, fmt.Errorf("wants have version %d, this program reads up to %d", w.Version, content.Version)
	}
	return w, nil
}

// wantsBuilder collects wants and numbers variants in order of content id, so
// that equal wants have equal bytes.
type wantsBuilder struct {
	clusters map[string]builtWant
	held     []string
}

type builtWant struct {
	variant Variant
	want    Want
}

func newWantsBuilder() *wantsBuilder {
	return &wantsBuilder{clusters: map[string]builtWant{}}
}

func (b *wantsBuilder) set(cluster string, v Variant, w Want) {
	b.clusters[cluster] = builtWant{variant: v, want: w}
}

func (b *wantsBuilder) build() Wants {
	texts := map[string]Variant{}
	of := make(map[string]string, len(b.clusters))
	for name, c := range b.clusters {
		text := c.variant.text()
		texts[text], of[name] = c.variant, text
	}
	out := Wants{Version: content.Version, Clusters: make(map[string]Want, len(b.clusters))}
	index := make(map[string]int, len(texts))
	for i, text := range slices.Sorted(maps.Keys(texts)) {
		index[text] = i
		out.Variants = append(out.Variants, texts[text])
	}
	for name, c := range b.clusters {
		w := c.want
		w.Variant = index[of[name]]
		out.Clusters[name] = w
	}
	sort.Strings(b.held)
	out.HeldClusters = b.held
	return out
}

// text names a variant for comparison: equal variants have equal texts, ordered by content, then options.
func (v Variant) text() string {
	var b strings.Builder
	for _, part := range []string{string(v.Content), v.Options, string(v.Identity)} {
		b.WriteString(part)
		b.WriteByte(0)
	}
	for _, question := range slices.Sorted(maps.Keys(v.Answers)) {
		fmt.Fprintf(&b, "%q=%q,", question, v.Answers[question])
	}
	return b.String()
}
