package tscheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// drafts is those in which schemas must mean the same.
var drafts = map[string]*jsonschema.Draft{"draft-07": jsonschema.Draft7, "2020-12": jsonschema.Draft2020}

// TestDocuments validates the description of each case against OpenRPC's meta-schema, and
// its schemas against those of both drafts.
func TestDocuments(t *testing.T) {
	w := open(t)
	meta := metaSchema(t)
	for _, p := range w.packages {
		doc := parsed(t, p.description)
		if err := meta.Validate(doc); err != nil {
			t.Errorf("%s: %v", p.script, err)
		}
		for name, url := range map[string]string{"draft-07": "http://json-schema.org/draft-07/schema", "2020-12": "https://json-schema.org/draft/2020-12/schema"} {
			schema, err := jsonschema.NewCompiler().Compile(url)
			check(t, err)
			for at, s := range schemasOf(doc) {
				if err := schema.Validate(s); err != nil {
					t.Errorf("%s: %s: %s: %v", p.script, name, at, err)
				}
			}
		}
	}
}

// metaSchema is OpenRPC's, which refers to one of JSON Schema.
func metaSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(installed{t})
	s, err := c.Compile("https://meta.open-rpc.org/")
	check(t, err)
	return s
}

// An installed loads the meta-schemas that npm has installed, and nothing from elsewhere.
type installed struct{ t *testing.T }

func (l installed) Load(url string) (any, error) {
	value := map[string]string{
		"https://meta.json-schema.tools": "require('@json-schema-tools/meta-schema').jsonSchema",
		"https://meta.open-rpc.org":      "require('@open-rpc/meta-schema').openrpcDocument",
	}[strings.TrimSuffix(url, "/")]
	if value == "" {
		return nil, fmt.Errorf("%s is not there", url)
	}
	script := "const s = " + value + "; delete s.$schema; console.log(JSON.stringify(s))"
	out, err := exec.Command(node(), "--input-type=commonjs", "-e", script).Output()
	if err != nil {
		return nil, err
	}
	return parsed(l.t, out), nil
}

// schemasOf is the schemas of a document by where they stand.
func schemasOf(doc any) map[string]any {
	out := map[string]any{}
	for name, s := range member(doc, "components", "schemas").(map[string]any) {
		out[name] = s
	}
	for _, m := range member(doc, "methods").([]any) {
		name := member(m, "name").(string)
		for _, p := range member(m, "params").([]any) {
			out[name+"/"+member(p, "name").(string)] = member(p, "schema")
		}
		if r := member(m, "result"); r != nil {
			out[name] = member(r, "schema")
		}
	}
	return out
}

// TestValues validates random values of all types in the cases against their schemas, and
// has what is no such value refused.
func TestValues(t *testing.T) {
	w := open(t)
	out, err := exec.Command(w.build(t), "-values", "-rounds", strconv.Itoa(*rounds)).Output()
	check(t, err)
	for name, draft := range drafts {
		t.Run(name, func(t *testing.T) {
			v := newValidator(t, w, draft)
			n := 0
			for line := range bytes.Lines(out) {
				n++
				var value carried
				check(t, json.Unmarshal(line, &value))
				v.validate(t, value)
			}
			v.selective(t)
			t.Logf("%d values of %d places", n, len(v.schemas))
		})
	}
}

// A carried is a value and where a service carries it.
type carried struct {
	Script, Service, Method, Kind string
	Index                         int
	JSON                          string
}

func (c carried) place() string {
	return fmt.Sprintf("%s: %s.%s: %s %d", c.Script, c.Service, c.Method, c.Kind, c.Index)
}

// A validator has the schemas of all places.
type validator struct {
	compiler *jsonschema.Compiler
	docs     map[string]any    // by scripts
	models   map[string]string // likewise
	schemas  map[string]*jsonschema.Schema
	sources  map[string]any // of the schemas
}

func newValidator(t *testing.T, w *workspace, draft *jsonschema.Draft) *validator {
	t.Helper()
	v := &validator{jsonschema.NewCompiler(), map[string]any{}, map[string]string{}, map[string]*jsonschema.Schema{}, map[string]any{}}
	v.compiler.DefaultDraft(draft)
	v.compiler.AssertFormat()
	v.compiler.AssertContent()
	for _, p := range w.packages {
		doc := parsed(t, p.description)
		v.docs[p.script], v.models[p.script] = doc, modelOf(p)
		check(t, v.compiler.AddResource("file:///"+p.script, doc))
	}
	return v
}

// modelOf is the part of a case's model that is about one of its packages.
func modelOf(p casePackage) string {
	for part := range strings.SplitSeq("\n"+p.model, "\npackage ") {
		head, _, _ := strings.Cut(part, "\n")
		if strings.HasSuffix(head, " example.com/cases/"+p.dir) && strings.HasPrefix(head, strings.TrimSuffix(path.Base(p.script), ".js")) {
			return part
		}
	}
	return p.model
}

func (v *validator) validate(t *testing.T, value carried) {
	t.Helper()
	s := v.schemas[value.place()]
	if s == nil {
		at := v.pointer(t, value)
		var err error
		s, err = v.compiler.Compile("file:///" + value.Script + "#" + at)
		check(t, err)
		v.schemas[value.place()], v.sources[value.place()] = s, lookUp(v.docs[value.Script], at)
	}
	if err := s.Validate(parsed(t, []byte(value.JSON))); err != nil {
		t.Errorf("%s: %v: %s", value.place(), err, value.JSON)
	}
}

// pointer is where the schema of a value stands in the document.
func (v *validator) pointer(t *testing.T, value carried) string {
	t.Helper()
	wire := v.wireName(t, value)
	for i, m := range member(v.docs[value.Script], "methods").([]any) {
		if member(m, "name") != wire {
			continue
		}
		at := fmt.Sprintf("/methods/%d", i)
		if value.Kind == "params" {
			name := member(member(m, "params").([]any)[value.Index], "name").(string)
			return stream(m, at, "params", name, fmt.Sprintf("%s/params/%d/schema", at, value.Index))
		}
		names, several := member(m, "x-wirecall", "results").([]any)
		if !several {
			for name := range asObject(member(m, "x-wirecall", "streams", "results")) {
				return stream(m, at, "results", name, "")
			}
			return at + "/result/schema"
		}
		name := names[value.Index].(string)
		return stream(m, at, "results", name, at+"/result/schema/properties/"+name)
	}
	t.Fatalf("%s is not described", value.place())
	return ""
}

// stream is where the schema of a stream's items stands, or else what is given.
func stream(m any, at, kind, name, other string) string {
	if asObject(member(m, "x-wirecall", "streams", kind))[name] == nil {
		return other
	}
	return at + "/x-wirecall/streams/" + kind + "/" + name
}

// wireName is the name of a method on the wire, which the case's model has.
func (v *validator) wireName(t *testing.T, value carried) string {
	t.Helper()
	_, service, ok := strings.Cut(v.models[value.Script], "\nservice "+value.Service+" = ")
	found := regexp.MustCompile(`(?m)^\t` + value.Method + `: ([^(]*)\(`).FindStringSubmatch(service)
	if !ok || found == nil {
		t.Fatalf("%s is not in the model", value.place())
	}
	return found[1]
}

// selective has each schema refuse something, unless it is that of any value.
func (v *validator) selective(t *testing.T) {
	t.Helper()
	some := []any{true, json.Number("0.5"), "\x00", []any{true}, map[string]any{"?": nil}}
	for place, s := range v.schemas {
		refused := false
		for _, other := range some {
			refused = refused || s.Validate(other) != nil
		}
		if !refused && !isAny(s) {
			t.Errorf("%s: %v refuses nothing", place, v.sources[place])
		}
	}
}

// isAny reports whether a schema, or the one that it refers to, says nothing.
func isAny(s *jsonschema.Schema) bool {
	for s.Ref != nil {
		s = s.Ref
	}
	return s.Types == nil && s.AnyOf == nil && s.AllOf == nil
}

// lookUp is what a JSON pointer points to.
func lookUp(v any, pointer string) any {
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if list, ok := v.([]any); ok {
			i, err := strconv.Atoi(part)
			if err != nil {
				return nil
			}
			v = list[i]
			continue
		}
		v = asObject(v)[part]
	}
	return v
}

// member is a member of a member of an object, or nil.
func member(v any, path ...string) any {
	for _, name := range path {
		v = asObject(v)[name]
	}
	return v
}

func asObject(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

func parsed(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return v
}
