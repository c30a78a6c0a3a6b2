package kustomize

import (
	stdmaps "maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// judgePlugins looks at generators, transformers and validators: only builtin
// ones run, and what they name has to be in the bundle.
func (k kustomization) judgePlugins() error {
	for _, field := range plugins {
		for _, entry := range stringList(k.value(field)) {
			if err := k.judgePlugin(field, entry); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k kustomization) judgePlugin(field, entry string) error {
	if isInline(entry) {
		return k.placed(field, entry, k.judgeConfig(k.file, k.top, []byte(entry)))
	}
	target, err := k.resolve(field, entry)
	if err != nil {
		return err
	}
	if data, isFile := k.files[target]; isFile {
		return k.judgeConfig(target, document(data), data)
	}
	// A directory is built first; what comes out of it are the configurations.
	file, err := k.scan.kustomization(target, k.file)
	if err != nil {
		return k.placed(field, entry, err)
	}
	return k.judgeDirectory(path.Dir(file))
}

// judgeDirectory looks at every manifest below a directory of plugin configurations.
func (k kustomization) judgeDirectory(dir string) error {
	for _, name := range slices.Sorted(stdmaps.Keys(k.files)) {
		data := k.files[name]
		below := dir == "." || strings.HasPrefix(name, dir+"/")
		if !below || k.find(path.Dir(name)) == name || !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
			continue
		}
		if err := k.judgeConfig(name, document(data), data); err != nil {
			return err
		}
	}
	return nil
}

// judgeConfig judges the text of plugin configurations that stands in file,
// whose nodes are below top.
func (k kustomization) judgeConfig(file string, top *yaml.Node, text []byte) error {
	for _, doc := range manifest.Values(text) {
		config, ok := folded(doc).(map[string]any)
		if !ok {
			continue
		}
		kind, _ := config["kind"].(string)
		if config["apiversion"] != "builtin" || strings.Contains(kind, "HelmChart") {
			return manifest.NewFault(file, 0, manifest.ExecRefused, "plugin %s of %v would run a program; only builtin plugins are allowed", kind, config["apiversion"])
		}
		at := kustomization{scan: k.scan, file: file, dir: k.dir, body: config, top: top}
		for _, field := range []string{"path", "paths", "files", "env", "envs"} {
			if err := at.judgeNamed(kind, config[field]); err != nil {
				return err
			}
		}
	}
	return nil
}

// judgeNamed looks at a field that names one file or several.
func (k kustomization) judgeNamed(kind string, value any) error {
	names := stringList(value)
	if name, ok := value.(string); ok && name != "" {
		names = append(names, name)
	}
	for _, name := range names {
		if _, after, keyed := strings.Cut(name, "="); keyed {
			name = after
		}
		if _, err := k.resolve(kind, name); err != nil {
			return err
		}
	}
	return nil
}
