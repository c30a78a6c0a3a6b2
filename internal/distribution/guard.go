package distribution

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/muster-dev/muster/pkg/content"
)

// Loss is what a change would take away from one bundle, net of handovers.
type Loss struct {
	// Clusters that would lose the whole bundle.
	Clusters []string
	// Objects that would be deleted, as "workspace/cluster key", sorted.
	Objects []string
	// Protected are those of Objects whose deletion loses data, when content changed.
	Protected []string
	// Empty says that nothing is left where something was.
	Empty bool
	// HadClusters and HadObjects count what there was: clusters of the bundle, and the
	// most objects of one cluster.
	HadClusters int
	// WorstLost and WorstHad are the numbers of the cluster that loses the largest share.
	WorstLost int
	WorstHad  int
}

// protectedKinds hold data or others' objects; their deletion is never a matter of count.
// A StatefulSet is protected by its volume claims, see Keyed.Claims.
var protectedKinds = map[string]bool{
	"/Namespace": true,
	"apiextensions.k8s.io/CustomResourceDefinition": true,
	"/PersistentVolume":                             true,
	"/PersistentVolumeClaim":                        true,
}

// Keyed is one object of a variant, as far as guards look at it.
type Keyed struct {
	Key content.Key
	// Claims says that it is a StatefulSet with volumeClaimTemplates.
	Claims bool
}

// Protected tells whether deleting the object may lose data.
func (k Keyed) Protected() bool {
	group, kind, _, _ := k.Key.Split()
	return k.Claims || protectedKinds[group+"/"+kind]
}

// exceeds is the threshold of DESIGN section 7: more than max(5, 30 %), or all
// when there was more than one.
func exceeds(lost, had int) bool {
	if lost == 0 {
		return false
	}
	if lost >= had {
		return had > 1
	}
	return lost > max(5, had*30/100)
}

// Verdict says whether a loss needs approval and why, in one sentence; "" lets
// it pass. A person's own act is judged by count only.
func (l Loss) Verdict(ownAct bool) string {
	switch {
	case l.Empty && !ownAct:
		return "nothing is left of a bundle that had objects"
	case len(l.Protected) > 0 && !ownAct:
		return fmt.Sprintf("%d protected object(s) would be deleted: %s", len(l.Protected), firstFew(l.Protected))
	case exceeds(l.WorstLost, l.WorstHad):
		return fmt.Sprintf("%d of %d objects would be deleted on a cluster: %s", l.WorstLost, l.WorstHad, firstFew(l.Objects))
	case exceeds(len(l.Clusters), l.HadClusters):
		return fmt.Sprintf("%d of %d clusters would lose the bundle: %s", len(l.Clusters), l.HadClusters, firstFew(l.Clusters))
	}
	return ""
}

func firstFew(all []string) string {
	const few = 3
	if len(all) <= few {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:few], ", "), len(all)-few)
}

// Set is the loss as a sorted set of texts: what an approval covers.
func (l Loss) Set() []string {
	set := append([]string(nil), l.Objects...)
	for _, c := range l.Clusters {
		set = append(set, "cluster "+c)
	}
	sort.Strings(set)
	return set
}

// HoldID names a loss set: the same losses always have the same id.
func HoldID(set []string) string {
	sum := sha256.Sum256([]byte(strings.Join(set, "\n")))
	return "loss-" + hex.EncodeToString(sum[:5])
}

// Covered tells whether every loss of set is in the approved one.
func Covered(set, approved []string) bool {
	have := make(map[string]bool, len(approved))
	for _, a := range approved {
		have[a] = true
	}
	for _, s := range set {
		if !have[s] {
			return false
		}
	}
	return true
}

// LossBlob stores a loss set beside the wants it belongs to.
func LossBlob(set []string) (content.Blob, error) {
	data, err := json.Marshal(set)
	if err != nil {
		return content.Blob{}, fmt.Errorf("encode losses: %w", err)
	}
	return content.Blob{Kind: "losses", ID: content.IDOf(data), Data: data}, nil
}

// lossInput is what measureLoss compares.
type lossInput struct {
	// Before and After are the wants to compare.
	Before, After Wants
	// Objects of a variant, as far as they are known.
	Objects func(Variant) (index, error)
	// Gone clusters no longer exist; nothing can be deleted there.
	Gone func(cluster string) bool
	// OwnedElsewhere tells whether another bundle wants the key on that cluster: a handover, not a loss.
	OwnedElsewhere func(cluster string, key content.Key) (bool, error)
	// Deleted says that the bundle itself goes: then the objects count on every cluster it leaves. A
	// cluster that merely stops matching counts as one cluster.
	Deleted bool
	// Forgets says that removal leaves objects in place (keepResources).
	Forgets bool
}

// once has the objects of variants that only differ in what was drawn read once.
func once(objects func(Variant) (index, error)) func(Variant) (index, error) {
	known := map[content.ID]index{}
	return func(v Variant) (index, error) {
		if x, ok := known[v.kin()]; ok {
			return x, nil
		}
		x, err := objects(v)
		if err == nil {
			known[v.kin()] = x
		}
		return x, err
	}
}

// measureLoss counts what a change takes away. Clusters with the same pair of
// identities share the comparison; handovers are only asked about for keys that
// are really lost, which is rare.
func measureLoss(in lossInput) (Loss, error) {
	var loss Loss
	pairs := map[[2]content.ID][]Keyed{}
	in.Objects = once(in.Objects)
	for _, cluster := range sortedClusters(in.Before) {
		if in.Gone(cluster) {
			continue
		}
		loss.HadClusters++
		before, _, _ := in.Before.VariantOf(cluster)
		after, _, still := in.After.VariantOf(cluster)
		pair := [2]content.ID{before.kin(), after.kin()}
		lost, done := pairs[pair]
		if !done {
			var err error
			if lost, err = lostObjects(in.Objects, before, after, still); err != nil {
				return Loss{}, err
			}
			pairs[pair] = lost
		}
		if err := loss.add(in, cluster, before, lost, still); err != nil {
			return Loss{}, err
		}
	}
	sort.Strings(loss.Objects)
	sort.Strings(loss.Protected)
	return loss, nil
}

func (l *Loss) add(in lossInput, cluster string, before Variant, lost []Keyed, still bool) error {
	if in.Forgets && !still {
		return nil
	}
	count := 0
	for _, o := range lost {
		moved, err := in.OwnedElsewhere(cluster, o.Key)
		if err != nil {
			return err
		}
		if moved {
			continue
		}
		count++
		l.Objects = append(l.Objects, cluster+" "+string(o.Key))
		if o.Protected() {
			l.Protected = append(l.Protected, cluster+" "+string(o.Key))
		}
	}
	had, err := in.Objects(before)
	if err != nil {
		return err
	}
	// A cluster that leaves loses what is not known here as surely as what is.
	if !still && (count > 0 || had.unknown()) {
		l.Clusters = append(l.Clusters, cluster)
	}
	if still && len(had.objects) > 0 && count == len(had.objects) {
		l.Empty = true
	}
	if still || in.Deleted {
		l.worst(count, len(had.objects))
	}
	return nil
}

// worst keeps the numbers of the cluster to be judged: one over the threshold if there is any.
func (l *Loss) worst(lost, had int) {
	over, wasOver := exceeds(lost, had), exceeds(l.WorstLost, l.WorstHad)
	if over && !wasOver || over == wasOver && lost > l.WorstLost {
		l.WorstLost, l.WorstHad = lost, had
	}
}

// lostObjects are those of before that are not in after. What the cluster
// renders by itself is not known here, and only what is known is ever lost.
func lostObjects(objects func(Variant) (index, error), before, after Variant, still bool) ([]Keyed, error) {
	if still && before.kin() == after.kin() {
		return nil, nil
	}
	had, err := objects(before)
	if err != nil {
		return nil, err
	}
	if !still {
		return had.objects, nil
	}
	have, err := objects(after)
	if err != nil || have.unknown() {
		return nil, err
	}
	kept := make(map[content.Key]bool, len(have.objects))
	for _, o := range have.objects {
		kept[o.Key] = true
	}
	var lost []Keyed
	for _, o := range had.objects {
		if !kept[o.Key] {
			lost = append(lost, o)
		}
	}
	return lost, nil
}

func sortedClusters(w Wants) []string {
	names := make([]string, 0, len(w.Clusters))
	for name := range w.Clusters {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
