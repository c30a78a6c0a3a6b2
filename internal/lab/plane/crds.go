package plane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/muster-dev/muster/charts"
	"golang.org/x/sync/errgroup"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// InstallCRDs applies Muster's CRDs from charts/muster-crds and returns when
// all are Established.
func InstallCRDs(ctx context.Context, config *rest.Config) error {
	client, err := apiextensions.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("install CRDs: %w", err)
	}
	files, err := fs.Glob(charts.Files, "muster-crds/templates/*.yaml")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("install CRDs: find them: %d files, %w", len(files), err)
	}
	var installing errgroup.Group
	installing.SetLimit(8)
	for _, file := range files {
		installing.Go(func() error { return installCRD(ctx, client, file) })
	}
	return installing.Wait()
}

func installCRD(ctx context.Context, client *apiextensions.ApiextensionsV1Client, file string) error {
	raw, err := fs.ReadFile(charts.Files, file)
	if err != nil {
		return fmt.Errorf("install CRD: %w", err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(raw, &crd); err != nil {
		return fmt.Errorf("install CRD from %s: %w", file, err)
	}
	body, err := yaml.YAMLToJSON(raw)
	if err != nil {
		return fmt.Errorf("install CRD from %s: %w", file, err)
	}
	force := true
	crds := client.CustomResourceDefinitions()
	if _, err := crds.Patch(ctx, crd.Name, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "lab", Force: &force}); err != nil {
		return fmt.Errorf("install CRD %s: %w", crd.Name, err)
	}
	for {
		live, err := crds.Get(ctx, crd.Name, metav1.GetOptions{})
		if err == nil && established(live) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("await CRD %s Established: %w", crd.Name, errors.Join(context.Cause(ctx), err))
		case <-time.After(readyPoll):
		}
	}
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range crd.Status.Conditions {
		if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
			return true
		}
	}
	return false
}
