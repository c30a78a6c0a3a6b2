package renderer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
)

// manyFacts are n clusters that differ in every fact; every other one serves widgets.
func manyFacts(n int) []renderer.Facts {
	var all []renderer.Facts
	for i := range n {
		f := renderer.Facts{
			KubeVersion: fmt.Sprintf("v1.%d.%d", 20+i%16, i),
			APIVersions: []string{"v1", "apps/v1", fmt.Sprintf("example%d.com/v1", i)},
			Labels:      map[string]string{"name": fmt.Sprintf("c%d", i)},
		}
		if i%2 == 0 {
			f.APIVersions = append(f.APIVersions, "widgets.example.com/v1")
		}
		all = append(all, f)
	}
	return all
}

// chartThat is a chart whose only template holds this action.
func chartThat(action string) renderer.Inputs {
	return helmInputs("", file("Chart.yaml", chartYAML), file("templates/a.yaml", configMap("a")+"  asked: "+action+"\n"))
}

const asksOneQuestion = `{{ .Capabilities.APIVersions.Has "widgets.example.com/v1" | quote }}`

func TestAChartIsRenderedOncePerAnswerNotPerCluster(t *testing.T) {
	cases := map[string]struct {
		in   renderer.Inputs
		want int64
	}{
		"a chart that asks nothing":      {chartThat("nothing"), 1},
		"a chart that asks one question": {chartThat(asksOneQuestion), 2},
		"a chart that fails for some":    {chartThat(`{{ if .Capabilities.APIVersions.Has "widgets.example.com/v1" }}{{ fail "no" }}{{ end }}`), 2},
		"a chart that is broken":         {chartThat(`{{ .Values.a.b.c }}`), 1},
		"plain manifests":                {rawInputs(file("a.yaml", configMap("a"))), 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pool := newPool(t, renderer.Options{Workers: 2})
			for _, facts := range manyFacts(1000) {
				in := c.in
				in.Facts = facts
				item, err := pool.Render(context.Background(), in)
				var p *renderer.Problem
				if err != nil && !errors.As(err, &p) {
					t.Fatal(err)
				}
				answers := item.Answers
				if p != nil {
					answers = p.Answers
				}
				if !facts.Agrees(answers) {
					t.Fatalf("%+v was given what %v gave", facts, answers)
				}
			}
			if got := pool.Renders(); got != c.want {
				t.Errorf("%d renders for 1000 clusters, want %d", got, c.want)
			}
		})
	}
}

func TestClustersAtOnceAreRenderedOncePerAnswer(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 4})
	var all sync.WaitGroup
	for _, facts := range manyFacts(200) {
		in := chartThat(asksOneQuestion)
		in.Facts = facts
		all.Go(func() {
			item := mustRender(t, pool.Render, in)
			if !facts.Agrees(item.Answers) {
				t.Errorf("%+v was given what %v gave", facts, item.Answers)
			}
		})
	}
	all.Wait()
	if got := pool.Renders(); got != 2 {
		t.Errorf("%d renders for 200 clusters at once, want 2", got)
	}
}

// Without a memory every cluster still gets what is meant for it.
func TestClustersWithoutAMemoGetTheirOwn(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 2, MemoBytes: -1})
	var all sync.WaitGroup
	for _, facts := range manyFacts(20) {
		in := chartThat(asksOneQuestion)
		in.Facts = facts
		all.Go(func() {
			if item := mustRender(t, pool.Render, in); !facts.Agrees(item.Answers) {
				t.Errorf("%+v was given what %v gave", facts, item.Answers)
			}
		})
	}
	all.Wait()
}

// A limit is hit because of what templates do, whoever they do it for.
func TestAHitLimitIsRememberedForEveryCluster(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 1, MemoryBytes: 256 << 20})
	in := helmInputs("", template("{{ len (until 50000000) }}")...)
	for _, facts := range manyFacts(5) {
		in.Facts = facts
		if _, err := pool.Render(context.Background(), in); err == nil {
			t.Fatal("the bomb rendered")
		}
	}
	if got := pool.Renders(); got != 2 {
		t.Errorf("%d renders, want one and the search for the file", got)
	}
}

// What a chart asks next may follow from what it was told. Sharing must never
// give a cluster what a render of its own would not.
func TestSharedRendersAreWhatEachClusterWouldGetAlone(t *testing.T) {
	in := helmInputs("", file("Chart.yaml", chartYAML), file("templates/a.yaml", configMap("a")+`
  text: >-
    {{ if .Capabilities.APIVersions.Has "a/v1" -}}
      {{ if .Capabilities.APIVersions.Has "b/v1" }}a and b on {{ .Capabilities.KubeVersion.Minor }}{{ else }}a only{{ end }}
    {{- else if .Capabilities.APIVersions.Has "c/v1" -}}
      c, labelled {{ .Values.global.fleet.clusterLabels.tier }}
    {{- else }}{{ if not (.Capabilities.APIVersions.Has "d/v1") }}{{ fail "nothing at all" }}{{ end }}d
    {{- end }}
`))
	shared, alone := newPool(t, renderer.Options{Workers: 2}), newPool(t, renderer.Options{Workers: 1, MemoBytes: -1})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 80 {
		in.Facts = renderer.Facts{KubeVersion: fmt.Sprintf("v1.%d.0", 30+random.IntN(3)), Labels: map[string]string{"tier": fmt.Sprint(random.IntN(3))}}
		for _, group := range []string{"a", "b", "c", "d"} {
			if random.IntN(2) == 0 {
				in.Facts.APIVersions = append(in.Facts.APIVersions, group+"/v1")
			}
		}
		want, wantErr := alone.Render(context.Background(), in)
		got, gotErr := shared.Render(context.Background(), in)
		if fmt.Sprint(wantErr) != fmt.Sprint(gotErr) || !cmp.Equal(want.Objects, got.Objects) {
			t.Fatalf("%+v\ngot  %v %v\nwant %v %v", in.Facts, got.Objects, gotErr, want.Objects, wantErr)
		}
	}
	if shared.Renders() >= alone.Renders() {
		t.Errorf("%d renders for 80 clusters: nothing was shared", shared.Renders())
	}
}

// Charts may even ask at random. Each cluster gets an answer, and the memo few questions.
func TestAChartThatAsksAtRandomIsRenderedForEach(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 2})
	for _, facts := range manyFacts(40) {
		in := chartThat(`{{ $.Capabilities.APIVersions.Has (randAlpha 9) }}`)
		in.Facts = facts
		if item := mustRender(t, pool.Render, in); !facts.Agrees(item.Answers) {
			t.Errorf("%+v was given what %v gave", facts, item.Answers)
		}
	}
}

// A chart that asks without end is told apart by all capabilities instead: its
// questions are stored, and asked for every cluster.
func TestTooManyQuestionsBecomeOne(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	in := chartThat(`{{ range until 300 }}{{ $.Capabilities.APIVersions.Has (printf "example%d.com/v1" .) }}{{ end }}`)
	var last renderer.Facts
	for _, last = range manyFacts(3) {
		in.Facts = last
		item := mustRender(t, pool.Render, in)
		if len(item.Answers) != 1 || !last.Agrees(item.Answers) {
			t.Fatalf("got %d answers, want one that agrees", len(item.Answers))
		}
	}
	in.Facts.Labels = map[string]string{"other": "label"}
	mustRender(t, pool.Render, in)
	if got := pool.Renders(); got != 3 {
		t.Errorf("%d renders of 3 sets of capabilities, want 3", got)
	}
}

// What nobody knows the reason of may have had any fact for one.
func TestEveryFactCountsInWhatAFailureIsTakenToHaveAsked(t *testing.T) {
	base := manyFacts(1)[0]
	answers := renderer.OfFailure(base)
	if !base.Agrees(answers) {
		t.Fatal("facts do not agree with themselves")
	}
	for name, change := range map[string]func(*renderer.Facts){
		"the version":    func(f *renderer.Facts) { f.KubeVersion = "v1.99.0" },
		"an API version": func(f *renderer.Facts) { f.APIVersions = []string{"v1"} },
		"a label":        func(f *renderer.Facts) { f.Labels = map[string]string{"a": "b"} },
	} {
		other := base
		change(&other)
		if other.Agrees(answers) {
			t.Errorf("%s does not count", name)
		}
	}
}
