package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// managerNamespace is where Muster's own objects live unless it was installed elsewhere.
const managerNamespace = "muster-system"

// hubFlags name a hub and a workspace on it.
type hubFlags struct {
	Kubeconfig string
	Context    string
	Workspace  string
	System     string
	Timeout    time.Duration
}

// bind adds the flags to a command.
func (f *hubFlags) bind(c *cobra.Command) {
	c.Flags().StringVar(&f.Kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, else ~/.kube/config)")
	c.Flags().StringVar(&f.Context, "context", "", "context in the kubeconfig (default: the current one)")
	c.Flags().StringVarP(&f.Workspace, "namespace", "n", "", "workspace (default: the context's namespace, else default)")
	c.Flags().StringVar(&f.System, "manager-namespace", managerNamespace, "namespace the manager runs in")
	c.Flags().DurationVar(&f.Timeout, "timeout", 30*time.Second, "give up after this long")
}

// hub is a connection to the hub's API server.
type hub struct {
	client    *rest.RESTClient
	address   string
	workspace string
	system    string
}

// dial reads the kubeconfig; it sends nothing yet.
func (f *hubFlags) dial() (*hub, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: f.Context})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w; name one with --kubeconfig, or start a hub with muster demo", err)
	}
	workspace := f.Workspace
	if workspace == "" {
		if workspace, _, err = loader.Namespace(); err != nil {
			return nil, fmt.Errorf("read the context's namespace: %w", err)
		}
	}
	client, err := newRESTClient(config)
	if err != nil {
		return nil, fmt.Errorf("prepare a client for %s: %w", config.Host, err)
	}
	return &hub{client: client, address: config.Host, workspace: workspace, system: f.System}, nil
}

// newRESTClient speaks plain JSON to any path of an API server.
func newRESTClient(config *rest.Config) (*rest.RESTClient, error) {
	config = rest.CopyConfig(config)
	config.APIPath = "/"
	config.GroupVersion = &metav1.Unversioned
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.QPS, config.Burst = 50, 100
	config.UserAgent = "muster"
	return rest.UnversionedRESTClientFor(config)
}

// path of a kind's list in a namespace; every namespace if it is empty.
func (k kind) path(namespace string) string {
	root := "/apis/" + v1alpha1.GroupVersion.String()
	if namespace == "" {
		return root + "/" + k.Plural
	}
	return root + "/namespaces/" + namespace + "/" + k.Plural
}

// body returns what a server answered. Only Error reads the server's own words
// out of a refusal, so it is asked first.
func body(answer rest.Result) ([]byte, error) {
	if err := answer.Error(); err != nil {
		return nil, err
	}
	return answer.Raw()
}

// get reads one object into a value.
func (h *hub) get(ctx context.Context, path string, into any) error {
	data, err := body(h.client.Get().AbsPath(path).Do(ctx))
	if err != nil {
		return h.explain("get", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read what %s answered to get %s: %w", h.address, path, err)
	}
	return nil
}

// create posts an object to its list and reads the answer into a value.
func (h *hub) create(ctx context.Context, path string, object, into any) error {
	encoded, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encode an object for %s: %w", path, err)
	}
	data, err := body(h.client.Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body(encoded).Do(ctx))
	if err != nil {
		return h.explain("create in", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read what %s answered to create %s: %w", h.address, path, err)
	}
	return nil
}

// annotate sets annotations by merge patch: nothing else of the object is touched.
func (h *hub) annotate(ctx context.Context, path string, annotations map[string]string) error {
	encoded, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return fmt.Errorf("encode annotations for %s: %w", path, err)
	}
	_, err = body(h.client.Patch(types.MergePatchType).AbsPath(path).Param("fieldManager", "muster-cli").Body(encoded).Do(ctx))
	return h.explain("annotate", path, err)
}

func (h *hub) delete(ctx context.Context, path string) error {
	_, err := body(h.client.Delete().AbsPath(path).Do(ctx))
	return h.explain("delete", path, err)
}

// whoami is the name under which the hub knows the caller.
func (h *hub) whoami(ctx context.Context) (string, error) {
	var review struct {
		Status struct {
			UserInfo struct {
				Username string `json:"username"`
			} `json:"userInfo"`
		} `json:"status"`
	}
	request := map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
	err := h.create(ctx, "/apis/authentication.k8s.io/v1/selfsubjectreviews", request, &review)
	return review.Status.UserInfo.Username, err
}
