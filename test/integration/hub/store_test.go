package hub_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

func (w *world) store() *distribution.SecretStore {
	return distribution.NewSecretStore(w.api, w.api, w.machine)
}

func blobOf(data []byte) content.Blob {
	return content.Blob{Kind: content.KindManifests, ID: content.IDOf(data), Data: data}
}

// noise does not compress.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	data := make([]byte, n)
	r.Read(data) // A generator never fails.
	return data
}

func wantContent(t *testing.T, s *distribution.SecretStore, workspace string, data []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), workspace, content.IDOf(data))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v, want %d bytes", len(got), err, len(data))
	}
}

func (w *world) secrets() []corev1.Secret {
	w.t.Helper()
	var list corev1.SecretList
	check(w.t, w.api.List(w.t.Context(), &list, client.InNamespace(w.machine), client.HasLabels{v1alpha1.LabelContent}))
	return list.Items
}

func TestWhatOneReplicaPutsAnotherGets(t *testing.T) {
	w := newWorld(t)
	for name, data := range map[string][]byte{"small": []byte("small"), "several chunks": noise(3*content.ChunkBytes + 7)} {
		t.Run(name, func(t *testing.T) {
			pack := content.Pack{Workspace: "w", Bundle: "app", Blobs: []content.Blob{blobOf(data), blobOf([]byte("beside " + name))}}
			check(t, w.store().Put(t.Context(), pack))
			other := w.store()
			wantContent(t, other, "w", data)
			if _, err := other.Get(t.Context(), "stranger", content.IDOf(data)); !errors.Is(err, content.ErrNotFound) {
				t.Errorf("another workspace got it: %v", err)
			}
			before := len(w.secrets())
			check(t, other.Put(t.Context(), pack))
			if after := len(w.secrets()); after != before {
				t.Errorf("stored twice: %d Secrets, then %d", before, after)
			}
		})
	}
	for _, s := range w.secrets() {
		if s.Immutable == nil || !*s.Immutable || len(s.Data["pack"]) > content.ChunkBytes {
			t.Errorf("Secret %s: immutable %v, %d bytes", s.Name, s.Immutable, len(s.Data["pack"]))
		}
	}
}

func TestNotFoundIsSaidAfterALiveRead(t *testing.T) {
	w := newWorld(t)
	reader := w.store()
	data := []byte("stored by another replica later")
	if _, err := reader.Get(t.Context(), "w", content.IDOf(data)); !errors.Is(err, content.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	check(t, w.store().Put(t.Context(), content.Pack{Workspace: "w", Bundle: "app", Blobs: []content.Blob{blobOf(data)}}))
	wantContent(t, reader, "w", data)
}

// Two workspaces that store the same bytes share nothing: one that lets go
// must not take the other's.
func TestEqualContentOfTwoWorkspacesIsStoredApart(t *testing.T) {
	w := newWorld(t)
	data := []byte("the same everywhere")
	for _, workspace := range []string{"one", "two"} {
		check(t, w.store().Put(t.Context(), content.Pack{Workspace: workspace, Bundle: "app", Blobs: []content.Blob{blobOf(data)}}))
	}
	s := w.store()
	check(t, s.Refresh(t.Context()))
	for _, p := range s.PackItems() {
		if p.Workspace == "one" {
			check(t, s.Delete(t.Context(), p.Name))
		}
	}
	wantContent(t, w.store(), "two", data)
}

func TestADamagedChunkIsRefused(t *testing.T) {
	w := newWorld(t)
	data := noise(content.ChunkBytes + 1)
	check(t, w.store().Put(t.Context(), content.Pack{Workspace: "w", Bundle: "app", Blobs: []content.Blob{blobOf(data)}}))
	for _, s := range w.secrets() {
		if len(s.Data["pack"]) < content.ChunkBytes {
			continue
		}
		check(t, w.api.Delete(t.Context(), &s))
		s.ResourceVersion, s.UID = "", ""
		s.Data["pack"][content.ChunkBytes/2] ^= 1
		check(t, w.api.Create(t.Context(), &s))
	}
	if _, err := w.store().Get(t.Context(), "w", content.IDOf(data)); !errors.Is(err, content.ErrDamaged) {
		t.Errorf("got %v, want damaged", err)
	}
}

func TestADeletedPackLeavesNothingAndIsNotCalledStored(t *testing.T) {
	w := newWorld(t)
	data := noise(content.ChunkBytes * 2)
	pack := content.Pack{Workspace: "w", Bundle: "app", Blobs: []content.Blob{blobOf(data)}}
	leader, standby := w.store(), w.store()
	check(t, leader.Put(t.Context(), pack))
	check(t, standby.Refresh(t.Context()))
	first := firstChunk(t, w)
	check(t, leader.Delete(t.Context(), leader.PackItems()[0].Name))
	if left := w.secrets(); len(left) != 0 {
		t.Errorf("%d Secrets left", len(left))
	}
	if leader.Has("w", content.IDOf(data)) {
		t.Error("the one that deleted it calls it stored")
	}
	standby.Gone(first)
	if standby.Has("w", content.IDOf(data)) {
		t.Error("the one that saw it go calls it stored")
	}
	check(t, standby.Put(t.Context(), pack))
	wantContent(t, w.store(), "w", data)
}

func firstChunk(t *testing.T, w *world) *corev1.Secret {
	t.Helper()
	for _, s := range w.secrets() {
		if s.Annotations["muster.dev/items"] != "" {
			return &s
		}
	}
	t.Fatal("no pack is stored")
	return nil
}

// An item in two packs is found in the second when the first is gone.
func TestAnItemIsFoundInWhicheverPackIsLeft(t *testing.T) {
	w := newWorld(t)
	shared := []byte("in both")
	for _, beside := range []string{"one", "two"} {
		check(t, w.store().Put(t.Context(), content.Pack{Workspace: "w", Bundle: "app", Blobs: []content.Blob{blobOf(shared), blobOf([]byte(beside))}}))
	}
	for _, s := range w.secrets() {
		reader := w.store()
		check(t, reader.Refresh(t.Context()))
		check(t, w.api.Delete(t.Context(), &s))
		wantContent(t, reader, "w", shared)
		s.ResourceVersion, s.UID = "", ""
		check(t, w.api.Create(t.Context(), &s))
	}
}

// Who found content stored may be about to point to it: a sweep that began
// before must not take it away.
func TestContentThatWasAskedForIsNotSwept(t *testing.T) {
	w := newWorld(t)
	data := []byte("about to be wanted again")
	s := w.store()
	check(t, s.Put(t.Context(), content.Pack{Workspace: "w", Bundle: "app", Blobs: []content.Blob{blobOf(data)}}))
	packs := s.PackItems()
	if !s.Has("w", content.IDOf(data)) {
		t.Fatal("not stored")
	}
	check(t, s.Delete(t.Context(), packs[0].Name))
	wantContent(t, w.store(), "w", data)
}

// The packs of a large fleet hold more than is kept in memory.
func TestAPackLargerThanTheMemoryOfAStoreIsReadWhole(t *testing.T) {
	w := newWorld(t)
	var pack content.Pack
	pack.Workspace, pack.Bundle = "w", "app"
	for i := range 9 {
		pack.Blobs = append(pack.Blobs, blobOf(bytes.Repeat([]byte{byte('a' + i)}, 8<<20)))
	}
	check(t, w.store().Put(t.Context(), pack))
	s := w.store()
	for _, b := range pack.Blobs {
		got, err := s.Get(context.Background(), "w", b.ID)
		if err != nil || len(got) != len(b.Data) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
}
