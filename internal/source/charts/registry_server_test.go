package charts_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaConfig   = "application/vnd.cncf.helm.config.v1+json"
	mediaChart    = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// registry serves the part of the OCI distribution protocol that pulling needs: tags in pages, manifests by tag and
// digest, blobs, and tokens if it is told to want them.
type registry struct {
	*server
	// repositories are by name; blobs and manifests by digest.
	tags      map[string]map[string]string
	manifests map[string]manifest
	blobs     map[string][]byte
	// pageSize is how many tags one answer has.
	pageSize int
	// realm, if set, is where tokens come from; basic wants the password itself.
	realm string
	basic bool
	// moved, if set, is where blobs are redirected to.
	moved string
}

type manifest struct {
	media string
	text  []byte
}

type descriptor struct {
	MediaType    string `json:"mediaType"`
	Digest       string `json:"digest"`
	Size         int    `json:"size"`
	ArtifactType string `json:"artifactType,omitempty"`
}

const (
	registryUser     = "puller"
	registryPassword = "canary-password"
	registryToken    = "canary-token"
)

func newRegistry(t testing.TB) *registry    { return asRegistry(newServer(t)) }
func newTLSRegistry(t testing.TB) *registry { return asRegistry(newTLSServer(t)) }

func asRegistry(s *server) *registry {
	r := &registry{server: s, tags: map[string]map[string]string{}, manifests: map[string]manifest{}, blobs: map[string][]byte{}, pageSize: 3}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = r.serve
	return r
}

// ref is an oci:// reference to a repository here.
func (r *registry) ref(repository string) string {
	return "oci://" + r.Listener.Addr().String() + "/" + repository
}

// push publishes a chart as helm push does.
func (r *registry) push(t testing.TB, repository, version string, data []byte) string {
	t.Helper()
	config := fmt.Appendf(nil, `{"name":"app","version":%q,"apiVersion":"v2"}`, version)
	return r.pushManifest(t, repository, version, mediaManifest, map[string]any{
		"schemaVersion": 2, "mediaType": mediaManifest,
		"config": r.blob(mediaConfig, config),
		"layers": []descriptor{r.blob(mediaChart, data)},
	})
}

func (r *registry) blob(media string, data []byte) descriptor {
	r.blobs[digestOf(data)] = data
	return descriptor{MediaType: media, Digest: digestOf(data), Size: len(data)}
}

func (r *registry) pushManifest(t testing.TB, repository, version, media string, content any) string {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if r.tags[repository] == nil {
		r.tags[repository] = map[string]string{}
	}
	r.tags[repository][strings.ReplaceAll(version, "+", "_")] = digestOf(text)
	r.manifests[digestOf(text)] = manifest{media, text}
	return digestOf(text)
}

func (r *registry) serve(w http.ResponseWriter, req *http.Request) {
	if !r.admit(w, req) {
		return
	}
	path := strings.TrimPrefix(req.URL.Path, "/v2/")
	if repository, ok := strings.CutSuffix(path, "/tags/list"); ok {
		r.serveTags(w, req, repository)
	} else if repository, reference, ok := strings.Cut(path, "/manifests/"); ok {
		r.serveManifest(w, req, repository, reference)
	} else if _, digest, ok := strings.Cut(path, "/blobs/"); ok {
		r.serveBlob(w, req, digest)
	} else {
		http.NotFound(w, req)
	}
}

// admit asks for a token or a password where the registry wants one.
func (r *registry) admit(w http.ResponseWriter, req *http.Request) bool {
	user, password, _ := req.BasicAuth()
	switch {
	case r.realm != "" && req.Header.Get("Authorization") != "Bearer "+registryToken:
		w.Header().Set("Www-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="registry, \"main\"",scope="repository:x:pull,push"`, r.realm))
	case r.basic && (user != registryUser || password != registryPassword):
		w.Header().Set("Www-Authenticate", `Basic realm="registry"`)
	default:
		return true
	}
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// tokens is a token service that gives its token to the right password, or to anybody.
func tokens(scope *string, anybody bool) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		*scope = req.URL.Query().Get("scope")
		user, password, _ := req.BasicAuth()
		if !anybody && (user != registryUser || password != registryPassword) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"token":%q}`, registryToken)
	}
}

func (r *registry) serveTags(w http.ResponseWriter, req *http.Request, repository string) {
	var all []string
	for tag := range r.tags[repository] {
		if tag > req.URL.Query().Get("last") {
			all = append(all, tag)
		}
	}
	if r.tags[repository] == nil {
		http.NotFound(w, req)
		return
	}
	slices.Sort(all)
	if len(all) > r.pageSize {
		all = all[:r.pageSize]
		w.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?last=%s>; rel="next"`, repository, all[len(all)-1]))
	}
	text, _ := json.Marshal(map[string]any{"name": repository, "tags": all})
	_, _ = w.Write(text)
}

func (r *registry) serveManifest(w http.ResponseWriter, req *http.Request, repository, reference string) {
	if digest, ok := r.tags[repository][reference]; ok {
		reference = digest
	}
	m, ok := r.manifests[reference]
	if !ok {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", m.media)
	w.Header().Set("Docker-Content-Digest", reference)
	w.Header().Set("Content-Length", strconv.Itoa(len(m.text)))
	if req.Method != http.MethodHead {
		_, _ = w.Write(m.text)
	}
}

func (r *registry) serveBlob(w http.ResponseWriter, req *http.Request, digest string) {
	if r.moved != "" {
		http.Redirect(w, req, r.moved+digest, http.StatusTemporaryRedirect)
		return
	}
	data, ok := r.blobs[digest]
	if !ok {
		http.NotFound(w, req)
		return
	}
	_, _ = w.Write(data)
}
