package dynamic

import (
	"encoding/json"
	"testing"

	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

func TestObjectParams(t *testing.T) {
	d, err := openrpc.Parse([]byte(`{"methods":[{"name":"m","params":[{"name":"a","required":true,"schema":{"type":"integer"}},{"name":"b"},{"name":"s"}],
		"x-wirecall":{"streams":{"params":{"s":{"type":"integer"}}}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const signature = "m(a integer, b? any, s? stream of integer)"
	for object, want := range map[string]string{
		`{"a":1}`:               "",
		`{"a":1,"b":null}`:      "",
		`{"b":1}`:               "the parameter a is missing: " + signature,
		``:                      "the parameter a is missing: " + signature,
		`null`:                  "the parameter a is missing: " + signature,
		`{"a":1,"c":2,"d":3}`:   "there is no parameter c: " + signature,
		`{"a":1,"s":{"x":"y"}}`: "the parameter s is a stream: want an array of its items: " + signature,
		`[1]`:                   "the parameters must be an object: " + signature,
	} {
		_, err := ObjectParams(d.Methods[0], JSON(object))
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %s", object, err, want)
		}
	}
	p, err := ObjectParams(d.Methods[0], JSON(`{"a":12345678901234567890,"s":[1,{"x":2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if a := p.Field(0).(*JSON); string(*a) != "12345678901234567890" {
		t.Errorf("a is %s", *a)
	}
	var items []JSON
	s := p.Field(1).(*gen1.Stream)
	s.Local(func(item any) bool {
		items = append(items, *item.(*json.RawMessage))
		return true
	})
	if len(items) != 2 || string(items[0]) != "1" || string(items[1]) != `{"x":2}` {
		t.Errorf("the items of s are %s", items)
	}
}

func TestAfter(t *testing.T) {
	c := &openrpc.Cursor{Param: "after", Path: []string{"at", "n"}}
	for item, want := range map[string]string{
		`{"at":{"n":12345678901234567890}}`: "12345678901234567890",
		`{"at":{"n":null}}`:                 "null",
		`{"at":{}}`:                         "",
		`{"at":7}`:                          "",
		`7`:                                 "",
	} {
		got, ok := After(c, JSON(item))
		if string(got) != want || ok != (want != "") {
			t.Errorf("%s: %s, %t", item, got, ok)
		}
	}
}
