package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/protocol"
)

// learnFacts asks the cluster what it is, once at the start.
func (l *Loop) learnFacts(ctx context.Context) error {
	facts, err := Facts(ctx, l.client, l.options.Version)
	if err != nil {
		return err
	}
	l.facts, l.factsDue = &facts, true
	return nil
}

// keepFacts looks at what is served again after a definition was established
// or went, so that a chart that asks for its kind is rendered anew.
func (l *Loop) keepFacts(ctx context.Context) {
	if !l.factsStale || l.learning {
		return
	}
	l.factsStale, l.learning = false, true
	l.tasks.Go(func() {
		rest(ctx, factsPause)
		err := l.client.Kinds.Refresh(ctx)
		versions, complete := l.client.Kinds.APIVersions(), l.client.Kinds.Complete()
		l.post(ctx, func() { l.served(ctx, versions, err == nil && complete) })
	})
}

// served tells the hub what is served now, if that is known and news: a group
// that could not be discovered has not gone.
func (l *Loop) served(ctx context.Context, versions []string, known bool) {
	l.learning = false
	if !known {
		l.later(ctx, keepRetry, func() { l.factsStale = true })
		return
	}
	if slices.Equal(versions, l.facts.APIVersions) {
		return
	}
	facts := *l.facts // a report with the old ones may be under way
	facts.APIVersions = versions
	l.facts, l.factsDue = &facts, true
	l.core.Resync()
}

// Facts are what an agent says of its cluster. Discovery must have run.
func Facts(ctx context.Context, client *kube.Client, version string) (protocol.Facts, error) {
	facts := protocol.Facts{AgentVersion: version, APIVersions: client.Kinds.APIVersions()}
	data, err := client.Get(ctx, "/version")
	if err != nil {
		return facts, fmt.Errorf("ask for the version: %w", err)
	}
	var answer struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return facts, fmt.Errorf("decode the version: %w", err)
	}
	facts.KubernetesVersion = answer.GitVersion
	data, err = client.GetMetadata(ctx, "/api/v1/namespaces/kube-system")
	if err != nil {
		return facts, fmt.Errorf("ask for the uid of kube-system: %w", err)
	}
	object, err := decodeRaw(data)
	if err != nil {
		return facts, fmt.Errorf("decode kube-system: %w", err)
	}
	facts.KubeSystemUID = object.Metadata.UID
	if facts.Nodes, err = client.Count(ctx, "/api/v1/nodes"); kube.IsStatus(err, 403) {
		err = nil // an agent without the right to see nodes says nothing of them
	}
	return facts, err
}

// warn writes a Kubernetes Event in the agent's namespace, in the background:
// it is for people, nothing waits for it.
func (l *Loop) warn(ctx context.Context, reason, message string) {
	now := time.Now().UTC()
	namespace := l.client.Namespace()
	event := map[string]any{
		"apiVersion": "v1", "kind": "Event",
		"metadata":       map[string]any{"generateName": "muster-agent-", "namespace": namespace},
		"involvedObject": map[string]any{"apiVersion": "v1", "kind": "Secret", "name": "muster-agent-identity", "namespace": namespace},
		"reason":         reason, "message": message, "type": "Warning",
		"source":         map[string]any{"component": "muster-agent"},
		"firstTimestamp": now.Format(time.RFC3339), "lastTimestamp": now.Format(time.RFC3339), "count": 1,
	}
	body, err := json.Marshal(event)
	if err != nil {
		l.log.Error("encode event", "error", err)
		return
	}
	l.tasks.Go(func() {
		if _, err := l.client.Create(ctx, "/api/v1/namespaces/"+namespace+"/events", body); err != nil {
			l.log.Warn("event was not written", "reason", reason, "error", err)
		}
	})
}
