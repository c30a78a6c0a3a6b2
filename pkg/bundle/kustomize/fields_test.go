package kustomize_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/muster-dev/muster/pkg/bundle/kustomize"
)

// full is a value with every field that kustomize reads into a type, by the
// names it prints them under.
func full(t reflect.Type, deep int) any {
	switch t.Kind() {
	case reflect.Pointer:
		return full(t.Elem(), deep)
	case reflect.Slice:
		return []any{full(t.Elem(), deep+1)}
	case reflect.Map:
		return map[string]any{"k": full(t.Elem(), deep+1)}
	case reflect.Struct:
		fields := map[string]any{}
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			inner, isMap := full(t.Field(i).Type, deep+1).(map[string]any)
			switch {
			case name == "-" || deep > 8:
			case name == "" && t.Field(i).Anonymous && isMap:
				for key, value := range inner {
					fields[key] = value
				}
			case t.Field(i).IsExported() && name != "":
				fields[name] = full(t.Field(i).Type, deep+1)
			}
		}
		return fields
	case reflect.Bool:
		return true
	case reflect.Int, reflect.Int64, reflect.Int32:
		return 1
	case reflect.String:
		return "x"
	}
	return nil
}

// kustomize itself has the last word on what it reads: nothing that it accepts
// may be refused here, and what it calls unknown has to be found.
func TestFieldsAreJudgedAsKustomizeJudgesThem(t *testing.T) {
	all := full(reflect.TypeFor[types.Kustomization](), 0).(map[string]any)
	if len(all) < 25 {
		t.Fatalf("only %d fields are known", len(all))
	}
	texts := []string{marshalled(t, all)}
	for field, value := range all {
		for _, other := range []any{value, nil, "x", "", 1, 1.5, true, []any{}, []any{nil}, []any{"x"}, []any{1}, []any{map[string]any{}}, []any{map[string]any{"zz": 1}}, map[string]any{}, map[string]any{"zz": "x"}, map[string]any{"zz": map[string]any{}}} {
			texts = append(texts, marshalled(t, map[string]any{field: other}), marshalled(t, map[string]any{strings.ToUpper(field): other}), marshalled(t, map[string]any{field + "s": other, "namePrefix": "a"}))
		}
	}
	for _, text := range texts {
		var k types.Kustomization
		want, got := k.Unmarshal([]byte(text)), kustomize.CheckFields([]byte(text))
		unknown := strings.Contains(fmt.Sprint(want), "unknown field")
		if got != nil && want == nil || unknown && got == nil {
			t.Errorf("%s\ngot  %v\nwant %v", text, got, want)
		}
	}
}

func marshalled(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
