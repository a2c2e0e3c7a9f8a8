package compat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/compat"
	newapi "github.com/wirecall/wirecall/internal/compat/testdata/new"
	oldapi "github.com/wirecall/wirecall/internal/compat/testdata/old"
	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A sample is what the older and the newer program send of a type that has changed.
type sample struct{ old, new string }

// samples are for the methods of Values: for the one that ends in In and the one that ends
// in Out, which carries the type from the service. Where a rule says that nothing breaks, both can
// have the value; where it says that something does, it is a value that the other cannot have.
var samples = map[string]sample{
	"TypeChanged":    {`5`, `true`},
	"NumberInString": {`{"N":"5"}`, `{"N":5}`},
	"ArrayLength":    {`[1,2,3,4]`, `[1,2,3]`},
	"FieldRemoved":   {`{"A":"a","B":"b"}`, `{"A":"a"}`},
	"FieldCase":      {`{"userid":"a"}`, `{"userId":"a"}`},
	"FieldAdded":     {`{"A":"a"}`, `{"A":"a"}`},
	"OmitAdded":      {`{"A":""}`, `{"A":""}`},
	"OmitRemoved":    {`{"A":""}`, `{"A":""}`},
	"NullAdded":      {`""`, `null`},
	"NullRemoved":    {`null`, `""`},

	"TypeNarrowedIn":       {`5`, `"a"`},
	"TypeNarrowedOut":      {`"a"`, `"a"`},
	"TypeWidenedIn":        {`"a"`, `"a"`},
	"TypeWidenedOut":       {`"a"`, `5`},
	"NumberNarrowedIn":     {`4294967296`, `7`},
	"NumberNarrowedOut":    {`7`, `7`},
	"NumberWidenedIn":      {`7`, `7`},
	"NumberWidenedOut":     {`7`, `4294967296`},
	"MapKeyNarrowedIn":     {`{"a":"x"}`, `{"1":"x"}`},
	"MapKeyNarrowedOut":    {`{"1":"x"}`, `{"1":"x"}`},
	"MapKeyWidenedIn":      {`{"1":"x"}`, `{"1":"x"}`},
	"MapKeyWidenedOut":     {`{"1":"x"}`, `{"a":"x"}`},
	"MapNumberNarrowedIn":  {`{"-1":"x"}`, `{"1":"x"}`},
	"MapNumberNarrowedOut": {`{"1":"x"}`, `{"1":"x"}`},
	"MapNumberWidenedIn":   {`{"1":"x"}`, `{"1":"x"}`},
	"MapNumberWidenedOut":  {`{"1":"x"}`, `{"4294967296":"x"}`},
	"ValueRemovedIn":       {`"blue"`, `"green"`},
	"ValueRemovedOut":      {`"green"`, `"green"`},
	"ValueAddedIn":         {`"green"`, `"green"`},
	"ValueAddedOut":        {`"green"`, `"yellow"`},
	"ValueChanged":         {`"red"`, `"crimson"`},
}

// A program is one that knows one of the descriptions.
type program struct {
	methods  []*rpc.Method
	document *openrpc.Document
}

func (p *program) method(name string) (*rpc.Method, *openrpc.Method) {
	i := slices.IndexFunc(p.methods, func(m *rpc.Method) bool { return m.Name == name })
	described, err := p.document.Method(name)
	if i < 0 || err != nil {
		panic(name)
	}
	return p.methods[i], described
}

// TestValues sends a value of each type that has changed from an older client to a newer
// server, or back, as the method carries it, and sees whether the worst that Compare says is
// what happens: an error if a value is lost, changed or refused, a warning if that is so only
// for programs which take the description at its word, and otherwise an info.
func TestValues(t *testing.T) {
	old, new := &program{oldapi.ValuesService(nil).Methods, document(t, "old.json")}, &program{newapi.ValuesService(nil).Methods, document(t, "new.json")}
	found := findings(t)
	for _, m := range old.methods {
		_, name, _ := strings.Cut(m.Name, ".")
		if name == "Loop" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s, ok := samples[name]
			if !ok {
				if s, ok = samples[strings.TrimSuffix(strings.TrimSuffix(name, "In"), "Out")]; !ok {
					t.Fatal("there is no sample")
				}
			}
			in := strings.HasSuffix(name, "In")
			carry := carryOut
			if in {
				carry = carryIn
			}
			before := carry(t, m.Name, old, old, s.old)
			after := carry(t, m.Name, old, new, map[bool]string{true: s.old, false: s.new}[in])
			if before.strict != "" {
				t.Fatalf("among older programs: %+v", before)
			}
			want := compat.Info
			switch {
			case after.value != before.value && !strings.HasPrefix(name, "ValueAdded"), in && after.strict == unknownValue:
				want = compat.Error
			case after.strict != "":
				want = compat.Warning
			}
			worst := compat.None
			for _, f := range found {
				if strings.Contains(f.Path, "Values."+name) || strings.Contains(f.Path, "api."+name+"Kind") {
					worst = max(worst, f.Severity)
				}
			}
			if worst != want {
				t.Errorf("Compare says %s, want %s: among older programs %+v, with a newer server %+v", worst, want, before, after)
			}
		})
	}
}

// A carried value is what the reader has of it.
type carried struct {
	value  string // or an error
	strict string // what does not fit the reader's description; empty for nothing
}

// carryIn sends a parameter, and carryOut a result.
func carryIn(t *testing.T, name string, client, server *program, sample string) (c carried) {
	sent, sentDescription := client.method(name)
	served, description := server.method(name)
	params, _ := sent.New()
	unmarshal(t, sample, field(params))
	got := *served
	got.Serve = func(_ context.Context, _ any, call *rpc.Call) error {
		c.value = render(reflect.ValueOf(field(call.Params)))
		return nil
	}
	call := &rpc.Call{Method: sent, Params: params}
	if err := rpctest.Connect(t.Context(), t, rpc.Service{Methods: []*rpc.Method{&got}}).Call(t.Context(), call); err != nil {
		c.value = "error: " + err.Error()
	}
	var raw struct{ V any }
	rawServer := &rpc.Method{Name: name, New: func() (any, any) { return &raw, nil }, Serve: func(context.Context, any, *rpc.Call) error { return nil }}
	if err := rpctest.Connect(t.Context(), t, rpc.Service{Methods: []*rpc.Method{rawServer}}).Call(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	c.strict = misfit(server.document, description.Params[0].Schema, client.document, sentDescription.Params[0].Schema, raw.V)
	return c
}

func carryOut(t *testing.T, name string, client, server *program, sample string) (c carried) {
	asked, description := client.method(name)
	served, sentDescription := server.method(name)
	gives := *served
	gives.Serve = func(_ context.Context, _ any, call *rpc.Call) error {
		return json.Unmarshal([]byte(sample), call.Result)
	}
	conn := rpctest.Connect(t.Context(), t, rpc.Service{Methods: []*rpc.Method{&gives}})
	_, result := asked.New()
	if err := conn.Call(t.Context(), &rpc.Call{Method: asked, Result: result}); err != nil {
		c.value = "error: " + err.Error()
	} else {
		c.value = render(reflect.ValueOf(result))
	}
	var raw any
	if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: name}, Result: &raw}); err != nil {
		t.Fatal(err)
	}
	c.strict = misfit(client.document, description.Result.Schema, server.document, sentDescription.Result.Schema, raw)
	return c
}

// field returns a pointer to the one parameter.
func field(params any) any { return params.(interface{ Field(int) any }).Field(0) }

func unmarshal(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
}

// render returns a value as a Go program sees it, without what is zero: pointers as what they
// point to, and fields by their names in Go.
func render(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return ""
		}
		return render(v.Elem())
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if text := render(v.Field(i)); text != "" {
				fields = append(fields, v.Type().Field(i).Name+":"+text)
			}
		}
		return strings.Join(fields, " ")
	}
	return fmt.Sprint(v.Interface())
}

// unknownValue is the misfit of a value that is none of a type's constants.
const unknownValue = "a value that is not known"

// misfit says what a program which takes its description at its word finds wrong with a value,
// or "". It does not miss what the sender's description does not have: that has been added.
func misfit(reader *openrpc.Document, schema *openrpc.Schema, sender *openrpc.Document, sent *openrpc.Schema, v any) string {
	is, _, null := reader.Resolve(schema)
	was, _, _ := sender.Resolve(sent)
	if v == nil {
		if null || is.Kind() == "any" {
			return ""
		}
		return "null"
	}
	if len(is.Constants) > 0 && !slices.ContainsFunc(is.Constants, func(c openrpc.Constant) bool { return string(c.Value) == fmt.Sprintf("%q", v) }) {
		return unknownValue
	}
	object, _ := v.(map[string]any)
	for _, name := range is.Required {
		added := true
		for other := range was.Properties {
			added = added && !strings.EqualFold(other, name)
		}
		if _, ok := object[name]; !ok && !added {
			return "no " + name
		}
	}
	return ""
}

func document(t *testing.T, name string) *openrpc.Document {
	t.Helper()
	d, err := openrpc.Parse(compat.ReadFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func findings(t *testing.T) []compat.Finding {
	t.Helper()
	found, err := compat.Compare(compat.ReadFile(t, "old.json"), compat.ReadFile(t, "new.json"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
