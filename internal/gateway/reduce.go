package gateway

import (
	"encoding/json"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// The lengths that ClusterReport's schema allows.
const (
	maxMessage  = 1024
	maxKey      = 600
	maxHeads    = 1000
	maxFactText = 64
	maxAPIName  = 256
)

// known are the bundles that a cluster's document speaks of.
type known struct {
	// complete is false when there is no document or its entries could not be read: nothing is left out then.
	complete bool
	entries  map[string]bool
	removals map[string]bool
}

// knownIn reads a document and, if it has one, its entry list.
func knownIn(document, list string) known {
	k := known{entries: map[string]bool{}, removals: map[string]bool{}}
	var doc protocol.Document
	if document == "" || json.Unmarshal([]byte(document), &doc) != nil {
		return k
	}
	if doc.EntriesRef != "" {
		var l protocol.EntryList
		if list == "" || json.Unmarshal([]byte(list), &l) != nil {
			return k
		}
		doc.Entries = append(doc.Entries, l.Entries...)
	}
	for _, e := range doc.Entries {
		k.entries[e.UID] = true
	}
	for _, r := range doc.Removals {
		k.removals[r.UID] = true
	}
	k.complete = true
	return k
}

// reduce turns what an agent said into what the hub keeps: nothing of bundles
// it was not given, no head that its document lists, no text that a terminal or
// a browser would obey.
func reduce(r protocol.Report, k known) v1alpha1.ClusterReportSpec {
	return v1alpha1.ClusterReportSpec{
		Assignment: safeText(r.Assignment, maxFactText),
		Session:    safeText(r.Session, maxFactText),
		Sequence:   r.Sequence,
		Epoch:      r.Epoch,
		Revision:   r.Revision,
		Counts:     counts(r.Counts),
		Bundles:    bundles(r.Bundles, k),
		NotReady:   r.NotReady,
		Heads:      heads(r.Heads, k),
		Messages:   messages(r.Messages),
	}
}

func counts(by map[protocol.State]int) v1alpha1.Summary {
	s := v1alpha1.Summary{
		Ready: by[protocol.StateReady], Applying: by[protocol.StateApplying], NotReady: by[protocol.StateNotReady],
		Modified: by[protocol.StateModified], Failed: by[protocol.StateFailed], Held: by[protocol.StateHeld],
		Pending: by[protocol.StatePending], Removing: by[protocol.StateRemoving],
	}
	s.Desired = s.Ready + s.Applying + s.NotReady + s.Modified + s.Failed + s.Held + s.Pending
	return s
}

func bundles(reported []protocol.BundleReport, k known) []v1alpha1.BundleReport {
	var kept []v1alpha1.BundleReport
	for _, b := range reported {
		if !k.entries[b.UID] && !k.removals[b.UID] {
			continue // nobody asked this agent about it
		}
		kept = append(kept, v1alpha1.BundleReport{
			UID: b.UID, Generation: b.Generation, State: string(b.State), More: b.More,
			Message: safeText(b.Message, maxMessage), Objects: objects(b.Objects),
		})
	}
	return kept
}

func objects(reported []protocol.ObjectReport) []v1alpha1.ObjectReport {
	var kept []v1alpha1.ObjectReport
	for _, o := range reported {
		kept = append(kept, v1alpha1.ObjectReport{
			Key: safeText(o.Key, maxKey), State: safeText(o.State, maxFactText), Message: safeText(o.Message, maxMessage),
		})
	}
	return kept
}

// heads keeps the inventories that the document does not list; those are what removals are made from.
func heads(reported []protocol.Head, k known) []v1alpha1.Head {
	var kept []v1alpha1.Head
	for _, h := range reported {
		if k.complete && k.entries[h.UID] {
			continue
		}
		kept = append(kept, v1alpha1.Head{
			UID: safeText(h.UID, maxFactText), Generation: h.Generation,
			Bundle: safeText(h.Workspace+"/"+h.Bundle, 2*maxAPIName),
		})
	}
	sort.Slice(kept, func(i, j int) bool { return kept[i].UID < kept[j].UID })
	return kept[:min(len(kept), maxHeads)]
}

func messages(reported []string) []string {
	var kept []string
	for _, m := range reported {
		kept = append(kept, safeText(m, maxMessage))
	}
	return kept
}

// facts are what an agent says of its cluster, as bounded as the schema asks.
func facts(f protocol.Facts) *v1alpha1.ClusterFacts {
	kept := &v1alpha1.ClusterFacts{
		KubernetesVersion: safeText(f.KubernetesVersion, maxFactText),
		AgentVersion:      safeText(f.AgentVersion, maxFactText),
		Nodes:             max(f.Nodes, 0),
	}
	for _, v := range f.APIVersions {
		kept.APIVersions = append(kept.APIVersions, safeText(v, maxAPIName))
	}
	sort.Strings(kept.APIVersions)
	kept.APIVersions = kept.APIVersions[:min(len(kept.APIVersions), protocol.MaxAPIVersions)]
	return kept
}

// safeText replaces control characters, directional overrides and broken
// UTF-8, and cuts at limit characters.
func safeText(s string, limit int) string {
	s = strings.ToValidUTF8(s[:min(len(s), limit*utf8.UTFMax)], "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.Is(unicode.C, r):
			return '\uFFFD'
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// sameMeaning tells whether storing b over a would tell nobody anything: who
// said it and how often does not matter.
func sameMeaning(a, b v1alpha1.ClusterReportSpec) bool {
	a.Session, a.Sequence = b.Session, b.Sequence
	return equality.Semantic.DeepEqual(a, b)
}
