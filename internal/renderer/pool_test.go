package renderer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

func TestRawManifestsGoThroughAChild(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	item := mustRender(t, pool.Render, rawInputs(file("b.yaml", configMap("b")), file("a.yml", configMap("a")), file("README.md", "# hi")))

	want := []content.Key{"/ConfigMap/default/a", "/ConfigMap/default/b"}
	if diff := cmp.Diff(want, item.Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestAChildIsConfined(t *testing.T) {
	got, err := newPool(t, renderer.Options{}).Confinement(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(renderer.Sandbox(), got); diff != "" {
		t.Errorf("confinement (-want +got):\n%s", diff)
	}
}

// The kernel's own view of a child: what it was started with and what it may still do.
func TestAChildHasLimitsNoEnvironmentAndAFilter(t *testing.T) {
	pool := newPool(t, renderer.Options{MemoryBytes: 300 << 20})
	mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a"))))
	pids := children(t)
	if len(pids) != 1 {
		t.Fatalf("got %d children, want one", len(pids))
	}
	proc := filepath.Join("/proc", strconv.Itoa(pids[0]))
	if env := read(t, proc+"/environ"); env != "" {
		t.Errorf("environment %q, want none", env)
	}
	status, limits := read(t, proc+"/status"), read(t, proc+"/limits")
	for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	if want := strconv.Itoa(300 << 20); !strings.Contains(limits, want) {
		t.Errorf("limits lack %s bytes of data:\n%s", want, limits)
	}
}

func TestAWorkerIsKeptWarmAndReplacedAfterItsRenders(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 1, RendersPerWorker: 2, MemoBytes: -1})
	var seen []int
	for range 4 {
		mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a"))))
		seen = append(seen, len(children(t)))
	}
	if diff := cmp.Diff([]int{1, 0, 1, 0}, seen); diff != "" {
		t.Errorf("children after each render (-want +got):\n%s", diff)
	}
}

func TestAnIdleWorkerLeaves(t *testing.T) {
	pool := newPool(t, renderer.Options{IdleFor: 20 * time.Millisecond})
	mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a"))))
	deadline := time.Now().Add(10 * time.Second)
	for len(children(t)) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the worker is still there")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 2})
	mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a"))))
	busy := make(chan error, 1)
	go func() {
		_, err := pool.Render(context.Background(), helmInputs("", template("{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}")...))
		busy <- err
	}()
	for len(children(t)) == 0 {
		time.Sleep(time.Millisecond)
	}
	pool.Close()
	if err := <-busy; err == nil {
		t.Error("the render under way succeeded, want an error")
	}
	if left := children(t); len(left) != 0 {
		t.Errorf("children %v are left", left)
	}
	var p *renderer.Problem
	if _, err := pool.Render(context.Background(), rawInputs(file("b.yaml", configMap("b")))); err == nil || errors.As(err, &p) {
		t.Errorf("render after Close: got %v, want an error that is not the bundle's", err)
	}
}

func TestACallerMayLeaveWhileOthersWait(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 1})
	in := rawInputs(file("a.yaml", manyObjects(5_000)))
	gone, leave := context.WithCancel(context.Background())
	leave()
	if _, err := pool.Render(gone, in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	if item := mustRender(t, pool.Render, in); len(item.Objects) != 5_000 {
		t.Errorf("got %d objects, want 5000", len(item.Objects))
	}
}

func TestEqualRendersAtOnceAreDoneOnce(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 4})
	in := rawInputs(file("a.yaml", manyObjects(5_000)))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { mustRender(t, pool.Render, in) })
	}
	all.Wait()
	if got := len(children(t)); got != 1 {
		t.Errorf("%d workers were started, want 1", got)
	}
}

// A kustomization may replace what kustomize knows of kinds, globally. The next
// bundle on the same worker must not notice: its list of containers merges by name.
func TestASchemaOfOneBundleDoesNotReachTheNext(t *testing.T) {
	plain := kustomizeInputs(file("kustomization.yaml", "resources: [d.yaml]\npatches: [{path: p.yaml}]"),
		file("d.yaml", deployment("[{name: a, image: 'a:1'}, {name: b, image: 'b:1'}]")), file("p.yaml", deployment("[{name: b, image: 'b:2'}]")))
	poison := kustomizeInputs(append([]bundle.File{file("schema.json", otherSchema)}, plain.Files...)...)
	poison.Files[1] = file("kustomization.yaml", string(poison.Files[1].Data)+"\nopenapi: {path: schema.json}")

	pool := newPool(t, renderer.Options{Workers: 1, MemoBytes: -1})
	want := mustRender(t, pool.Render, plain)
	poisoned := mustRender(t, pool.Render, poison)
	if cmp.Equal(want, poisoned) {
		t.Fatal("the schema changed nothing, so this test proves nothing")
	}
	if diff := cmp.Diff(want, mustRender(t, pool.Render, plain)); diff != "" {
		t.Errorf("after the other bundle (-want +got):\n%s", diff)
	}
}

// Charts are rendered twice to find what is random; a schema that the first
// render left behind would look like it.
func TestASchemaLeavesTheSecondRenderOfAChartAlone(t *testing.T) {
	in := helmInputs("", file("Chart.yaml", chartYAML), file("kustomization.yaml", "resources: [plain, schema]"),
		file("plain/kustomization.yaml", "resources: [d.yaml]\npatches: [{path: p.yaml}]"), file("plain/p.yaml", deployment("[{name: b, image: 'b:2'}]")),
		file("plain/d.yaml", deployment("[{name: a, image: 'a:1'}, {name: b, image: 'b:1'}]")),
		file("schema/kustomization.yaml", "openapi: {path: schema.json}\nconfigMapGenerator: [{name: c}]"), file("schema/schema.json", otherSchema))
	item := mustRender(t, newPool(t, renderer.Options{}).Render, in)
	for _, o := range item.Objects {
		if o.Volatile != nil {
			t.Errorf("the second render of %s differs in %v", o.Key, o.Volatile)
		}
	}
}

func TestAMissingBinaryIsNotTheBundlesFault(t *testing.T) {
	pool := newPool(t, renderer.Options{Binary: filepath.Join(t.TempDir(), "none")})
	_, err := pool.Render(context.Background(), rawInputs(file("a.yaml", configMap("a"))))
	var p *renderer.Problem
	if err == nil || errors.As(err, &p) {
		t.Errorf("got %v, want an error that is not the bundle's", err)
	}
}

func TestAnExecutableCanBeItsOwnRenderer(t *testing.T) {
	pool, err := renderer.New(renderer.Options{}) // no muster-render beside the test binary
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if item := mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a")))); len(item.Objects) != 1 {
		t.Errorf("got %d objects, want 1", len(item.Objects))
	}
}

// otherSchema merges containers by image, not by name.
const otherSchema = `{"definitions": {"Deployment": {
  "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Deployment"}],
  "properties": {"spec": {"properties": {"template": {"properties": {"spec": {"properties": {"containers": {
    "type": "array", "x-kubernetes-patch-merge-key": "image", "x-kubernetes-patch-strategy": "merge",
    "items": {"type": "object", "properties": {"image": {"type": "string"}, "name": {"type": "string"}}}}}}}}}}}}}}`

func deployment(containers string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: " + containers + "}}}\n"
}

// children are this process's own render processes, from /proc.
func children(t *testing.T) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (comm) state ppid ...; comm may hold anything but ends at the last parenthesis.
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && fields[0] != "Z" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
