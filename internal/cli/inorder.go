package cli

import (
	"context"
	"iter"
)

// inOrder does jobs side by side and hands what came of them to use, in their
// order. At most ahead of them are under way or wait to be used, so that memory
// does not grow with their number. It returns when nothing runs any more.
func inOrder[J, R any](ctx context.Context, ahead int, jobs iter.Seq[J], do func(context.Context, J) R, use func(R) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	underWay := make(chan chan R, ahead)
	go func() {
		defer close(underWay)
		for j := range jobs {
			done := make(chan R, 1)
			select {
			case underWay <- done:
			case <-ctx.Done():
				return
			}
			go func() { done <- do(ctx, j) }()
		}
	}()
	var failed error
	for done := range underWay {
		r := <-done
		if failed == nil && ctx.Err() == nil {
			failed = use(r)
		}
		if failed != nil {
			cancel()
		}
	}
	if failed != nil {
		return failed
	}
	return ctx.Err()
}
