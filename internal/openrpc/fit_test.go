package openrpc

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestMisfit(t *testing.T) {
	const document = `{"methods":[{"name":"m","params":[{"name":"p","required":true,"schema":%s},{"name":"s"}],
		"x-wirecall":{"streams":{"params":{"s":{"$ref":"#/components/schemas/Node"}}}}}],
		"components":{"schemas":{
			"Node":{"type":"object","properties":{"name":{"type":"string"},"next":{"anyOf":[{"$ref":"#/components/schemas/Node"},{"type":"null"}]}},"required":["name"]},
			"Loop":{"anyOf":[{"$ref":"#/components/schemas/Loop"},{"$ref":"#/components/schemas/Loop"},{"type":"boolean"}]}}}}`
	for _, tt := range []struct{ schema, params, want string }{
		{`{"type":"integer"}`, `{"p":9007199254740993}`, ""},
		{`{"type":"integer"}`, `{"p":1.5}`, "p: want integer, have a number"},
		{`{"type":"integer"}`, `{"p":"1"}`, "p: want integer, have a string"},
		{`{"type":"number"}`, `{"p":1}`, ""},
		{`{"type":["string","null"]}`, `{"p":null}`, ""},
		{`{"type":["string","null"]}`, `{"p":true}`, "p: want string or null, have a boolean"},
		{`{"type":"array","items":{"type":"array","items":{"type":"number"}}}`, `{"p":[[],[1,null]]}`, "p[1][1]: want number, have null"},
		{`{"type":"object","additionalProperties":{"type":"string"}}`, `{"p":{"a":"x","b":[]}}`, "p.b: want string, have an array"},
		{`{"$ref":"#/components/schemas/Node"}`, `{"p":{"name":"a","next":{"name":"b","next":null,"more":1}}}`, ""},
		{`{"$ref":"#/components/schemas/Node"}`, `{"p":{"name":"a","next":{"name":"b","next":{"next":null}}}}`, "p.next.next.name: is missing"},
		{`{"$ref":"#/components/schemas/Node"}`, `{"p":7}`, "p: want object (Node), have an integer"},
		{`{"oneOf":[{"type":"string"},{"$ref":"#/components/schemas/Node"}]}`, `{"p":{"name":"a"}}`, ""},
		{`{"oneOf":[{"type":"string"},{"$ref":"#/components/schemas/Node"}]}`, `{"p":7}`, "p: want string|Node, have an integer"},
		{`{"$ref":"#/components/schemas/Loop"}`, `{"p":7}`, ""}, // it would take for ever to say
		{`{"$ref":"#/components/schemas/None"}`, `{"p":7}`, ""},
		{`true`, `{"p":7,"unknown":7}`, ""},
		{`{}`, `{"s":[{"name":"a"},{"name":7}]}`, "s[1].name: want string, have an integer"},
		{`{}`, `{"s":7}`, "s: want array, have an integer"},
		{`{"type":"string"}`, `[7]`, ""},
		{`{"type":"string"}`, ``, ""},
	} {
		d := parse(t, fmt.Sprintf(document, tt.schema))
		if got := d.MisfitOf(d.Methods[0], json.RawMessage(tt.params)); got != tt.want {
			t.Errorf("%s for %s: %q, want %q", tt.params, tt.schema, got, tt.want)
		}
	}
}
