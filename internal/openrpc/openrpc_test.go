package openrpc

import "testing"

func parse(t *testing.T, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSignature(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"a"}`: "a()",
		`{"name":"a","result":{"schema":{"type":"null"}}}`: "a()",
		`{"name":"a","params":[{"name":"x","required":true,"schema":{"type":"string"}},{"name":"y"},{"$ref":"#/x"},null],"result":{"schema":{"$ref":"#/components/schemas/p.T"}}}`:                             "a(x string, y? any) p.T",
		`{"name":"a","params":[{"name":"x","schema":{"type":["array","null"],"items":{"type":"integer"}}}],"result":{"schema":true}}`:                                                                          "a(x? []integer|null) any",
		`{"name":"a","params":[{"name":"x","required":true}],"result":{"schema":{"type":"integer"}},"x-wirecall":{"streams":{"params":{"x":{"type":"number"}},"results":{"r":{"allOf":[{"$ref":"#/c/T"}]}}}}}`: "a(x stream of number) stream of T",
		`{"name":"a","result":{"schema":{"type":"object","properties":{"n":{"anyOf":[{"$ref":"#/c/T"},{"type":"null"}]}}}},"x-wirecall":{"results":["n","s"],"streams":{"results":{"s":{"type":"boolean"}}}}}`: "a() (n T|null, s stream of boolean)",
	} {
		m := parse(t, `{"methods":[`+text+`]}`).Methods[0]
		if got := m.Signature(); got != want {
			t.Errorf("%s\nis %s, want %s", text, got, want)
		}
	}
}

// A schema of a form that is not known says nothing, and is kept as it stands.
func TestUnknownSchemas(t *testing.T) {
	for _, text := range []string{`7`, `true`, `[]`, `{"items":[{"type":"string"}]}`, `{"type":7}`, `{"minItems":"x"}`} {
		s := parse(t, `{"methods":[{"name":"a","params":[{"name":"x","schema":`+text+`}]}]}`).Methods[0].Params[0].Schema
		if s.TypeName() != "any" || s.Kind() != "any" || string(s.Text) != text {
			t.Errorf("%s is %s, %s: %s", text, s.TypeName(), s.Kind(), s.Text)
		}
	}
}

func TestResolve(t *testing.T) {
	d := parse(t, `{"methods":[],"components":{"schemas":{
		"a":{"$ref":"#/components/schemas/b"},"b":{"allOf":[{"$ref":"#/components/schemas/a"}]},
		"c":{"anyOf":[{"type":"null"},{"$ref":"#/components/schemas/d"}]},"d":{"type":["integer","null"]}}}}`)
	for name, want := range map[string]struct {
		kind, name string
		null       bool
	}{"a": {"any", "b", false}, "c": {"integer", "d", true}, "d": {"integer", "d", true}, "missing": {"any", "missing", false}} {
		is, last, null := d.Resolve(&Schema{Ref: "#/components/schemas/" + name})
		if is.Kind() != want.kind || name != "a" && last != want.name || null != want.null {
			t.Errorf("%s is %s, %s, %t", name, is.Kind(), last, null)
		}
	}
}
