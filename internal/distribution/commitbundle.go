package distribution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func (d *Deployer) commitBundle(ctx context.Context, w *work) error {
	if w.bundle == nil {
		b := w.desired.Bundle.DeepCopy()
		controllerutil.AddFinalizer(b, v1alpha1.Finalizer)
		if err := d.Client.Create(ctx, b); err != nil {
			return fmt.Errorf("create Bundle %s: %w", w.key(), err)
		}
		d.bundles.Wrote(b)
		w.bundle = b
		return nil
	}
	changes := changesOf(w.bundle, w.desired.Bundle)
	if len(changes) == 0 {
		return nil
	}
	b, err := d.patchBundle(ctx, w.bundle, changes)
	if err != nil {
		d.bundles.Forget(keyOf(w.bundle))
		return fmt.Errorf("update Bundle %s: %w", w.key(), err)
	}
	d.bundles.Wrote(b)
	w.bundle = b
	return nil
}

// changesOf replaces as a whole what is ours of a Bundle, where it differs.
func changesOf(stored, want *v1alpha1.Bundle) []operation {
	var changes []operation
	if !equality.Semantic.DeepEqual(stored.Spec, want.Spec) {
		changes = append(changes, operation{"add", "/spec", want.Spec})
	}
	if !equality.Semantic.DeepEqual(stored.Labels, want.Labels) {
		changes = append(changes, operation{"add", "/metadata/labels", want.Labels})
	}
	if stored.DeletionTimestamp.IsZero() && !slices.Contains(stored.Finalizers, v1alpha1.Finalizer) {
		if len(stored.Finalizers) == 0 {
			changes = append(changes, operation{"add", "/metadata/finalizers", []string{v1alpha1.Finalizer}})
		} else {
			changes = append(changes, operation{"add", "/metadata/finalizers/-", v1alpha1.Finalizer})
		}
	}
	return changes
}

// patchBundle changes a Bundle whose spec is still the one that was read. Its
// generation says so: a status that is written meanwhile, or an annotation, is
// no conflict, and another manager's spec is never overwritten.
func (d *Deployer) patchBundle(ctx context.Context, stored *v1alpha1.Bundle, changes []operation) (*v1alpha1.Bundle, error) {
	patch, err := json.Marshal(append([]operation{
		{"test", "/metadata/uid", stored.UID},
		{"test", "/metadata/generation", stored.Generation},
	}, changes...))
	if err != nil {
		return nil, fmt.Errorf("encode the change: %w", err)
	}
	b := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: stored.Namespace, Name: stored.Name}}
	err = d.Client.Patch(ctx, b, client.RawPatch(types.JSONPatchType, patch))
	if testFailed(err) {
		return nil, apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("bundles").GroupResource(), stored.Name, err)
	}
	return b, err
}

// testFailed tells a patch that does not fit what is stored from a Bundle that
// is refused: the server says of the first nothing more.
func testFailed(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || len(details.Causes) == 0
}
