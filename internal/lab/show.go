package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"golang.org/x/term"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// redraw is the least distance between two drawings of the board.
const redraw = 200 * time.Millisecond

// show prints where everything is and what to try, then keeps the board up to
// date until ctx ends.
func (l *Lab) show(ctx context.Context, o DemoOptions, c Contract, console *console) error {
	l.say("ready")
	console.settle()
	fmt.Fprintln(o.Stdout, introduction(c, l.options.Dir))
	objects, dirty, err := l.watch(ctx)
	if err != nil {
		return err
	}
	screen := &screen{out: o.Stdout, terminal: isTerminal(o.Stdout)}
	for {
		now, err := readBoard(ctx, objects)
		if err != nil {
			return err
		}
		screen.draw(now.String())
		select {
		case <-ctx.Done():
			return nil
		case <-dirty:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(redraw):
		}
	}
}

// watch caches what the board is read from; dirty gets a value after changes.
func (l *Lab) watch(ctx context.Context) (client.Reader, <-chan struct{}, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, nil, err
	}
	objects, err := cache.New(l.plane.Server(HubName).Config(), cache.Options{Scheme: scheme})
	if err != nil {
		return nil, nil, fmt.Errorf("watch the hub: %w", err)
	}
	dirty := make(chan struct{}, 1)
	mark := func() {
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
	for _, kind := range []client.Object{&v1alpha1.GitRepo{}, &v1alpha1.Cluster{}, &v1alpha1.Assignment{}, &v1alpha1.ClusterReport{}} {
		informer, err := objects.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, nil, fmt.Errorf("watch the hub: %w", err)
		}
		handler := toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { mark() }, UpdateFunc: func(any, any) { mark() }, DeleteFunc: func(any) { mark() },
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, nil, fmt.Errorf("watch the hub: %w", err)
		}
	}
	// Start returns an error only if it is called twice.
	l.running.Go(func() { _ = objects.Start(ctx) })
	objects.WaitForCacheSync(ctx)
	return objects, dirty, nil
}

func readBoard(ctx context.Context, objects client.Reader) (board, error) {
	var repos v1alpha1.GitRepoList
	var clusters v1alpha1.ClusterList
	var assignments v1alpha1.AssignmentList
	var reports v1alpha1.ClusterReportList
	for _, list := range []client.ObjectList{&repos, &clusters, &assignments, &reports} {
		if err := objects.List(ctx, list); err != nil {
			return board{}, fmt.Errorf("read the board: %w", err)
		}
	}
	return newBoard(repos.Items, clusters.Items, assignments.Items, reports.Items), nil
}

// screen draws the board: over the last one on a terminal, else below it and
// only when it differs.
type screen struct {
	out      io.Writer
	terminal bool
	last     string
	lines    int
}

func (s *screen) draw(text string) {
	if text == s.last {
		return
	}
	s.last = text
	if s.terminal {
		text = fit(text, s.width())
	}
	if s.terminal && s.lines > 0 {
		// Up to the board's first line, and clear from there on.
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.lines)
	}
	fmt.Fprintf(s.out, "%s\n\n", text)
	s.lines = strings.Count(text, "\n") + 2
}

// defaultWidth of a terminal that does not tell.
const defaultWidth = 80

func (s *screen) width() int {
	if f, ok := s.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return defaultWidth
}

// fit cuts lines to a width: one that wraps would be two, and the next drawing
// would begin a line too low.
func fit(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if runes := []rune(line); len(runes) >= width {
			lines[i] = string(runes[:width-1])
		}
	}
	return strings.Join(lines, "\n")
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
