package hostile_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

func freeOSMemory() { debug.FreeOSMemory() }

const (
	chartYAML = "apiVersion: v2\nname: app\nversion: 1.0.0\n"
	goodYAML  = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
)

// lazy is a file that is made when it is read, so that the corpus itself takes no memory.
type lazy struct {
	fstest.MapFS
	name string
	data func() []byte
}

// Open makes the file. MapFS answers everything else, and ReadFile too by opening.
func (l lazy) Open(name string) (fs.File, error) {
	if name != l.name {
		return l.MapFS.Open(name)
	}
	return fstest.MapFS{name: &fstest.MapFile{Data: l.data(), Mode: 0o644}}.Open(name)
}

func (l lazy) ReadFile(name string) ([]byte, error) {
	if name != l.name {
		return l.MapFS.ReadFile(name)
	}
	return l.data(), nil
}

// large is a repository with one file that data makes.
func large(name string, data func() []byte, others map[string]string) fs.FS {
	tree := repository(others)
	tree[name] = text("")
	return lazy{MapFS: tree, name: name, data: data}
}

func repeated(s string, n int) func() []byte {
	return func() []byte { return bytes.Repeat([]byte(s), n) }
}

// made are the inputs that no text file can hold: links, odd names, sizes, archives.
func made(t *testing.T) map[string]input {
	t.Helper()
	inputs := map[string]input{}
	for name, in := range links() {
		inputs["link-"+name] = in
	}
	for name, in := range sizes() {
		inputs["size-"+name] = in
	}
	for name, in := range archives(t) {
		inputs["archive-"+name] = in
	}
	for name, in := range resources(t) {
		inputs["resource-"+name] = in
	}
	return inputs
}

func links() map[string]input {
	with := func(name, to string, others map[string]string) fs.FS {
		tree := repository(others)
		tree[name] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
		return tree
	}
	special := func(name string, mode fs.FileMode) fs.FS {
		tree := repository(map[string]string{"app/a.yaml": goodYAML})
		tree[name] = &fstest.MapFile{Mode: mode}
		return tree
	}
	named := func(name string) fs.FS {
		return repository(map[string]string{"app/a.yaml": goodYAML, "app/" + name: goodYAML})
	}
	good := map[string]string{"app/a.yaml": goodYAML}
	return map[string]input{
		"to-a-file-outside":     {tree: with("app/b.yaml", "../../etc/passwd", good), refused: "app/b.yaml"},
		"to-an-absolute-path":   {tree: with("app/b.yaml", "/etc/passwd", good), refused: "app/b.yaml"},
		"to-a-directory":        {tree: with("app/sub", "../other", good), refused: "app/sub"},
		"to-itself":             {tree: with("app/b.yaml", "b.yaml", good), refused: "app/b.yaml"},
		"as-options":            {tree: with("app/fleet.yaml", "../secret.yaml", good), refused: "app/fleet.yaml"},
		"as-values":             {tree: with("app/v.yaml", "/etc/passwd", map[string]string{"app/Chart.yaml": chartYAML, "app/fleet.yaml": "helm: {valuesFiles: [v.yaml]}\n"}), refused: "app/v.yaml"},
		"in-a-chart":            {tree: with("app/templates/b.yaml", "/etc/passwd", map[string]string{"app/Chart.yaml": chartYAML}), refused: "app/templates/b.yaml"},
		"in-a-kustomization":    {tree: with("app/cm.yaml", "/etc/passwd", map[string]string{"app/kustomization.yaml": "resources: [cm.yaml]\n"}), refused: "app/cm.yaml"},
		"named-pipe":            {tree: special("app/b.yaml", fs.ModeNamedPipe|0o644), refused: "app/b.yaml"},
		"device":                {tree: special("app/b.yaml", fs.ModeDevice|0o644), refused: "app/b.yaml"},
		"name-with-backslash":   {tree: named(`..\..\b.yaml`), refused: "app/"},
		"name-with-newline":     {tree: named("b\nc.yaml"), refused: "app/"},
		"name-with-escape-code": {tree: named("b\x1b[2Jc.yaml"), refused: "app/"},
		"name-that-is-no-text":  {tree: named("b\xffc.yaml"), refused: "app/"},
		"name-without-end":      {tree: named(strings.Repeat("n", 5000) + ".yaml"), refused: "app/"},
		"directories-too-deep":  {tree: repository(map[string]string{"app/" + strings.Repeat("d/", 200) + "a.yaml": goodYAML}), refused: "app/"},
	}
}

func sizes() map[string]input {
	deep := func(open string) func() []byte { return repeated(open, 500_000) }
	return map[string]input{
		"options":            {tree: large("app/fleet.yaml", repeated("a: b\n", 300_000), map[string]string{"app/a.yaml": goodYAML}), refused: "app/fleet.yaml"},
		"options-nodes":      {tree: large("app/fleet.yaml", func() []byte { return append([]byte("labels: {"), repeated("a: b, ", 170_000)()...) }, map[string]string{"app/a.yaml": goodYAML}), refused: "app/fleet.yaml"},
		"options-deep":       {tree: large("app/fleet.yaml", func() []byte { return append([]byte("labels: "), deep("[")()...) }, map[string]string{"app/a.yaml": goodYAML}), refused: "app/fleet.yaml"},
		"values-file":        {tree: large("app/v.yaml", repeated("a: b\n", 300_000), map[string]string{"app/Chart.yaml": chartYAML, "app/fleet.yaml": "helm: {valuesFiles: [v.yaml]}\n"}), refused: "app/v.yaml"},
		"manifest":           {tree: large("app/b.yaml", repeated("#", 8<<20+1), nil), refused: "app/b.yaml"},
		"manifest-deep":      {tree: large("app/b.yaml", deep("["), nil), refused: "app/b.yaml"},
		"manifest-deep-maps": {tree: large("app/b.yaml", deep("{a: "), nil), refused: "app/b.yaml"},
		"json-deep":          {tree: large("app/b.json", deep("["), map[string]string{"app/a.yaml": goodYAML}), refused: "app/b.json"},
		"objects":            {tree: large("app/b.yaml", manyObjects(25_000), nil), refused: "app/b.yaml"},
		"nul-bytes":          {tree: large("app/b.yaml", repeated("\x00", 1000), nil), refused: "app/b.yaml"},
		"no-text":            {tree: large("app/b.yaml", func() []byte { return []byte(goodYAML + "data: {a: \"\xff\xfe\"}\n") }, nil), refused: "app/b.yaml"},
		"ignore-file":        {tree: large("app/.fleetignore", repeated("*.tmp\n", 50_000), map[string]string{"app/a.yaml": goodYAML}), refused: "app/.fleetignore"},
		"ignore-rules":       {tree: large("app/.fleetignore", repeated("**/a*b\n", 2000), map[string]string{"app/a.yaml": goodYAML}), refused: "app/.fleetignore"},
		"values-deep": {tree: large("app/v.yaml", func() []byte {
			return []byte(strings.Repeat("{a: ", 2000) + "b" + strings.Repeat("}", 2000))
		}, map[string]string{"app/Chart.yaml": chartYAML, "app/fleet.yaml": "helm: {valuesFiles: [v.yaml]}\n", "app/templates/a.yaml": goodYAML}), refused: "app/v.yaml"},
		"kustomizations": {tree: repository(chain(80)), refused: "app/"},
		"generator": {tree: large("app/big.txt", repeated("x", 3<<20), map[string]string{
			"app/kustomization.yaml": "configMapGenerator:\n- {name: a, files: [big.txt, b=big.txt, c=big.txt, d=big.txt, e=big.txt, f=big.txt]}\n"}), refused: "app/kustomization.yaml"},
	}
}

// manyObjects fit into a file that is checked before it is rendered.
func manyObjects(n int) func() []byte {
	return func() []byte {
		var out bytes.Buffer
		for i := range n {
			fmt.Fprintf(&out, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
		}
		return out.Bytes()
	}
}

// chain is a kustomization that includes one that includes one.
func chain(n int) map[string]string {
	files := map[string]string{}
	dir := "app"
	for range n {
		files[dir+"/kustomization.yaml"] = "resources: [d]\n"
		dir += "/d"
	}
	files[dir+"/kustomization.yaml"] = "resources: []\n"
	return files
}

// member of an archive.
type member struct {
	name, link string
	kind       byte
	size       int64
	data       string
}

// archives are charts in .tgz files.
func archives(t *testing.T) map[string]input {
	t.Helper()
	chart := member{name: "app/Chart.yaml", data: chartYAML}
	with := func(members ...member) input {
		data := pack(t, append([]member{chart}, members...))
		tree := repository(map[string]string{"app/fleet.yaml": "helm: {chart: c.tgz}\n"})
		tree["app/c.tgz"] = &fstest.MapFile{Data: data, Mode: 0o644}
		return input{tree: tree, refused: "app/c.tgz"}
	}
	nested := with(member{name: "app/charts/sub.tgz", data: string(pack(t, []member{{name: "sub/Chart.yaml", data: "apiVersion: v2\nname: sub\nversion: 1.0.0\n"}, {name: "sub/files/zeros", size: 100 << 20}}))})
	nested.refused = "app/"
	many := make([]member, 30_000)
	for i := range many {
		many[i] = member{name: fmt.Sprintf("app/files/%d", i)}
	}
	truncated := with()
	truncated.tree.(fstest.MapFS)["app/c.tgz"].Data = truncated.tree.(fstest.MapFS)["app/c.tgz"].Data[:40]
	return map[string]input{
		"swells":            with(member{name: "app/files/zeros", size: 200 << 20}),
		"nested-swells":     nested,
		"too-many-files":    with(many...),
		"leaves-its-root":   with(member{name: "../../etc/evil.yaml", data: goodYAML}),
		"leaves-its-root-2": with(member{name: "app/../../../etc/evil.yaml", data: goodYAML}),
		"absolute-path":     with(member{name: "/etc/evil.yaml", data: goodYAML}),
		"windows-path":      with(member{name: `C:\evil.yaml`, data: goodYAML}),
		"truncated":         truncated,
		"without-chart-yaml": {tree: func() fs.FS {
			tree := repository(map[string]string{"app/fleet.yaml": "helm: {chart: c.tgz}\n"})
			tree["app/c.tgz"] = &fstest.MapFile{Data: pack(t, []member{{name: "app/values.yaml", data: "a: b\n"}}), Mode: 0o644}
			return tree
		}(), refused: "app/"},
	}
}

func pack(t *testing.T, members []member) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	zeros := make([]byte, 1<<20)
	for _, m := range members {
		kind := m.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		size := max(m.size, int64(len(m.data)))
		err := archive.WriteHeader(&tar.Header{Name: m.name, Linkname: m.link, Typeflag: kind, Mode: 0o644, Size: size})
		for left := m.size; err == nil && left > 0; left -= int64(len(zeros)) {
			_, err = archive.Write(zeros[:min(left, int64(len(zeros)))])
		}
		if err == nil && m.size == 0 {
			_, err = archive.Write([]byte(m.data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// resources are those of Bundles made by hand.
func resources(t *testing.T) map[string]input {
	t.Helper()
	one := func(name, content, encoding string) input {
		return input{refused: "-", resources: []v1alpha1.BundleResource{{Name: name, Content: content, Encoding: encoding}}}
	}
	var swollen bytes.Buffer
	zip := gzip.NewWriter(&swollen)
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := zip.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	twins := input{refused: "-", resources: []v1alpha1.BundleResource{{Name: "a.yaml", Content: goodYAML}, {Name: "A.yaml", Content: goodYAML}}}
	return map[string]input{
		"leaves-its-root":  one("../../etc/evil.yaml", goodYAML, ""),
		"swells":           one("a.yaml", base64.StdEncoding.EncodeToString(swollen.Bytes()), "base64+gz"),
		"no-base64":        one("a.yaml", "***", "base64"),
		"no-gzip":          one("a.yaml", base64.StdEncoding.EncodeToString([]byte("text")), "base64+gz"),
		"unknown-encoding": one("a.yaml", goodYAML, "rot13"),
		"case-fold":        twins,
	}
}
