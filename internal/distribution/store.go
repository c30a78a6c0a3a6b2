package distribution

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// What marks a pack's Secrets.
const (
	packValue       = "pack"
	annotationItems = "muster.dev/items"
	annotationPack  = "muster.dev/pack"
	annotationOf    = "muster.dev/pack-of"
	secretTypePack  = corev1.SecretType("muster.dev/pack")
	packKey         = "pack"
)

// SecretStore keeps packs as immutable Secrets in the manager's namespace, at
// most content.ChunkBytes each. What it has put it can give back at once,
// whatever the cache behind the client has seen.
type SecretStore struct {
	cached    client.Client
	live      client.Reader
	namespace string

	mu sync.Mutex // guards the fields below
	// where maps workspace/id to the pack that holds it.
	where map[string]string
	// packs known by name, as Secret names in order of chunks.
	packs map[string]packInfo
	// data of blobs read lately, by workspace/id.
	data      map[string][]byte
	dataOrder []string
	dataBytes int
}

type packInfo struct {
	workspace string
	chunks    int
	items     []content.BlobEntry
	// asked says that somebody relied on the pack since the last sweep.
	asked bool
}

var _ content.Store = (*SecretStore)(nil)

// cacheBytes bounds the decoded blobs kept in memory.
const cacheBytes = 64 << 20

// NewSecretStore returns a store in namespace. live reads past any cache.
func NewSecretStore(cached client.Client, live client.Reader, namespace string) *SecretStore {
	return &SecretStore{
		cached: cached, live: live, namespace: namespace,
		where: map[string]string{}, packs: map[string]packInfo{}, data: map[string][]byte{},
	}
}

// maxPackItems keeps a pack's index within the 256 KiB that annotations may hold.
const maxPackItems = 2000

// Put stores a pack under its digest; a pack that is there already is left alone.
func (s *SecretStore) Put(ctx context.Context, p content.Pack) error {
	for len(p.Blobs) > maxPackItems {
		first := p
		first.Blobs, p.Blobs = p.Blobs[:maxPackItems], p.Blobs[maxPackItems:]
		if err := s.put(ctx, first); err != nil {
			return err
		}
	}
	return s.put(ctx, p)
}

func (s *SecretStore) put(ctx context.Context, p content.Pack) error {
	data, digest, err := content.EncodePack(p)
	if err != nil {
		return err
	}
	name := "pack-" + digest
	index := p.Index()
	chunks := (len(data) + content.ChunkBytes - 1) / content.ChunkBytes
	// The first chunk carries the index, so it is written last: a pack that can be found is whole.
	for i := chunks - 1; i >= 0; i-- {
		chunk := data[i*content.ChunkBytes : min((i+1)*content.ChunkBytes, len(data))]
		secret := s.chunkSecret(p, name, i, chunks, index, chunk)
		if err := s.cached.Create(ctx, secret); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("store content of bundle %s/%s in Secret %s/%s: %w", p.Workspace, p.Bundle, s.namespace, secret.Name, err)
		}
	}
	s.remember(name, packInfo{workspace: p.Workspace, chunks: chunks, items: index})
	for _, b := range p.Blobs {
		s.keep(p.Workspace, b.ID, b.Data)
	}
	return nil
}

func (s *SecretStore) chunkSecret(p content.Pack, name string, i, chunks int, index []content.BlobEntry, chunk []byte) *corev1.Secret {
	immutable := true
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace,
			Name:      chunkName(name, i),
			Labels:    map[string]string{v1alpha1.LabelContent: packValue},
			Annotations: map[string]string{
				annotationPack: name + " " + strconv.Itoa(i) + "/" + strconv.Itoa(chunks),
				annotationOf:   p.Workspace + "/" + p.Bundle,
			},
		},
		Immutable: &immutable,
		Type:      secretTypePack,
		Data:      map[string][]byte{packKey: chunk},
	}
	if i == 0 {
		secret.Annotations[annotationItems] = formatIndex(index)
	}
	return secret
}

func chunkName(pack string, i int) string {
	if i == 0 {
		return pack
	}
	return pack + "-" + strconv.Itoa(i)
}

// formatIndex writes "kind:id:identity:size" entries, comma-separated: 100 bytes each at most.
func formatIndex(index []content.BlobEntry) string {
	texts := make([]string, 0, len(index))
	for _, e := range index {
		texts = append(texts, fmt.Sprintf("%s:%s:%s:%d", e.Kind, e.ID, e.Identity, e.Size))
	}
	return strings.Join(texts, ",")
}

func parseIndex(text string) ([]content.BlobEntry, error) {
	var out []content.BlobEntry
	for _, part := range strings.Split(text, ",") {
		f := strings.Split(part, ":")
		if len(f) != 4 {
			return nil, fmt.Errorf("index entry %q is not kind:id:identity:size", part)
		}
		size, err := strconv.Atoi(f[3])
		if err != nil {
			return nil, fmt.Errorf("index entry %q: %w", part, err)
		}
		out = append(out, content.BlobEntry{Kind: content.Kind(f[0]), ID: content.ID(f[1]), Identity: content.ID(f[2]), Size: size})
	}
	return out, nil
}

// Has tells whether a pack with the item is known. Who asks may be about to
// rely on the answer, so the pack counts as reachable at the next sweep.
func (s *SecretStore) Has(workspace string, id content.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ok := s.where[workspace+"/"+string(id)]
	if info, known := s.packs[name]; known && !info.asked {
		info.asked = true
		s.packs[name] = info
	}
	return ok
}

// Get returns an item's bytes. An item no pack is known to hold is looked for
// live before it is called ErrNotFound.
func (s *SecretStore) Get(ctx context.Context, workspace string, id content.ID) ([]byte, error) {
	if data, ok := s.kept(workspace, id); ok {
		return data, nil
	}
	data, err := s.find(ctx, workspace, id)
	if !errors.Is(err, content.ErrNotFound) {
		return data, err
	}
	// What is known may be older than what is stored.
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	return s.find(ctx, workspace, id)
}

// find reads an item from the packs that are known.
func (s *SecretStore) find(ctx context.Context, workspace string, id content.ID) ([]byte, error) {
	for {
		s.mu.Lock()
		name, ok := s.where[workspace+"/"+string(id)]
		info := s.packs[name]
		s.mu.Unlock()
		if !ok {
			return nil, fmt.Errorf("item %s of workspace %s: %w", id, workspace, content.ErrNotFound)
		}
		blobs, err := s.load(ctx, name, info)
		if errors.Is(err, content.ErrNotFound) {
			s.forget(name) // Another pack may have the item too.
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, b := range blobs {
			if b.ID == id {
				return b.Data, nil
			}
		}
		return nil, fmt.Errorf("pack %s lacks item %s that its index lists: %w", name, id, content.ErrDamaged)
	}
}

func (s *SecretStore) load(ctx context.Context, name string, info packInfo) ([]content.Blob, error) {
	var data []byte
	for i := range info.chunks {
		var secret corev1.Secret
		if err := s.getSecret(ctx, chunkName(name, i), &secret); err != nil {
			if apierrors.IsNotFound(err) {
				return nil, fmt.Errorf("read pack %s: %w: %w", name, content.ErrNotFound, err)
			}
			return nil, fmt.Errorf("read pack %s: %w", name, err)
		}
		data = append(data, secret.Data[packKey]...)
	}
	blobs, err := content.DecodePack(data)
	if err != nil {
		return nil, fmt.Errorf("read pack %s: %w", name, err)
	}
	for _, b := range blobs {
		s.keep(info.workspace, b.ID, b.Data)
	}
	return blobs, nil
}

func (s *SecretStore) getSecret(ctx context.Context, name string, into *corev1.Secret) error {
	key := client.ObjectKey{Namespace: s.namespace, Name: name}
	err := s.cached.Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		return s.live.Get(ctx, key, into)
	}
	return err
}

// Refresh reads the index of every stored pack live.
func (s *SecretStore) Refresh(ctx context.Context) error {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := s.live.List(ctx, &list, client.InNamespace(s.namespace), client.MatchingLabels{v1alpha1.LabelContent: packValue})
	if err != nil {
		return fmt.Errorf("list content in namespace %s: %w", s.namespace, err)
	}
	var errs []error
	for i := range list.Items {
		errs = append(errs, s.Observe(&list.Items[i]))
	}
	return errors.Join(errs...)
}

// Observe learns of a pack from the metadata of its first chunk; other chunks say nothing.
func (s *SecretStore) Observe(meta metav1.Object) error {
	items, ok := meta.GetAnnotations()[annotationItems]
	if !ok {
		return nil
	}
	index, err := parseIndex(items)
	if err != nil {
		return fmt.Errorf("pack %s: %w", meta.GetName(), err)
	}
	_, of, _ := strings.Cut(meta.GetAnnotations()[annotationPack], "/")
	chunks, err := strconv.Atoi(of)
	if err != nil {
		return fmt.Errorf("pack %s has no count of chunks: %w", meta.GetName(), err)
	}
	workspace, _, _ := strings.Cut(meta.GetAnnotations()[annotationOf], "/")
	s.remember(meta.GetName(), packInfo{workspace: workspace, chunks: chunks, items: index})
	return nil
}

// Gone learns that a pack's first chunk was deleted, by this replica or
// another: what is not there must not be called stored.
func (s *SecretStore) Gone(meta metav1.Object) {
	if _, first := meta.GetAnnotations()[annotationItems]; first {
		s.forget(meta.GetName())
	}
}

// Delete removes a pack: its index first, so that nothing finds half of it. A
// pack that somebody asked for since PackItems stays.
func (s *SecretStore) Delete(ctx context.Context, name string) error {
	s.mu.Lock()
	chunks, asked := s.packs[name].chunks, s.packs[name].asked
	s.mu.Unlock()
	if asked {
		return nil
	}
	s.forget(name)
	for i := range chunks {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: chunkName(name, i)}}
		if err := s.cached.Delete(ctx, secret); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete content %s: %w", secret.Name, err)
		}
	}
	return nil
}

func (s *SecretStore) remember(name string, info packInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packs[name] = info
	for _, e := range info.items {
		s.where[info.workspace+"/"+string(e.ID)] = name
	}
}

func (s *SecretStore) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := s.packs[name]
	delete(s.packs, name)
	for _, e := range info.items {
		key := info.workspace + "/" + string(e.ID)
		if s.where[key] != name {
			continue
		}
		delete(s.where, key)
		s.relocateLocked(key, info.workspace, e.ID)
	}
}

// relocateLocked finds another pack with the item, if one is known.
func (s *SecretStore) relocateLocked(key, workspace string, id content.ID) {
	for name, info := range s.packs {
		if info.workspace != workspace {
			continue
		}
		for _, e := range info.items {
			if e.ID == id {
				s.where[key] = name
				return
			}
		}
	}
}

func (s *SecretStore) kept(workspace string, id content.ID) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.data[workspace+"/"+string(id)]
	return data, ok
}

func (s *SecretStore) keep(workspace string, id content.ID, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := workspace + "/" + string(id)
	if _, ok := s.data[key]; ok {
		return
	}
	s.data[key] = data
	s.dataOrder = append(s.dataOrder, key)
	s.dataBytes += len(data)
	for s.dataBytes > cacheBytes && len(s.dataOrder) > 1 {
		oldest := s.dataOrder[0]
		s.dataOrder = s.dataOrder[1:]
		s.dataBytes -= len(s.data[oldest])
		delete(s.data, oldest)
	}
}

// PackItems returns the items of every known pack, sorted by name, and whether
// somebody asked for it since the last time.
func (s *SecretStore) PackItems() []StoredPack {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]StoredPack, 0, len(s.packs))
	for name, info := range s.packs {
		out = append(out, StoredPack{Name: name, Workspace: info.workspace, Items: info.items, Asked: info.asked})
		info.asked = false
		s.packs[name] = info
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// StoredPack is what garbage collection looks at.
type StoredPack struct {
	Name      string
	Workspace string
	Items     []content.BlobEntry
	// Asked says that somebody may be about to point to it.
	Asked bool
}
