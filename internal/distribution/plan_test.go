package distribution_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/rollout"
)

func got(cluster string, id content.ID) distribution.Outcome {
	return distribution.Outcome{Cluster: cluster, Variant: distribution.Variant{Content: id, Identity: id, Options: "o"}}
}

var errRender = errors.New("does not render")

func failedOn(cluster string) distribution.Outcome {
	return distribution.Outcome{Cluster: cluster, Err: errRender}
}

func plan(generation int64, previous distribution.Wants, outcomes ...distribution.Outcome) distribution.Planned {
	return distribution.PlanWants(time.Time{}, distribution.PlanInput{
		Strategy: rollout.Strategy{All: true}, Generation: generation, Previous: previous, Outcomes: outcomes,
	})
}

// wanted renders wants as cluster -> content@generation.
func shown(w distribution.Wants) map[string]string {
	out := map[string]string{}
	for name := range w.Clusters {
		v, want, _ := w.VariantOf(name)
		out[name] = fmt.Sprintf("%s@%d", v.Content, want.Generation)
	}
	return out
}

func TestOnlyWhatChangedGetsANewGeneration(t *testing.T) {
	before := plan(0, distribution.Wants{}, got("a", "1"), got("b", "1")).Wants
	cases := map[string]struct {
		outcomes   []distribution.Outcome
		want       map[string]string
		generation int64
		left       []string
	}{
		"nothing changed":                        {[]distribution.Outcome{got("a", "1"), got("b", "1")}, map[string]string{"a": "1@1", "b": "1@1"}, 1, nil},
		"one changed":                            {[]distribution.Outcome{got("a", "2"), got("b", "1")}, map[string]string{"a": "2@2", "b": "1@1"}, 2, nil},
		"an error keeps what was":                {[]distribution.Outcome{failedOn("a"), got("b", "2")}, map[string]string{"a": "1@1", "b": "2@2"}, 2, nil},
		"an error of a newcomer gives nothing":   {[]distribution.Outcome{got("a", "1"), got("b", "1"), failedOn("c")}, map[string]string{"a": "1@1", "b": "1@1"}, 1, nil},
		"a cluster leaves":                       {[]distribution.Outcome{got("a", "1")}, map[string]string{"a": "1@1"}, 2, []string{"b"}},
		"a cluster leaves while others fail":     {[]distribution.Outcome{failedOn("a")}, map[string]string{"a": "1@1"}, 2, []string{"b"}},
		"a cluster comes":                        {[]distribution.Outcome{got("a", "1"), got("b", "1"), got("c", "1")}, map[string]string{"a": "1@1", "b": "1@1", "c": "1@2"}, 2, nil},
		"all fail":                               {[]distribution.Outcome{failedOn("a"), failedOn("b")}, map[string]string{"a": "1@1", "b": "1@1"}, 1, nil},
		"nothing matches: all leave, none stays": {nil, map[string]string{}, 2, []string{"a", "b"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out := plan(1, before, c.outcomes...)
			if diff := cmp.Diff(c.want, shown(out.Wants)); diff != "" {
				t.Errorf("wants (-want +got):\n%s", diff)
			}
			if out.Generation != c.generation || !slices.Equal(out.Left, c.left) {
				t.Errorf("generation %d, left %v, want %d, %v", out.Generation, out.Left, c.generation, c.left)
			}
		})
	}
}

func TestTheSameIdentityKeepsItsBytes(t *testing.T) {
	old := distribution.Outcome{Cluster: "a", Variant: distribution.Variant{Content: "first-draw", Identity: "same", Options: "o1"}}
	redrawn := distribution.Outcome{Cluster: "a", Variant: distribution.Variant{Content: "second-draw", Identity: "same", Options: "o2"}}
	out := plan(1, plan(0, distribution.Wants{}, old).Wants, redrawn)
	v, want, _ := out.Wants.VariantOf("a")
	if v.Content != "first-draw" || v.Options != "o2" || want.Generation != 1 || out.Generation != 1 {
		t.Errorf("got %+v at generation %d of %d", v, want.Generation, out.Generation)
	}
}

// A random history against an obvious second implementation: a map per cluster.
func TestPlansAgreeWithAStupidOracle(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var wants distribution.Wants
		var generation int64
		type cell struct {
			content    string
			generation int64
		}
		oracle := map[string]cell{}
		used := map[string]string{} // cluster/generation -> content: never reused for another
		for step := range 12 {
			var outcomes []distribution.Outcome
			next, changed := map[string]cell{}, false
			for c := range 5 {
				name := fmt.Sprintf("c%d", c)
				was, had := oracle[name]
				switch r.IntN(4) {
				case 0: // does not match
					changed = changed || had
				case 1:
					outcomes = append(outcomes, failedOn(name))
					if had {
						next[name] = was
					}
				default:
					id := fmt.Sprint(r.IntN(3))
					outcomes = append(outcomes, got(name, content.ID(id)))
					next[name] = cell{id, generation + 1}
					if had && was.content == id {
						next[name] = was
					} else {
						changed = true
					}
				}
			}
			r.Shuffle(len(outcomes), func(i, j int) { outcomes[i], outcomes[j] = outcomes[j], outcomes[i] })
			out := plan(generation, wants, outcomes...)
			want := map[string]string{}
			for name, c := range next {
				want[name] = fmt.Sprintf("%s@%d", c.content, c.generation)
				key := fmt.Sprintf("%s@%d", name, c.generation)
				if was, ok := used[key]; ok && was != c.content {
					t.Fatalf("seed %d step %d: %s was %s and is %s", seed, step, key, was, c.content)
				}
				used[key] = c.content
			}
			if diff := cmp.Diff(want, shown(out.Wants)); diff != "" {
				t.Fatalf("seed %d step %d (-want +got):\n%s", seed, step, diff)
			}
			if changed != (out.Generation == generation+1) {
				t.Fatalf("seed %d step %d: changed %v, generation %d after %d", seed, step, changed, out.Generation, generation)
			}
			again := plan(generation, wants, reversed(outcomes)...)
			if encoded(t, again.Wants) != encoded(t, out.Wants) {
				t.Fatalf("seed %d step %d: the order of clusters changes the wants", seed, step)
			}
			oracle, wants, generation = next, out.Wants, out.Generation
		}
	}
}

func reversed(in []distribution.Outcome) []distribution.Outcome {
	out := slices.Clone(in)
	slices.Reverse(out)
	return out
}

func encoded(t *testing.T, w distribution.Wants) string {
	t.Helper()
	blob, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := distribution.DecodeWants(blob.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shown(w), shown(back)); diff != "" {
		t.Fatalf("stored and read again:\n%s", diff)
	}
	return string(blob.Data)
}

func TestWantsOfALaterVersionAreRefused(t *testing.T) {
	for _, text := range []string{`{"v":99}`, `{`, `[]`} {
		if _, err := distribution.DecodeWants([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	// An index that points nowhere wants nothing.
	w, err := distribution.DecodeWants([]byte(`{"v":1,"clusters":{"a":{"v":7,"g":1},"b":{"v":-1,"g":1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if _, _, ok := w.VariantOf(name); ok {
			t.Errorf("%s wants something", name)
		}
	}
}

func TestProblemsAreGroupedAndBounded(t *testing.T) {
	var outcomes []distribution.Outcome
	for i := range 30 {
		outcomes = append(outcomes, failedOn(fmt.Sprintf("w/c%02d", i)), distribution.Outcome{Cluster: fmt.Sprintf("w/d%02d", i), Err: fmt.Errorf("fault %02d", i)})
	}
	problems := distribution.Problems(&v1alpha1.Bundle{}, outcomes, 20)
	if len(problems) != 20 || problems[0].Message != "does not render (on w/c00, w/c01, w/c02 and 27 more)" {
		t.Errorf("got %d problems, first %q", len(problems), problems[0].Message)
	}
}
