package lab

import (
	"context"
	"fmt"
	"log"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// nodeName is the one node of every cluster.
const nodeName = "node-1"

// bindRetry and bindRetryMost bound the wait after a bind that failed: a busy
// API server answers 429 or 500.
const bindRetry, bindRetryMost = 100 * time.Millisecond, 2 * time.Second

// binder plays the scheduler of a cluster with one node: it watches pods that
// have none and gives them that one.
type binder struct {
	client kubernetes.Interface
}

func newBinder(config *rest.Config) (*binder, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make binder: %w", err)
	}
	return &binder{client: client}, nil
}

// addNode makes the node that kwok will play.
func (b *binder) addNode(ctx context.Context) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: map[string]string{
		"kubernetes.io/hostname": nodeName, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
	}}}
	_, err := b.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make node %s: %w", nodeName, err)
	}
	return nil
}

// run binds until ctx ends.
func (b *binder) run(ctx context.Context) {
	unbound := fields.OneTermEqualSelector("spec.nodeName", "")
	source := cache.NewListWatchFromClient(b.client.CoreV1().RESTClient(), "pods", metav1.NamespaceAll, unbound)
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: source, ObjectType: &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { b.bind(ctx, o) },
			UpdateFunc: func(_, o any) { b.bind(ctx, o) },
		},
	})
	informer.RunWithContext(ctx)
}

func (b *binder) bind(ctx context.Context, object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
		return
	}
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: nodeName},
	}
	for wait := bindRetry; ; wait = min(2*wait, bindRetryMost) {
		err := b.client.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{})
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) || ctx.Err() != nil {
			return // bound, or gone, or somebody else was faster
		}
		log.Printf("bind pod %s/%s: %v", pod.Namespace, pod.Name, err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
