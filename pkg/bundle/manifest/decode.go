package manifest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Object is one Kubernetes object and where it was written.
type Object struct {
	APIVersion string
	Group      string
	Kind       string
	Namespace  string
	Name       string
	// File and Line of the text it came from, relative to the bundle.
	File string
	Line int
	// ChartCRD marks an object from a chart's crds/ directory.
	ChartCRD bool
	// Plain marks an object that no chart printed: Helm's hook annotations on it mean nothing.
	Plain bool
	// Copied marks an object that comes from the hub and belongs to no release.
	Copied bool
	// Body is the whole object; numbers are json.Number.
	Body map[string]any
}

// Options of Decode.
type Options struct {
	// Lenient accepts a key given twice, as Helm does with what templates print; the last one counts.
	Lenient bool
	// MaxObjects bounds the result; 0 means no bound.
	MaxObjects int
	// Printed says that a template printed the text: lines in it are not lines of the file.
	Printed bool
}

// maxNesting bounds Lists within Lists.
const maxNesting = 8

// Decode reads every object of a file: any number of documents, Lists flattened.
func Decode(file string, data []byte, opts Options) ([]Object, error) {
	d := decoder{file: file, opts: opts}
	for _, doc := range split(data) {
		if err := d.document(doc); err != nil {
			return nil, d.asPrinted(err)
		}
	}
	if opts.Printed {
		for i := range d.objects {
			d.objects[i].Line = 0
		}
	}
	return d.objects, nil
}

// Document is one document of a file as a plain value; numbers are json.Number.
type Document struct {
	Line  int
	Value any
}

// Documents reads the documents of a file that need not be objects, such as patches.
func Documents(file string, data []byte) ([]Document, error) {
	d := decoder{file: file}
	var documents []Document
	for _, doc := range split(data) {
		value, err := d.value(doc)
		if err != nil {
			return nil, err
		}
		if value != nil {
			documents = append(documents, Document{Line: doc.start(), Value: value})
		}
	}
	return documents, nil
}

// Objects makes objects of documents, Lists flattened, as Decode does of text.
func Objects(file string, documents []Document, opts Options) ([]Object, error) {
	d := decoder{file: file, opts: opts}
	for _, doc := range documents {
		if err := d.addValue(doc.Value, doc.Line); err != nil {
			return nil, err
		}
	}
	return d.objects, nil
}

// asPrinted moves a fault's line into its message if it counts in printed text.
func (d *decoder) asPrinted(err error) error {
	f, ok := err.(*Fault)
	if !ok || !d.opts.Printed || f.Line == 0 {
		return err
	}
	return NewFault(f.File, 0, f.Code, "line %d of what it prints: %s", f.Line, f.Message)
}

// FromJSON makes an object of JSON that a renderer printed.
func FromJSON(file string, data []byte) (Object, error) {
	var body map[string]any
	if err := DecodeJSON(data, &body); err != nil {
		return Object{}, NewFault(file, 0, InvalidObject, "%v", err)
	}
	return newObject(file, 0, body)
}

// Print writes objects as YAML documents, for a renderer that works on another's output.
func Print(objects []Object) ([]byte, error) {
	var text bytes.Buffer
	for i := range objects {
		data, err := objects[i].canonical()
		if err != nil {
			return nil, err
		}
		text.WriteString("---\n")
		text.Write(data)
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}

// LargestFile names the file whose objects take most bytes, to say whom a limit hit.
func LargestFile(objects []Object) string {
	sizes := map[string]int{}
	largest := ""
	for i := range objects {
		data, err := objects[i].canonical()
		if err != nil {
			continue // it was counted as nothing, and is reported elsewhere
		}
		file := objects[i].File
		if sizes[file] += len(data); sizes[file] > sizes[largest] || largest == "" {
			largest = file
		}
	}
	return largest
}

// Values returns the documents of a text as plain values; what does not parse is left out.
func Values(text []byte) []any {
	var values []any
	for _, doc := range split(text) {
		var value any
		if yaml.Unmarshal(doc.data, &value) == nil {
			values = append(values, value)
		}
	}
	return values
}

// YAMLFault places a YAML parser's error in a file.
func YAMLFault(file string, err error) *Fault { return yamlFault(file, 0, err) }

type decoder struct {
	file    string
	opts    Options
	objects []Object
}

func (d *decoder) document(doc document) error {
	value, err := d.value(doc)
	if err != nil || value == nil {
		return err
	}
	return d.addValue(value, doc.start())
}

// value parses one document.
func (d *decoder) value(doc document) (any, error) {
	if err := CheckAliases(d.file, doc.data); err != nil {
		return nil, shift(err, doc.line-1)
	}
	convert := yaml.YAMLToJSONStrict
	if d.opts.Lenient {
		convert = yaml.YAMLToJSON
	}
	text, err := convert(doc.data)
	if err != nil {
		return nil, yamlFault(d.file, doc.line-1, err)
	}
	var value any
	if err := DecodeJSON(text, &value); err != nil {
		return nil, NewFault(d.file, doc.start(), InvalidYAML, "%v", err)
	}
	return value, nil
}

func (d *decoder) addValue(value any, line int) error {
	body, ok := value.(map[string]any)
	if !ok {
		return NewFault(d.file, line, InvalidObject, "not a Kubernetes object: want a mapping with apiVersion, kind and metadata")
	}
	return d.add(body, line, 0)
}

// add takes an object, or each item of a List.
func (d *decoder) add(body map[string]any, line, depth int) error {
	items, isList := listItems(body)
	if !isList {
		if d.opts.MaxObjects > 0 && len(d.objects) >= d.opts.MaxObjects {
			return NewFault(d.file, line, LimitExceeded, "more than %d objects", d.opts.MaxObjects)
		}
		o, err := newObject(d.file, line, body)
		if err != nil {
			return err
		}
		d.objects = append(d.objects, o)
		return nil
	}
	if depth == maxNesting {
		return NewFault(d.file, line, LimitExceeded, "lists nested more than %d deep", maxNesting)
	}
	for i, item := range items {
		child, ok := item.(map[string]any)
		if !ok {
			return NewFault(d.file, line, InvalidObject, "items[%d] of the list is not an object", i)
		}
		inheritType(body, child)
		if err := d.add(child, line, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// listItems returns the items of a List or a typed list such as ConfigMapList.
func listItems(body map[string]any) ([]any, bool) {
	kind, _ := body["kind"].(string)
	if !strings.HasSuffix(kind, "List") {
		return nil, false
	}
	items, ok := body["items"].([]any)
	if !ok && kind == "List" && body["items"] == nil {
		return nil, true
	}
	return items, ok
}

// inheritType fills in what items of a typed list may leave out.
func inheritType(list, item map[string]any) {
	kind, _ := list["kind"].(string)
	if kind == "List" {
		return
	}
	if item["kind"] == nil {
		item["kind"] = strings.TrimSuffix(kind, "List")
	}
	if item["apiVersion"] == nil {
		item["apiVersion"] = list["apiVersion"]
	}
}

// DecodeJSON decodes with numbers kept as they are written.
func DecodeJSON(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// yamlFault places a parser's error, whose lines count from a document's start.
func yamlFault(file string, before int, err error) *Fault {
	text := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	text = strings.TrimPrefix(text, "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n  ")
	line := before + 1
	if at := yamlLine.FindStringSubmatchIndex(text); at != nil {
		number, atoiErr := strconv.Atoi(text[at[2]:at[3]])
		if atoiErr == nil {
			line = before + number
		}
		text = text[:at[0]] + text[at[1]:]
	}
	return NewFault(file, line, InvalidYAML, "%s", text)
}

// shift moves a fault found within a document to its place in the file.
func shift(err error, lines int) error {
	if f, ok := err.(*Fault); ok && f.Line > 0 {
		f.Line += lines
	}
	return err
}
