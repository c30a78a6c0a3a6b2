package volatile

import (
	"slices"
	"strconv"
	"strings"
)

// Pointers returns where an object's volatile values are once the API server
// has it, as paths that Keep and Blank follow: a Secret's stringData ends in
// its data. object is as rendered.
func Pointers(object map[string]any, pointers []string) [][]string {
	var paths [][]string
	for _, p := range pointers {
		path, ok := parse(p)
		switch {
		case !ok:
		case isSecret(object) && path[0] == "stringData":
			paths = append(paths, inData(object, path)...)
		default:
			paths = append(paths, path)
		}
	}
	return paths
}

func isSecret(object map[string]any) bool {
	return object["kind"] == "Secret" && object["apiVersion"] == "v1"
}

// inData names the fields of data that stringData's become.
func inData(object map[string]any, path []string) [][]string {
	if len(path) == 2 {
		return [][]string{{"data", path[1]}}
	}
	texts, _ := object["stringData"].(map[string]any)
	var paths [][]string
	for key := range texts {
		paths = append(paths, []string{"data", key})
	}
	slices.SortFunc(paths, slices.Compare)
	return paths
}

// parse splits a pointer (RFC 6901). What names an object, or holds what
// others write about it, is never volatile: without it nothing could be kept.
func parse(pointer string) ([]string, bool) {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return nil, false
	}
	path := strings.Split(rest, "/")
	for i := range path {
		path[i] = unescape.Replace(path[i])
	}
	switch path[0] {
	case "apiVersion", "kind":
		return nil, false
	case "metadata":
		return path, len(path) == 3 && (path[1] == "labels" || path[1] == "annotations")
	}
	return path, true
}

// unescape is never written to.
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// index reads a step as a place in a list.
func index(step string, length int) (int, bool) {
	i, err := strconv.Atoi(step)
	return i, err == nil && i >= 0 && i < length
}
