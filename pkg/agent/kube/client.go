package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// accountTTL is how long a service account that was seen counts as there.
const accountTTL = 10 * time.Second

// requestTimeout bounds every request but watches.
const requestTimeout = 30 * time.Second

// ErrNoAccount says that a bundle's service account does not exist. Nothing is
// ever done with the agent's own rights instead.
var ErrNoAccount = errors.New("service account not found")

// Client makes requests to the cluster.
type Client struct {
	config    *rest.Config
	namespace string
	own       rest.Interface
	Kinds     *Kinds

	mu       sync.Mutex // guards the two maps
	accounts map[string]rest.Interface
	seen     map[string]time.Time
}

// New returns a client for the cluster of config. Service accounts of bundles
// are looked for in namespace, the agent's own.
func New(config *rest.Config, namespace, userAgent string) (*Client, error) {
	c := rest.CopyConfig(config)
	// Our own limits are in the number of workers; the API server's priority
	// and fairness answers 429 with Retry-After, which client-go honours, but
	// for applies: there the core does, so that no worker sleeps.
	c.QPS, c.Burst, c.RateLimiter = -1, 0, nil
	c.UserAgent = userAgent
	c.WarningHandler = rest.NoWarnings{}
	c.ContentType, c.AcceptContentTypes = "application/json", "application/json"
	c.GroupVersion = nil
	c.NegotiatedSerializer = codecs()
	own, err := clientFor(c)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", c.Host, err)
	}
	return &Client{
		config: c, namespace: namespace, own: own, Kinds: newKinds(c),
		accounts: map[string]rest.Interface{}, seen: map[string]time.Time{},
	}, nil
}

// codecs decode metav1.Status and nothing else: objects are handled as JSON.
func codecs() runtime.NegotiatedSerializer {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	return serializer.NewCodecFactory(scheme).WithoutConversion()
}

func clientFor(c *rest.Config) (rest.Interface, error) {
	httpClient, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, err
	}
	return rest.UnversionedRESTClientForConfigAndClient(c, httpClient)
}

// Namespace is the agent's own.
func (c *Client) Namespace() string { return c.namespace }

// as returns the client that acts as a bundle's service account, or with the
// agent's own rights when none is named. It is the only road to a client.
func (c *Client) as(ctx context.Context, account string) (rest.Interface, error) {
	if account == "" {
		return c.own, nil
	}
	if strings.ContainsAny(account, "/:") {
		return nil, fmt.Errorf("service account %q: %w", account, ErrNoAccount)
	}
	if err := c.accountExists(ctx, account); err != nil {
		return nil, err
	}
	return c.impersonating(account)
}

// accountExists reads the account live now and then: impersonating one that is
// missing would work, with the rights of every bearer of that name.
func (c *Client) accountExists(ctx context.Context, account string) error {
	c.mu.Lock()
	fresh := time.Since(c.seen[account]) < accountTTL
	c.mu.Unlock()
	if fresh {
		return nil
	}
	path := Resource{Version: "v1", Name: "serviceaccounts", Namespaced: true}.Path(c.namespace, account)
	_, err := do(ctx, c.own.Get().AbsPath(path).SetHeader("Accept", metadataOnly))
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("service account %s/%s: %w", c.namespace, account, ErrNoAccount)
	}
	if err != nil {
		return fmt.Errorf("look for service account %s/%s: %w", c.namespace, account, err)
	}
	c.mu.Lock()
	c.seen[account] = time.Now()
	c.mu.Unlock()
	return nil
}

func (c *Client) impersonating(account string) (rest.Interface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, ok := c.accounts[account]; ok {
		return client, nil
	}
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + c.namespace + ":" + account}
	client, err := clientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for service account %s: %w", account, err)
	}
	c.accounts[account] = client
	return client, nil
}

// metadataOnly asks for metadata without spec, status or data.
const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

const metadataListOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

func do(ctx context.Context, r *rest.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result := r.Do(ctx)
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

// Apply sends one server-side apply and returns the object as it is then.
// Conflicts are forced: whether the object may be taken was decided before.
func (c *Client) Apply(ctx context.Context, account, path, manager string, body []byte) ([]byte, error) {
	client, err := c.as(ctx, account)
	if err != nil {
		return nil, err
	}
	return do(ctx, client.Patch(types.ApplyPatchType).AbsPath(path).
		Param("fieldManager", manager).Param("force", "true").MaxRetries(0).Body(body))
}

// Delete deletes the object with this uid and nothing else. The answer is the
// object while finalizers run, else a Status.
func (c *Client) Delete(ctx context.Context, account, path, uid string) ([]byte, error) {
	client, err := c.as(ctx, account)
	if err != nil {
		return nil, err
	}
	body := `{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background","preconditions":{"uid":"` + uid + `"}}`
	return do(ctx, client.Delete().AbsPath(path).Body([]byte(body)))
}

// Get returns an object as JSON, read with the agent's own rights.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	return do(ctx, c.own.Get().AbsPath(path))
}

// GetMetadata returns an object's metadata.
func (c *Client) GetMetadata(ctx context.Context, path string) ([]byte, error) {
	return do(ctx, c.own.Get().AbsPath(path).SetHeader("Accept", metadataOnly))
}

// Create posts an object of the agent itself.
func (c *Client) Create(ctx context.Context, path string, body []byte) ([]byte, error) {
	return do(ctx, c.own.Post().AbsPath(path).Body(body))
}

// Replace puts an object of the agent itself.
func (c *Client) Replace(ctx context.Context, path string, body []byte) ([]byte, error) {
	return do(ctx, c.own.Put().AbsPath(path).Body(body))
}

// Merge applies an object of the agent itself.
func (c *Client) Merge(ctx context.Context, path string, body []byte) ([]byte, error) {
	return do(ctx, c.own.Patch(types.ApplyPatchType).AbsPath(path).
		Param("fieldManager", "muster-agent").Param("force", "true").Body(body))
}

// Remove deletes an object of the agent itself; one that is absent is no error.
func (c *Client) Remove(ctx context.Context, path string) error {
	_, err := do(ctx, c.own.Delete().AbsPath(path))
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Watch opens a stream of watch events; the caller closes it.
func (c *Client) Watch(ctx context.Context, path, selector, revision string) (io.ReadCloser, error) {
	return c.own.Get().AbsPath(path).
		Param("watch", "true").Param("allowWatchBookmarks", "true").
		Param("labelSelector", selector).Param("resourceVersion", revision).
		MaxRetries(0).Stream(ctx)
}

// Ping tells whether the API server answers.
func (c *Client) Ping(ctx context.Context) error {
	_, err := do(ctx, c.own.Get().AbsPath("/readyz"))
	return err
}

// IsGone tells whether err says that the object is not there.
func IsGone(err error) bool { return apierrors.IsNotFound(err) }

// IsStatus tells whether err is an answer with this HTTP status.
func IsStatus(err error, code int) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && int(status.Status().Code) == code
}

// IsExpired tells whether a list or watch has to begin anew (410).
func IsExpired(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || IsStatus(err, http.StatusGone)
}
