package distribution

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/muster-dev/muster/pkg/content"
)

// owners tells whether a key that one bundle loses is another's: then it is
// handed over and not lost. It is asked cluster by cluster, only for keys that
// are really lost.
type owners struct {
	deployer *Deployer
	self     string
	// planned are the bundles of the same change, by workspace/name, whose plan counts instead of
	// what is stored of them.
	planned map[string]*work
	// receivers are those of planned that take something over: they must be stored first.
	receivers map[string]*work

	cluster string // asked about last
	stored  map[string]Variant
}

// ownersBeside are the owners beside one bundle. A bundle that failed keeps
// what is stored of it; a paused one hands out nothing, so it takes nothing over.
func (d *Deployer) ownersBeside(self string, batch []*work, failed map[string]error) *owners {
	o := &owners{deployer: d, self: self, planned: map[string]*work{}, receivers: map[string]*work{}}
	for _, w := range batch {
		if w.key() != self && failed[w.key()] == nil {
			o.planned[w.key()] = w
		}
	}
	return o
}

func (o *owners) want(ctx context.Context, cluster string, key content.Key) (bool, error) {
	for name, w := range o.planned {
		have, err := w.objectsOn(ctx, o.deployer, cluster)
		if err != nil {
			return false, err
		}
		if !w.desired.Bundle.Spec.Paused && has(have, key) {
			o.receivers[name] = w
			return true, nil
		}
	}
	if o.cluster != cluster || o.stored == nil {
		o.cluster, o.stored = cluster, o.deployer.Composer.variantsOn(cluster)
	}
	for name, v := range o.stored {
		if name == o.self || o.planned[name] != nil {
			continue
		}
		workspace, _, _ := strings.Cut(name, "/")
		have, err := o.deployer.Reader.Objects(ctx, workspace, v.Content)
		if err != nil {
			return false, err
		}
		if has(have, key) {
			return true, nil
		}
	}
	return false, nil
}

// inOrder commits every work after those that take objects over from it, and
// not at all if one of them could not be stored: what is stored must be whole
// after any prefix of the writes. Bundles that swap objects go together.
func inOrder(works []*work, failed map[string]error, commit func([]*work)) {
	waiting := map[string]*work{}
	for _, w := range works {
		if failed[w.key()] == nil {
			waiting[w.key()] = w
		}
	}
	for len(waiting) > 0 {
		var next []*work
		for _, w := range works {
			if waiting[w.key()] == w && !w.awaitsAny(waiting) {
				next = append(next, w)
			}
		}
		if len(next) == 0 {
			for _, w := range waiting {
				next = append(next, w)
			}
		}
		var able []*work
		for _, w := range next {
			delete(waiting, w.key())
			if name, err := w.receiverFailed(failed); err != nil {
				failed[w.key()] = fmt.Errorf("bundle %s waits for %s, which takes objects over from it: %w", w.key(), name, err)
				continue
			}
			able = append(able, w)
		}
		commit(able)
	}
}

func (w *work) awaitsAny(waiting map[string]*work) bool {
	for name := range w.receivers {
		if waiting[name] != nil {
			return true
		}
	}
	return false
}

func (w *work) receiverFailed(failed map[string]error) (string, error) {
	for name := range w.receivers {
		if failed[name] != nil {
			return name, failed[name]
		}
	}
	return "", nil
}

// parallelCommits bounds writes to the hub's API at once.
const parallelCommits = 8

func (d *Deployer) commitAll(ctx context.Context, works []*work, failed map[string]error) {
	inOrder(works, failed, func(able []*work) {
		var group errgroup.Group
		group.SetLimit(parallelCommits)
		errs := make([]error, len(able))
		for i, w := range able {
			group.Go(func() error {
				errs[i] = d.commit(ctx, w)
				return nil
			})
		}
		_ = group.Wait() // Errors are kept per bundle, in errs.
		for i, err := range errs {
			if err != nil {
				failed[able[i].key()] = err
			}
		}
	})
}
