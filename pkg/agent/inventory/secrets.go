package inventory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/muster-dev/muster/pkg/agent/kube"
)

// Labels and annotations of state Secrets.
const (
	labelState = "muster.dev/state" // journal, bundle or chunk
	labelOf    = "muster.dev/state-of"
	// chunkBytes is how much one Secret holds; the API server takes 1 MiB.
	chunkBytes = 512 << 10
	// maxBlobBytes bounds what is read back.
	maxBlobBytes = 64 << 20
)

var secretResource = kube.Resource{Version: "v1", Kind: "Secret", Name: "secrets", Namespaced: true}

// secrets stores named blobs. Chunks after the first are written before it
// under names with its digest, so that any prefix of the writes is a whole
// old or a whole new blob.
type secrets struct {
	client *kube.Client

	mu     sync.Mutex          // guards chunks
	chunks map[string][]string // names of the further chunks by blob
}

func newSecrets(client *kube.Client) *secrets {
	return &secrets{client: client, chunks: map[string][]string{}}
}

type blob struct {
	name, kind string
	data       []byte
}

type secret struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   secretMetadata    `json:"metadata"`
	Type       string            `json:"type,omitempty"`
	Data       map[string][]byte `json:"data"`
}

type secretMetadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// put stores a blob: further chunks, then the first, then old chunks go.
func (s *secrets) put(ctx context.Context, name, kind string, data []byte) error {
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:8])
	parts := slices.Collect(slices.Chunk(data, chunkBytes))
	if len(parts) == 0 {
		parts = [][]byte{nil}
	}
	var further []string
	for i, part := range parts[1:] {
		chunk := fmt.Sprintf("%s-%s-%d", name, digest, i+1)
		if err := s.write(ctx, chunk, "chunk", name, digest, len(parts), i+1, part); err != nil {
			return err
		}
		further = append(further, chunk)
	}
	if err := s.write(ctx, name, kind, name, digest, len(parts), 0, parts[0]); err != nil {
		return err
	}
	return s.replaceChunks(ctx, name, further)
}

func (s *secrets) replaceChunks(ctx context.Context, name string, further []string) error {
	s.mu.Lock()
	old := s.chunks[name]
	s.chunks[name] = further
	if len(further) == 0 {
		delete(s.chunks, name)
	}
	s.mu.Unlock()
	for _, chunk := range old {
		if slices.Contains(further, chunk) {
			continue
		}
		if err := s.client.Remove(ctx, s.path(chunk)); err != nil {
			return fmt.Errorf("remove old state chunk %s: %w", chunk, err)
		}
	}
	return nil
}

func (s *secrets) path(name string) string {
	return secretResource.Path(s.client.Namespace(), name)
}

// write applies one Secret in one request, whether it exists or not.
func (s *secrets) write(ctx context.Context, name, kind, of, digest string, parts, index int, data []byte) error {
	body, err := json.Marshal(secret{
		APIVersion: "v1", Kind: "Secret", Type: "muster.dev/state",
		Metadata: secretMetadata{
			Name: name, Namespace: s.client.Namespace(),
			Labels: map[string]string{labelState: kind},
			Annotations: map[string]string{
				labelOf: of, "muster.dev/state-digest": digest,
				"muster.dev/state-parts": strconv.Itoa(parts), "muster.dev/state-part": strconv.Itoa(index),
			},
		},
		Data: map[string][]byte{"state": data},
	})
	if err != nil {
		return fmt.Errorf("encode state Secret %s: %w", name, err)
	}
	if _, err := s.client.Merge(ctx, s.path(name), body); err != nil {
		return fmt.Errorf("write state Secret %s: %w", name, err)
	}
	return nil
}

// remove deletes a blob: the first chunk, which makes it one, then the others.
func (s *secrets) remove(ctx context.Context, name string) error {
	if err := s.client.Remove(ctx, s.path(name)); err != nil {
		return fmt.Errorf("remove state Secret %s: %w", name, err)
	}
	return s.replaceChunks(ctx, name, nil)
}

// all reads every blob. One with a missing or foreign chunk is left out.
func (s *secrets) all(ctx context.Context) ([]blob, error) {
	parts := map[string][]secret{}
	_, _, err := s.client.List(ctx, secretResource.Path(s.client.Namespace(), ""), kube.ListOptions{Selector: labelState},
		func(data json.RawMessage) error {
			var part secret
			if err := json.Unmarshal(data, &part); err != nil {
				return fmt.Errorf("decode state Secret: %w", err)
			}
			of := part.Metadata.Annotations[labelOf]
			parts[of] = append(parts[of], part)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	var blobs []blob
	for name, list := range parts {
		s.remember(name, list)
		b, headless, ok := s.assemble(name, list)
		if headless {
			if err := s.replaceChunks(ctx, name, nil); err != nil {
				return nil, err
			}
		}
		if ok {
			blobs = append(blobs, b)
		}
	}
	slices.SortFunc(blobs, func(x, y blob) int { return cmp.Compare(x.name, y.name) })
	return blobs, nil
}

// remember notes every further chunk of a blob, so that the next write removes
// what a crash between two writes, or a chunk that was lost, left over.
func (s *secrets) remember(name string, list []secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		if m := list[i].Metadata; m.Labels[labelState] == "chunk" && m.Name != name && name != "" {
			s.chunks[name] = append(s.chunks[name], m.Name)
		}
	}
}

// assemble joins the chunks that belong to the first one. A headless blob has
// none: it was being made, or removed, and nobody can read it any more.
func (s *secrets) assemble(name string, list []secret) (b blob, headless, ok bool) {
	i := slices.IndexFunc(list, func(p secret) bool { return p.Metadata.Name == name })
	if i < 0 {
		return blob{}, true, false
	}
	head := list[i].Metadata
	count, err := strconv.Atoi(head.Annotations["muster.dev/state-parts"])
	if err != nil || count < 1 || count > maxBlobBytes/chunkBytes {
		return blob{}, false, false
	}
	b = blob{name: name, kind: head.Labels[labelState]}
	for n := range count {
		part, found := find(list, head.Annotations["muster.dev/state-digest"], strconv.Itoa(n))
		if !found {
			return blob{}, false, false
		}
		b.data = append(b.data, part.Data["state"]...)
	}
	return b, false, true
}

func find(list []secret, digest, index string) (secret, bool) {
	for _, p := range list {
		if p.Metadata.Annotations["muster.dev/state-digest"] == digest && p.Metadata.Annotations["muster.dev/state-part"] == index {
			return p, true
		}
	}
	return secret{}, false
}
