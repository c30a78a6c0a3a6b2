package renderer

import (
	"bytes"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/kustomize"
	"github.com/muster-dev/muster/pkg/bundle/raw"
)

// sealed stands in every file that SOPS has encrypted, since its MAC is encrypted too.
var sealed = []byte("ENC[AES256_GCM")

// encryptedFile names the first file that SOPS has encrypted and that a render
// may read, "" if there is none. Charts often have such files beside them, for
// other tools to decrypt; those change nothing.
func encryptedFile(files []bundle.File, kind bundle.Kind, o v1alpha1.BundleOptions) string {
	for _, f := range files {
		if isEncrypted(f) && mayRead(files, kind, o, f.Path) {
			return f.Path
		}
	}
	return ""
}

// mayRead tells whether what a bundle renders to may depend on a YAML file.
func mayRead(files []bundle.File, kind bundle.Kind, o v1alpha1.BundleOptions, name string) bool {
	switch kind {
	case bundle.KindRaw:
		chosen := slices.ContainsFunc(overlays(o), func(overlay string) bool { return strings.HasPrefix(name, path.Join("overlays", overlay)+"/") })
		return chosen || raw.IsManifest(name)
	case bundle.KindHelm:
		if kustomizeDir(o) != "" || kustomize.Find(files, "") != "" {
			return true
		}
		return readByChart(o.Helm, name)
	}
	return true
}

func readByChart(h *v1alpha1.HelmOptions, name string) bool {
	if h != nil && slices.ContainsFunc(h.ValuesFiles, func(v string) bool { return path.Clean(v) == name }) {
		return true
	}
	dirs := strings.Split(path.Dir(name), "/")
	return path.Base(name) == "values.yaml" || slices.Contains(dirs, "templates") || slices.Contains(dirs, "crds")
}

// isEncrypted looks for the mapping `sops` with a `mac` at the top of a YAML or
// JSON file. It reads the text once and parses nothing into memory: this runs
// where strangers' aliases must not be followed.
func isEncrypted(f bundle.File) bool {
	if !bytes.Contains(f.Data, sealed) {
		return false
	}
	switch strings.ToLower(path.Ext(f.Path)) {
	case ".yaml", ".yml", ".json":
	default:
		return false
	}
	if trimmed := bytes.TrimSpace(f.Data); len(trimmed) > 0 && trimmed[0] == '{' {
		return sopsInJSON(trimmed)
	}
	return sopsInYAML(f.Data)
}

var (
	sopsKey = regexp.MustCompile(`^["']?sops["']?\s*:`)
	macKey  = regexp.MustCompile(`(^|[\s{,])["']?mac["']?\s*:`)
)

// sopsInYAML finds a line `sops:` without indentation, and `mac:` in what is indented below it or stands behind it.
func sopsInYAML(text []byte) bool {
	within := false
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && line[0] != ' ' && line[0] != '\t' && line[0] != '#' {
			within = sopsKey.Match(line)
		}
		if within && macKey.Match(line) {
			return true
		}
	}
	return false
}

// sopsInJSON walks the tokens of an object: mac is a key of sops, which is a key of the whole.
func sopsInJSON(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	depth, within := 0, false
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			within = within && depth > 1
		case string:
			if within && depth == 2 && t == "mac" {
				return true
			}
			within = within || depth == 1 && t == "sops"
		}
	}
}
