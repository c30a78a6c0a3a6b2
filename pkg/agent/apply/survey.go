package apply

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/health"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/content"
)

// Bounds of a survey.
const (
	// listFrom is from how many keys of one kind and namespace a list is cheaper than reading each.
	listFrom = 3
	// listPages bounds a list; what it did not reach is read one by one.
	listPages = 4
)

// place of keys that one list can answer.
type group struct {
	resource  kube.Resource
	namespace string
	whole     bool
}

// Survey reads keys live. Namespaces come first: in one that does not exist
// nothing else can, which spares a request for each.
func (p *Applier) Survey(ctx context.Context, wanted []core.Survey) core.Surveyed {
	s := surveyor{applier: p, absent: map[string]bool{}}
	groups, order := s.group(wanted, true)
	s.read(ctx, groups, order)
	groups, order = s.group(wanted, false)
	s.read(ctx, groups, order)
	return core.Surveyed{Results: s.results}
}

type surveyor struct {
	applier *Applier
	absent  map[string]bool // namespaces that do not exist
	results []core.SurveyResult
}

type asked struct {
	core.Survey
	name string
}

// group sorts keys by kind and namespace; a kind that is not served has no objects.
func (s *surveyor) group(wanted []core.Survey, namespaces bool) (map[group][]asked, []group) {
	groups := map[group][]asked{}
	var order []group
	seen := map[core.Survey]bool{}
	for _, w := range wanted {
		g, kind, _, _ := w.Key.Split()
		if (g == "" && kind == "Namespace") != namespaces || seen[w] {
			continue
		}
		seen[w] = true
		resource, err := s.applier.client.Kinds.Any(g, kind, w.Version)
		if err != nil {
			s.add(core.SurveyResult{Key: w.Key, Unknown: unknown(err)})
			continue
		}
		namespace, name := place(w.Key, resource, content.Options{})
		at := group{resource, namespace, w.Whole}
		if len(groups[at]) == 0 {
			order = append(order, at)
		}
		groups[at] = append(groups[at], asked{w, name})
	}
	return groups, order
}

func unknown(err error) string {
	if errors.Is(err, kube.ErrNotServed) {
		return ""
	}
	return err.Error()
}

func (s *surveyor) add(r core.SurveyResult) { s.results = append(s.results, r) }

func (s *surveyor) read(ctx context.Context, groups map[group][]asked, order []group) {
	for _, at := range order {
		keys := groups[at]
		switch {
		case s.absent[at.namespace] && at.resource.Namespaced:
			for _, k := range keys {
				s.add(core.SurveyResult{Key: k.Key})
			}
		case len(keys) >= listFrom && !at.whole:
			s.list(ctx, at, keys)
		default:
			s.get(ctx, at, keys)
		}
	}
}

// list answers many keys by one list of metadata.
func (s *surveyor) list(ctx context.Context, at group, keys []asked) {
	live := map[string]*core.Live{}
	_, complete, err := s.applier.client.List(ctx, at.resource.Path(at.namespace, ""), kube.ListOptions{Metadata: true, Pages: listPages},
		func(data json.RawMessage) error {
			object, err := health.Decode(data)
			if err != nil {
				return err
			}
			metadata, _ := object["metadata"].(map[string]any)
			if name, _ := metadata["name"].(string); name != "" {
				live[name] = health.Look(object)
			}
			return nil
		})
	if err != nil || !complete {
		s.get(ctx, at, keys)
		return
	}
	for _, k := range keys {
		s.found(at, k, live[k.name])
	}
}

func (s *surveyor) get(ctx context.Context, at group, keys []asked) {
	for _, k := range keys {
		live, err := s.applier.look(ctx, at.resource.Path(at.namespace, k.name), k.Survey)
		if err != nil {
			s.add(core.SurveyResult{Key: k.Key, Unknown: redact(err, k.Key)})
			continue
		}
		s.found(at, k, live)
	}
}

func (s *surveyor) found(at group, k asked, live *core.Live) {
	if live == nil && at.resource.Group == "" && at.resource.Kind == "Namespace" {
		s.absent[k.name] = true
	}
	s.add(core.SurveyResult{Key: k.Key, Live: live})
}

// read returns nil without an error for an object that is not there. It reads
// the whole object, since its health and fields are asked for too.
func (p *Applier) read(ctx context.Context, path string) (*core.Live, error) {
	return p.look(ctx, path, core.Survey{})
}

// look is read; it explains what differs from the content that the survey names.
func (p *Applier) look(ctx context.Context, path string, q core.Survey) (*core.Live, error) {
	data, err := p.client.Get(ctx, path)
	if kube.IsGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	object, err := health.Decode(data)
	if err != nil {
		return nil, err
	}
	live := health.Look(object)
	if q.Content != "" {
		p.Explain(live, object, q.Content, q.Key, q.Manager)
	}
	return live, nil
}
