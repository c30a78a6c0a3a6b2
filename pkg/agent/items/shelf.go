package items

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/volatile"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/diff"
)

// Bounds of an item.
const (
	maxItemBytes = 64 << 20
	// unpacked is how many items are kept ready for use.
	unpacked = 4
	// windowSize of the compression: small, since every process holds one.
	windowSize = 1 << 20
)

// Shelf holds items by id.
type Shelf struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder

	mu     sync.Mutex // guards all below
	packed map[content.ID][]byte
	recent []*open // newest last
}

// open is an item in use.
type open struct {
	id      content.ID
	item    content.Item
	objects map[content.Key]int
}

// NewShelf returns an empty shelf.
func NewShelf() (*Shelf, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(windowSize))
	if err != nil {
		return nil, fmt.Errorf("make an encoder: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxItemBytes))
	if err != nil {
		return nil, fmt.Errorf("make a decoder: %w", err)
	}
	return &Shelf{encoder: encoder, decoder: decoder, packed: map[content.ID][]byte{}}, nil
}

// Pack compresses bytes.
func (s *Shelf) Pack(data []byte) []byte { return s.encoder.EncodeAll(data, nil) }

// Unpack is the reverse of Pack, bounded.
func (s *Shelf) Unpack(data []byte) ([]byte, error) {
	out, err := s.decoder.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return out, nil
}

// Put checks that data is the item named id and keeps it.
func (s *Shelf) Put(id content.ID, data []byte) (*core.Item, error) {
	if len(data) > maxItemBytes {
		return nil, fmt.Errorf("content %s has %d bytes, at most %d are read", id, len(data), maxItemBytes)
	}
	if got := content.IDOf(data); got != id {
		return nil, fmt.Errorf("content %s arrived as %s: refused", id, got)
	}
	o, err := decode(id, data)
	if err != nil {
		return nil, err
	}
	packed := s.Pack(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packed[id] = packed
	s.useLocked(o)
	return coreItem(o), nil
}

// Restore keeps an item that was packed before, as a state Secret holds it.
func (s *Shelf) Restore(id content.ID, packed []byte) (*core.Item, error) {
	data, err := s.Unpack(packed)
	if err != nil {
		return nil, err
	}
	return s.Put(id, data)
}

// Packed returns an item's compressed bytes.
func (s *Shelf) Packed(id content.ID) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.packed[id]
	return data, ok
}

// Keep drops every item that is not in use.
func (s *Shelf) Keep(used map[content.ID]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.packed {
		if !used[id] {
			delete(s.packed, id)
		}
	}
	s.recent = slices.DeleteFunc(s.recent, func(o *open) bool { return !used[o.id] })
}

// Rest drops what is unpacked: nothing is being applied.
func (s *Shelf) Rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent = nil
}

// Object returns one object of an item and the item's options.
func (s *Shelf) Object(id content.ID, k content.Key) (content.Object, content.Options, error) {
	o, err := s.open(id)
	if err != nil {
		return content.Object{}, content.Options{}, err
	}
	i, ok := o.objects[k]
	if !ok {
		return content.Object{}, content.Options{}, fmt.Errorf("content %s holds no %s", id, k)
	}
	return o.item.Objects[i], o.item.Options, nil
}

func (s *Shelf) open(id content.ID) (*open, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.recent {
		if o.id == id {
			return o, nil
		}
	}
	packed, ok := s.packed[id]
	if !ok {
		return nil, fmt.Errorf("content %s is not here", id)
	}
	data, err := s.Unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("content %s: %w", id, err)
	}
	o, err := decode(id, data)
	if err != nil {
		return nil, err
	}
	s.useLocked(o)
	return o, nil
}

func (s *Shelf) useLocked(o *open) {
	s.recent = append(s.recent, o)
	if len(s.recent) > unpacked {
		s.recent = slices.Delete(s.recent, 0, len(s.recent)-unpacked)
	}
}

func decode(id content.ID, data []byte) (*open, error) {
	o := &open{id: id, objects: map[content.Key]int{}}
	if err := json.Unmarshal(data, &o.item); err != nil {
		return nil, fmt.Errorf("decode content %s: %w", id, err)
	}
	if o.item.Version > content.Version {
		return nil, fmt.Errorf("content %s of version %d is newer than this agent understands (%d)", id, o.item.Version, content.Version)
	}
	for i := range o.item.Objects {
		if _, twice := o.objects[o.item.Objects[i].Key]; !twice {
			o.objects[o.item.Objects[i].Key] = i
		}
	}
	return o, nil
}

// coreItem leaves the manifests out.
func coreItem(o *open) *core.Item {
	item := &core.Item{ID: o.id, Options: o.item.Options, Refusal: refusal(o.item)}
	exemptions := diff.NewExemptions(o.item.Options.ComparePatches)
	for i := range o.item.Objects {
		object := &o.item.Objects[i]
		item.Objects = append(item.Objects, core.Desired{
			Key: object.Key, Version: Version(object.Manifest), Role: object.Role, Hash: hash(object, o.item.Options),
			Exempt: exemptions.Whole(named(object.Key, o.item.Options)),
			Plain:  object.Role == content.RoleReleaseNamespace && plain(object.Manifest),
		})
	}
	return item
}

// named is an object as exemptions name it, in the release namespace if its key
// names none.
func named(k content.Key, options content.Options) diff.Object {
	group, kind, namespace, name := k.Split()
	if namespace == "" {
		namespace = options.Namespace
	}
	return diff.Object{Group: group, Kind: kind, Namespace: namespace, Name: name}
}

// refusal says why nothing of an item can be applied.
func refusal(item content.Item) string {
	switch {
	case item.Kind == content.KindSource:
		reason := "no reason is given"
		if item.Source != nil && item.Source.Reason != "" {
			reason = item.Source.Reason
		}
		return "rendered on the cluster: " + reason + "; not supported yet"
	case item.Kind != content.KindManifests:
		return fmt.Sprintf("content of kind %q cannot be applied", item.Kind)
	case slices.ContainsFunc(item.Objects, func(o content.Object) bool { return o.Role == content.RoleHook }):
		return "hooks are not supported yet"
	}
	return ""
}

// Version is the API version of a manifest without its group.
func Version(manifest json.RawMessage) string {
	var m struct {
		APIVersion string `json:"apiVersion"`
	}
	if json.Unmarshal(manifest, &m) != nil {
		return ""
	}
	for i := len(m.APIVersion) - 1; i >= 0; i-- {
		if m.APIVersion[i] == '/' {
			return m.APIVersion[i+1:]
		}
	}
	return m.APIVersion
}

// plain tells whether a namespace's manifest says nothing but its name.
func plain(manifest json.RawMessage) bool {
	var m struct {
		Metadata map[string]json.RawMessage `json:"metadata"`
		Spec     json.RawMessage            `json:"spec"`
	}
	return json.Unmarshal(manifest, &m) == nil && len(m.Spec) == 0 && len(m.Metadata) == 1 && m.Metadata["name"] != nil
}

// hash decides whether an object is sent again: its manifest but for volatile
// values, what the agent adds to it, and a forced sync.
func hash(o *content.Object, options content.Options) string {
	h := sha256.New()
	h.Write(written(o)) // never fails, as hash.Hash promises
	h.Write([]byte("\x00" + options.Helm + "\x00" + options.Namespace + "\x00" + strconv.FormatInt(options.ForceSync, 10)))
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// written is what somebody wrote of a manifest: volatile values are blanked.
func written(o *content.Object) []byte {
	if len(o.Volatile) == 0 {
		return o.Manifest
	}
	blanked, err := volatile.Blank(o.Manifest, o.Volatile)
	if err != nil {
		return o.Manifest // it does not decode, and fails when it is applied
	}
	return blanked
}
