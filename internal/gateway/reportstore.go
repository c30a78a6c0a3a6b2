package gateway

import (
	"context"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// reportStore keeps ClusterReports: one request for each that means something new.
type reportStore struct {
	client    client.Client
	live      client.Reader
	namespace string
}

// The results of put, for metrics.
const (
	reportWritten   = "written"
	reportUnchanged = "unchanged"
	reportOld       = "old"
	reportFailed    = "failed"
)

// maxConflicts is how often a write is tried against other replicas.
const maxConflicts = 5

// put stores a report over the object it was last seen as. After a conflict it
// reads live, and gives way to a later report of the same agent.
func (s reportStore) put(ctx context.Context, name string, seen *v1alpha1.ClusterReport, spec v1alpha1.ClusterReportSpec) (*v1alpha1.ClusterReport, string, error) {
	for range maxConflicts {
		if seen != nil && sameMeaning(seen.Spec, spec) {
			return seen, reportUnchanged, nil
		}
		written, err := s.write(ctx, name, seen, spec)
		if err == nil {
			return written, reportWritten, nil
		}
		if !isRace(err) {
			return nil, reportFailed, fmt.Errorf("store report of %s: %w", name, err)
		}
		if seen, err = s.read(ctx, name); err != nil {
			return nil, reportFailed, err
		}
		if seen != nil && seen.Spec.Session == spec.Session && seen.Spec.Sequence >= spec.Sequence {
			return seen, reportOld, nil
		}
	}
	return nil, reportFailed, fmt.Errorf("store report of %s: it changed %d times meanwhile", name, maxConflicts)
}

// isRace tells whether the object was not as it had been seen.
func isRace(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}

func (s reportStore) write(ctx context.Context, name string, seen *v1alpha1.ClusterReport, spec v1alpha1.ClusterReportSpec) (*v1alpha1.ClusterReport, error) {
	if seen == nil {
		made := &v1alpha1.ClusterReport{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, Spec: spec}
		return made, s.client.Create(ctx, made)
	}
	next := seen.DeepCopy()
	next.Spec = spec
	return next, s.client.Update(ctx, next)
}

// read returns nil if there is no such report.
func (s reportStore) read(ctx context.Context, name string) (*v1alpha1.ClusterReport, error) {
	var r v1alpha1.ClusterReport
	err := s.live.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, &r)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get report of %s: %w", name, err)
	}
	return &r, nil
}

// newerObject returns the later of two states of one object. Resource versions
// are comparable numbers since Kubernetes 1.35 (KEP-5504); another uid is
// another object and the second is later.
func newerObject(a, b *v1alpha1.ClusterReport) *v1alpha1.ClusterReport {
	if a == nil || a.UID != b.UID {
		return b
	}
	va, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	vb, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	if errA == nil && errB == nil && vb < va {
		return a
	}
	return b
}
