package helm_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// texts are files of a chart by name.
type texts map[string]string

// under puts the files into a directory.
func (f texts) under(dir string) texts {
	out := texts{}
	for name, text := range f {
		out[dir+"/"+name] = text
	}
	return out
}

func (f texts) files() []bundle.File {
	var files []bundle.File
	for _, name := range slices.Sorted(maps.Keys(f)) {
		files = append(files, bundle.File{Path: name, Data: []byte(f[name])})
	}
	return files
}

// with is all files together.
func with(parts ...texts) texts {
	all := texts{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}

// packed is an archive as `helm package` makes it.
func (f texts) packed(t testing.TB, dir string) string {
	t.Helper()
	var headers []*tar.Header
	var bodies []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		headers = append(headers, &tar.Header{Name: dir + "/" + name, Mode: 0o644, Size: int64(len(f[name]))})
		bodies = append(bodies, f[name])
	}
	return tgz(t, headers, bodies)
}

func tgz(t testing.TB, headers []*tar.Header, bodies []string) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for i, h := range headers {
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(bodies[i])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// simple is a chart whose one ConfigMap shows its name, version and .Values.v.
func simple(name, version, extra string) texts {
	return texts{
		"Chart.yaml":          "apiVersion: v2\nname: " + name + "\nversion: " + version + "\n" + extra,
		"values.yaml":         "v: default\n",
		"templates/show.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {is: '{{ .Chart.Version }} {{ .Values.v }}'}\n",
	}
}

func dependsOn(entries ...string) string {
	return "dependencies:\n- " + strings.Join(entries, "\n- ") + "\n"
}

// shown renders and lists each ConfigMap as name=data.
func shown(t *testing.T, files texts, r helm.Release) ([]string, error) {
	t.Helper()
	r.Name, r.Namespace = "rel", "ns"
	result, err := helm.Render(files.files(), r)
	var list []string
	for _, o := range result.Objects {
		data, _ := o.Body["data"].(map[string]any)
		list = append(list, fmt.Sprintf("%s=%v", o.Name, data["is"]))
	}
	slices.Sort(list)
	return list, err
}

const charts = "https://charts.example"

func TestChartsFromOutsideAndDependencies(t *testing.T) {
	remote := bundle.ChartRef{Repo: charts, Chart: "web", Version: "^1.0"}
	oci := bundle.ChartRef{Chart: "oci://registry.example/shop/web", Version: "1.2.3"}
	url := bundle.ChartRef{Chart: charts + "/web-1.2.3.tgz"}
	db := bundle.ChartRef{Repo: charts, Chart: "db", Version: "2.x"}
	lockedDB := bundle.ChartRef{Repo: charts, Chart: "db", Version: "2.0.1"}
	ociDB := bundle.ChartRef{Chart: "oci://registry.example/shop/db", Version: "2.x"}
	packedDB := simple("db", "2.0.1", "").packed(t, "db")
	dbFrom := func(repo string) string { return "{name: db, version: 2.x, repository: '" + repo + "'}" }
	web := func(deps ...string) texts { return simple("web", "1.0.0", dependsOn(deps...)) }
	cases := map[string]struct {
		files   texts
		release helm.Release
		want    []string
	}{
		"a chart from a repository": {texts{remote.File(): simple("web", "1.2.3", "").packed(t, "web")}, helm.Release{Chart: "web", Repo: charts, Version: "^1.0"}, []string{"web=1.2.3 default"}},
		"a chart from a registry":   {texts{oci.File(): simple("web", "1.2.3", "").packed(t, "web")}, helm.Release{Chart: oci.Chart, Version: "1.2.3", Repo: "ignored"}, []string{"web=1.2.3 default"}},
		"an archive's URL":          {texts{url.File(): simple("web", "1.2.3", "").packed(t, "x")}, helm.Release{Chart: url.Chart}, []string{"web=1.2.3 default"}},
		"a local archive":           {texts{"web.tgz": simple("web", "1.2.3", "").packed(t, "web")}, helm.Release{Chart: "/web.tgz"}, []string{"web=1.2.3 default"}},
		"an archive with vendored ones": {texts{"web.tgz": with(web(dbFrom(charts)), texts{"charts/db-2.0.1.tgz": packedDB}).packed(t, "web")}, helm.Release{Chart: "web.tgz"},
			[]string{"db=2.0.1 default", "web=1.0.0 default"}},
		"vendored as directory":    {with(web(dbFrom(charts)), simple("db", "2.5.0", "").under("charts/db")), helm.Release{}, []string{"db=2.5.0 default", "web=1.0.0 default"}},
		"vendored as archive":      {with(web(dbFrom(charts)), texts{"charts/db-2.0.1.tgz": packedDB}), helm.Release{}, []string{"db=2.0.1 default", "web=1.0.0 default"}},
		"vendored, unlisted":       {with(simple("web", "1.0.0", ""), simple("db", "2.5.0", "").under("charts/db")), helm.Release{}, []string{"db=2.5.0 default", "web=1.0.0 default"}},
		"no charts, marked files":  {with(simple("web", "1.0.0", ""), texts{"charts/.gitkeep": "", "charts/_old/x": ""}), helm.Release{}, []string{"web=1.0.0 default"}},
		"fetched":                  {with(web(dbFrom(charts)), texts{db.File(): packedDB}), helm.Release{}, []string{"db=2.0.1 default", "web=1.0.0 default"}},
		"fetched from a registry":  {with(web(dbFrom("oci://registry.example/shop")), texts{ociDB.File(): packedDB}), helm.Release{}, []string{"db=2.0.1 default", "web=1.0.0 default"}},
		"fetched as locked":        {with(web(dbFrom(charts)), texts{lockedDB.File(): packedDB, "Chart.lock": "dependencies:\n- {name: db, version: 2.0.1, repository: '" + charts + "'}\n"}), helm.Release{}, []string{"db=2.0.1 default", "web=1.0.0 default"}},
		"a stale one is replaced":  {with(web(dbFrom(charts)), simple("db", "1.0.0", "").under("charts/db"), texts{db.File(): packedDB, "charts/db/templates/stale.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stale}\n"}), helm.Release{}, []string{"db=2.0.1 default", "web=1.0.0 default"}},
		"in a subdirectory":        {with(web(dbFrom(charts)).under("app"), texts{db.File(): packedDB}), helm.Release{Chart: "./app"}, []string{"db=2.0.1 default", "web=1.0.0 default"}},
		"a directory beside it":    {with(web(dbFrom("file://../db")).under("app"), simple("db", "2.0.0", "").under("db")), helm.Release{Chart: "app"}, []string{"db=2.0.0 default", "web=1.0.0 default"}},
		"a directory below it":     {with(web(dbFrom("file://./parts/db")), simple("db", "2.0.0", "").under("parts/db")), helm.Release{}, []string{"db=2.0.0 default", "web=1.0.0 default"}},
		"aliases":                  {with(web("{name: db, version: 2.x, alias: one, repository: '"+charts+"'}", "{name: db, version: 2.x, alias: two, repository: '"+charts+"'}"), texts{db.File(): packedDB}), helm.Release{Values: map[string]any{"two": map[string]any{"v": "second"}}}, []string{"one=2.0.1 default", "two=2.0.1 second", "web=1.0.0 default"}},
		"two versions, two names":  {with(web("{name: db, version: 1.x, alias: old}", "{name: db, version: 2.x, alias: new}"), simple("db", "1.0.0", "").under("charts/db1"), simple("db", "2.0.0", "").under("charts/db2")), helm.Release{}, []string{"new=2.0.0 default", "old=1.0.0 default", "web=1.0.0 default"}},
		"a condition":              {with(web("{name: db, version: 2.x, condition: db.enabled}"), simple("db", "2.0.0", "").under("charts/db")), helm.Release{Values: map[string]any{"db": map[string]any{"enabled": false}}}, []string{"web=1.0.0 default"}},
		"update disabled, missing": {web(dbFrom(charts)), helm.Release{DisableDependencyUpdate: true}, []string{"web=1.0.0 default"}},
		"update disabled, fetched": {with(web(dbFrom(charts)), texts{db.File(): packedDB}), helm.Release{DisableDependencyUpdate: true}, []string{"web=1.0.0 default"}},
		"update disabled, there":   {with(web(dbFrom(charts)), texts{"charts/db-2.0.1.tgz": packedDB}), helm.Release{DisableDependencyUpdate: true}, []string{"db=2.0.1 default", "web=1.0.0 default"}},
		"old requirements.yaml":    {with(simple("web", "1.0.0", ""), texts{"Chart.yaml": "apiVersion: v1\nname: web\nversion: 1.0.0\n", "requirements.yaml": dependsOn(dbFrom(charts)), db.File(): packedDB}), helm.Release{}, []string{"db=2.0.1 default", "web=1.0.0 default"}},
		"what a dependency lacks":  {with(web(dbFrom("file://../db")).under("app"), simple("db", "2.0.0", dependsOn("{name: more, version: 1.x, repository: '"+charts+"'}")).under("db")), helm.Release{Chart: "app"}, []string{"db=2.0.0 default", "web=1.0.0 default"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := shown(t, c.files, c.release)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is missing, and where it was asked for.
func TestChartsThatAreMissing(t *testing.T) {
	dep := func(entry string) texts { return simple("web", "1.0.0", dependsOn(entry)).under("app") }
	app := helm.Release{Chart: "app"}
	cases := map[string]struct {
		files   texts
		release helm.Release
		code    string
		want    string
	}{
		"a chart not fetched":      {texts{}, helm.Release{Chart: "web", Repo: charts, Version: "^1.0"}, manifest.RemoteRefused, "chart web ^1.0 from https://charts.example was not fetched"},
		"another version fetched":  {texts{bundle.ChartRef{Repo: charts, Chart: "web", Version: "1"}.File(): "x"}, helm.Release{Chart: "web", Repo: charts, Version: "2"}, manifest.RemoteRefused, "web 2 from"},
		"a dependency not fetched": {dep("{name: db, version: 2.x, repository: '" + charts + "'}"), app, manifest.RemoteRefused, "app/Chart.yaml: dependency db is not in charts/ and was not fetched (db 2.x from https://charts.example)"},
		"no repository":            {dep("{name: db, version: 2.x}"), app, manifest.RenderFailed, "app/Chart.yaml: dependency db is not in charts/: it has no repository"},
		"an alias of a repository": {dep("{name: db, version: 2.x, repository: '@stable'}"), app, manifest.RenderFailed, "app/Chart.yaml: dependency db is not in charts/: its repository"},
		"above the bundle":         {dep("{name: db, version: 2.x, repository: 'file://../../db'}"), app, manifest.PathRefused, "app/Chart.yaml: dependency db: file://../../db leaves the bundle"},
		"an absolute directory":    {dep("{name: db, version: 2.x, repository: 'file:///etc'}"), app, manifest.PathRefused, "app/Chart.yaml: dependency db: file:///etc leaves the bundle"},
		"itself":                   {dep("{name: web, version: 1.x, repository: 'file://../app'}"), app, manifest.PathRefused, "app/Chart.yaml: dependency web: file://../app holds this chart"},
		"the bundle's root":        {dep("{name: web, version: 1.x, repository: 'file://..'}"), app, manifest.PathRefused, "app/Chart.yaml: dependency web: file://.. holds this chart"},
		"no such directory":        {dep("{name: db, version: 2.x, repository: 'file://../db'}"), app, manifest.InvalidOption, "db/Chart.yaml: no chart here"},
		"another version there":    {with(dep("{name: db, version: 2.x, repository: 'file://../db'}"), simple("db", "1.0.0", "").under("db")), app, manifest.RenderFailed, "app/Chart.yaml: dependency db 2.x: file://../db has db 1.0.0"},
		"another name there":       {with(dep("{name: db, version: 2.x, repository: 'file://../x'}"), simple("x", "2.0.0", "").under("x")), app, manifest.RenderFailed, "app/Chart.yaml: dependency db 2.x: file://../x has x 2.0.0"},
		"missing in an archive":    {texts{"web.tgz": simple("web", "1.0.0", dependsOn("{name: db, version: 2.x, repository: '"+charts+"'}")).packed(t, "web")}, helm.Release{Chart: "web.tgz"}, manifest.RenderFailed, "web.tgz/Chart.yaml: dependency db is not in charts/: "},
		"a file in charts/":        {with(simple("web", "1.0.0", ""), texts{"charts/README.md": "x"}), helm.Release{}, manifest.InvalidOption, "charts/README.md/Chart.yaml: no chart here"},
		"a chart above":            {texts{}, helm.Release{Chart: "../x"}, manifest.PathRefused, `helm.chart "../x" leaves the bundle`},
		"another scheme":           {texts{}, helm.Release{Chart: "git::https://x"}, manifest.InvalidOption, "charts are not read from git::https://"},
		"a fault in a subchart":    {with(simple("web", "1.0.0", ""), with(simple("db", "1.0.0", ""), texts{"templates/bad.yaml": "\n\n{{ .Values.a.b.c }}"}).under("charts/database")), helm.Release{}, manifest.RenderFailed, "charts/database/templates/bad.yaml:3: "},
		"a fault in an archive":    {texts{bundle.ChartRef{Repo: charts, Chart: "web", Version: "1"}.File(): with(simple("web", "1.0.0", ""), texts{"templates/bad.yaml": "\n{{ fail \"no\" }}"}).packed(t, "web")}, helm.Release{Chart: "web", Repo: charts, Version: "1"}, manifest.RenderFailed, "web-1.tgz/templates/bad.yaml:2: "},
		"values of a subchart":     {with(simple("web", "1.0.0", ""), with(simple("db", "1.0.0", ""), texts{"values.yaml": "a: 1\nb: [\n"}).under("charts/db")), helm.Release{}, manifest.RenderFailed, "charts/db/values.yaml:"},
		"a library":                {with(simple("web", "1.0.0", "type: library\n")), helm.Release{}, manifest.RenderFailed, "Chart.yaml: a chart of type library cannot be installed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := shown(t, c.files, c.release)
			var fault *manifest.Fault
			if !errors.As(err, &fault) {
				t.Fatalf("got %v, want a fault", err)
			}
			if fault.Code != c.code || !strings.Contains(fault.Error(), c.want) {
				t.Errorf("got %s %q, want %s %q", fault.Code, fault, c.code, c.want)
			}
		})
	}
}

// Archives are judged before anything parses what is in them.
func TestHostileArchives(t *testing.T) {
	chart := simple("web", "1.0.0", "")
	entry := func(h tar.Header, body string) string {
		h.Size, h.Mode = int64(len(body)), 0o644
		return tgz(t, []*tar.Header{{Name: "web/Chart.yaml", Size: int64(len(chart["Chart.yaml"])), Mode: 0o644}, &h}, []string{chart["Chart.yaml"], body})
	}
	large := strings.Repeat("x", 4<<20)
	bomb := texts{}
	for i := range 9 {
		bomb[fmt.Sprintf("files/%d", i)] = large
	}
	many := texts{}
	for i := range 10_001 {
		many[fmt.Sprintf("files/%d", i)] = ""
	}
	nested := simple("a", "1.0.0", "")
	for range 18 {
		nested = with(simple("a", "1.0.0", ""), texts{"charts/a-1.0.0.tgz": nested.packed(t, "a")})
	}
	half := with(simple("b", "1.0.0", ""), texts{"f/1": large, "f/2": large, "f/3": large, "f/4": large, "f/5": large}).packed(t, "b")
	cases := map[string]struct{ archive, code, want string }{
		"no archive":            {"plain text", manifest.RenderFailed, "web.tgz: not a chart archive"},
		"cut short":             {chart.packed(t, "web")[:100], manifest.RenderFailed, "web.tgz: read chart archive"},
		"empty":                 {tgz(t, nil, nil), manifest.InvalidOption, "web.tgz/Chart.yaml: no chart here"},
		"a symbolic link":       {entry(tar.Header{Name: "web/templates/x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, ""), manifest.PathRefused, "web/templates/x in the archive is a link"},
		"a hard link":           {entry(tar.Header{Name: "web/x", Typeflag: tar.TypeLink, Linkname: "web/Chart.yaml"}, ""), manifest.PathRefused, "is a link"},
		"a device":              {entry(tar.Header{Name: "web/x", Typeflag: tar.TypeChar}, ""), manifest.PathRefused, "is a link or a device"},
		"a name that leaves":    {entry(tar.Header{Name: "web/../../x"}, "x"), manifest.PathRefused, "leaves the chart"},
		"a name that returns":   {entry(tar.Header{Name: "web/a/../b"}, "x"), manifest.PathRefused, "leaves the chart"},
		"backslashes":           {entry(tar.Header{Name: `web\..\..\x`}, "x"), manifest.PathRefused, "leaves the chart"},
		"an absolute name":      {entry(tar.Header{Name: "/etc/passwd"}, "x"), manifest.PathRefused, "absolute name"},
		"absolute below":        {entry(tar.Header{Name: "web//etc/passwd"}, "x"), manifest.PathRefused, "absolute name"},
		"a drive":               {entry(tar.Header{Name: `web/c:/x`}, "x"), manifest.PathRefused, "absolute name"},
		"outside the directory": {entry(tar.Header{Name: "loose.yaml"}, "x"), manifest.PathRefused, "not in the chart's directory"},
		"control characters":    {entry(tar.Header{Name: "web/a\x1b[2J"}, "x"), manifest.PathRefused, "is no name"},
		"twice":                 {entry(tar.Header{Name: "web/./Chart.yaml"}, "x"), manifest.RenderFailed, "Chart.yaml is in the archive twice"},
		"a large file":          {with(chart, texts{"big": large + large}).packed(t, "web"), manifest.LimitExceeded, "big in the archive: larger than 5 MiB"},
		"large together":        {with(chart, bomb).packed(t, "web"), manifest.LimitExceeded, "more than 32 MiB"},
		"many files":            {many.packed(t, "web"), manifest.LimitExceeded, "more than 10000 files"},
		"archives in archives":  {nested.packed(t, "web"), manifest.LimitExceeded, "nested more than 16 deep"},
		"large in archives":     {with(chart, texts{"charts/b-1.tgz": half, "charts/b-2.tgz": half}).packed(t, "web"), manifest.LimitExceeded, "web.tgz/charts/b-2.tgz: "},
		"aliases":               {with(chart, texts{"values.yaml": nestedAliases}).packed(t, "web"), manifest.LimitExceeded, "web.tgz/values.yaml:"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := shown(t, texts{"web.tgz": c.archive}, helm.Release{Chart: "web.tgz"})
			var fault *manifest.Fault
			if !errors.As(err, &fault) || fault.Code != c.code || !strings.Contains(fault.Error(), c.want) {
				t.Errorf("got %v, want %s %q", err, c.code, c.want)
			}
		})
	}
}

// The archives that were added to a bundle are no files of the chart at its root.
func TestFetchedArchivesAreNoFilesOfTheChart(t *testing.T) {
	ref := bundle.ChartRef{Repo: charts, Chart: "db", Version: "2.x"}
	web := simple("web", "1.0.0", dependsOn("{name: db, version: 2.x, repository: '"+charts+"'}"))
	web["templates/show.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: '{{ range $name, $_ := .Files.Glob \"**\" }}{{ $name }} {{ end }}'}\n"
	got, err := shown(t, with(web, texts{ref.File(): simple("db", "2.0.0", "").packed(t, "db"), "notes/a.txt": "a"}), helm.Release{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"db=2.0.0 default", "web=notes/a.txt "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What bundle.RemoteCharts lists, and nothing else, has to be among the files.
func TestWhatRemoteChartsListsIsWhatRenderWants(t *testing.T) {
	deps := dependsOn(
		"{name: db, version: 2.x, repository: '"+charts+"'}", "{name: db, version: ~2.1, alias: old, repository: '"+charts+"/'}",
		"{name: cache, version: '>=1', repository: 'oci://registry.example/shop/'}", "{name: lib, version: '*', repository: 'file://lib'}",
	)
	local := with(simple("web", "1.0.0", deps).under("app"), simple("lib", "0.1.0", "").under("app/lib"),
		texts{"app/Chart.lock": "dependencies:\n- {name: cache, version: 1.4.0, repository: 'oci://registry.example/shop/'}\n"})
	text := func(s string) *string { return &s }
	for name, h := range map[string]v1alpha1.HelmOptions{
		"local":    {Chart: text("app")},
		"registry": {Chart: text("oci://registry.example/shop/web"), Version: text("1.x")},
		"repo":     {Chart: text("web"), Repo: text(charts), Version: text("1.0.0")},
		"url":      {Chart: text(charts + "/web-1.0.0.tgz")},
	} {
		files := maps.Clone(local)
		refs := bundle.RemoteCharts(local.files(), v1alpha1.BundleSpec{BundleOptions: v1alpha1.BundleOptions{Helm: &h}})
		for _, ref := range refs {
			chart := ref.Chart[strings.LastIndex(ref.Chart, "/")+1:]
			version := map[string]string{"2.x": "2.0.0", "~2.1": "2.1.9", "1.4.0": "1.4.0", "1.x": "1.0.0", "1.0.0": "1.0.0", "": "1.0.0"}[ref.Version]
			files[ref.File()] = simple(strings.TrimSuffix(chart, "-1.0.0.tgz"), version, "").packed(t, chart)
		}
		r := helm.Release{Chart: *h.Chart}
		if h.Repo != nil {
			r.Repo = *h.Repo
		}
		if h.Version != nil {
			r.Version = *h.Version
		}
		got, err := shown(t, files, r)
		if err != nil {
			t.Errorf("%s: with %v: %v", name, refs, err)
			continue
		}
		want := []string{"web=1.0.0 default"}
		if name == "local" {
			want = []string{"cache=1.4.0 default", "db=2.0.0 default", "lib=0.1.0 default", "old=2.1.9 default", "web=1.0.0 default"}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, ref := range refs {
			fewer := maps.Clone(files)
			delete(fewer, ref.File())
			if _, err := shown(t, fewer, r); err == nil || !strings.Contains(err.Error(), "was not fetched") {
				t.Errorf("%s without %v: %v", name, ref, err)
			}
		}
	}
}
