package loop

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// Reconcile works on one key. It returns how long to wait before the key is to
// be worked on again; 0 means until it is marked. An error is tried again with
// back-off.
type Reconcile[T comparable] func(ctx context.Context, key T) (time.Duration, error)

// Loop is a queue of keys and the function that works them off.
type Loop[T comparable] struct {
	name      string
	workers   int
	reconcile Reconcile[T]
	queue     workqueue.TypedRateLimitingInterface[T]
}

// New returns a loop of that many workers. Errors are tried again after base,
// then twice as long each time, at most every most.
func New[T comparable](name string, workers int, base, most time.Duration, reconcile Reconcile[T]) *Loop[T] {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[T](base, most)
	return &Loop[T]{name: name, workers: workers, reconcile: reconcile, queue: workqueue.NewTypedRateLimitingQueue(limiter)}
}

// Mark has a key worked on; it never blocks, and marking twice is marking once.
func (l *Loop[T]) Mark(key T) { l.queue.Add(key) }

// MarkAfter has a key worked on after d.
func (l *Loop[T]) MarkAfter(key T, d time.Duration) { l.queue.AddAfter(key, d) }

// Run works until ctx ends, and returns when every worker has.
func (l *Loop[T]) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range l.workers {
		workers.Go(func() {
			for l.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	l.queue.ShutDown()
	workers.Wait()
	return nil
}

func (l *Loop[T]) next(ctx context.Context) bool {
	key, stop := l.queue.Get()
	if stop {
		return false
	}
	defer l.queue.Done(key)
	wait, err := l.guarded(ctx, key)
	if err != nil {
		// A conflict says only that somebody else wrote first; trying again is the whole remedy.
		if !apierrors.IsConflict(err) && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "will try again", "loop", l.name, "key", key)
		}
		l.queue.AddRateLimited(key)
		return true
	}
	l.queue.Forget(key)
	if wait > 0 {
		l.queue.AddAfter(key, wait)
	}
	return true
}

// guarded keeps a panic on one key from ending the others' work.
func (l *Loop[T]) guarded(ctx context.Context, key T) (wait time.Duration, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return l.reconcile(ctx, key)
}
