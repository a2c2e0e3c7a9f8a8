package passthrough

import (
	"maps"
	"net/url"
	"slices"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// A shape is what the name of a method on a link says: who is called, and what of the
// method is needed to pass its calls on.
type shape struct {
	target          string
	method          rpc.Method
	params, results fields
}

// fields are what a Params or a Result is made of. One without a name stands for all of
// it: nothing of it must be known if there are no streams in it.
type fields []field

type field struct {
	name   string
	stream bool
}

// A name is a query, with these keys.
const (
	keyTarget  = "to"
	keyMethod  = "method"
	keyService = "service"
	keyNotify  = "notify"
	keyRepeat  = "idempotent"
	keyLoose   = "unordered"
	keyCursor  = "cursor"
	keyOption  = "option" // a key and a value, in turn
	keyParam   = "param"  // each with its kind in front
	keyResult  = "result" // likewise
	keyAlias   = "alias"  // another name of a result, and its name, in turn
)

// name returns the name on a link of the method of a call to target.
func name(target string, call *rpc.Call) string {
	m := call.Method
	q := url.Values{keyTarget: {target}, keyMethod: {m.Name}}
	for key, text := range map[string]string{keyService: m.Service, keyCursor: m.Cursor} {
		if text != "" {
			q.Set(key, text)
		}
	}
	for key, is := range map[string]bool{keyNotify: m.Notify, keyRepeat: m.Idempotent, keyLoose: m.Unordered} {
		if is {
			q.Set(key, "1")
		}
	}
	for _, o := range m.Options {
		q[keyOption] = append(q[keyOption], o.Key, o.Value)
	}
	q[keyParam] = fieldsOf(call.Params, m.Params).texts()
	q[keyResult] = fieldsOf(call.Result, m.Results).texts()
	for alias, name := range m.ResultAliases {
		q[keyAlias] = append(q[keyAlias], alias, name)
	}
	return q.Encode()
}

// parse returns the shape that name has made a name of, or nil for another name.
func parse(name string) *shape {
	q, err := url.ParseQuery(name)
	if err != nil || !q.Has(keyTarget) || !q.Has(keyMethod) {
		return nil
	}
	s := &shape{target: q.Get(keyTarget), params: parseFields(q[keyParam]), results: parseFields(q[keyResult])}
	s.method = rpc.Method{
		Name: q.Get(keyMethod), Service: q.Get(keyService), Cursor: q.Get(keyCursor),
		Notify: q.Has(keyNotify), Idempotent: q.Has(keyRepeat), Unordered: q.Has(keyLoose),
		Params: s.params.names(), Results: s.results.names(),
	}
	for pair := range slices.Chunk(q[keyOption], 2) {
		s.method.Options = append(s.method.Options, rpc.Option{Key: pair[0], Value: pair[len(pair)-1]})
	}
	s.method.ResultAliases = maps.Collect(func(yield func(string, string) bool) {
		for pair := range slices.Chunk(q[keyAlias], 2) {
			if !yield(pair[0], pair[len(pair)-1]) {
				return
			}
		}
	})
	return s
}

// fieldsOf returns what v, a Params or a Result whose fields have names, is made of.
func fieldsOf(v any, names []string) fields {
	record, ok := v.(contract.Record)
	switch n := len(streams(v, names)); {
	case v == nil:
		return nil
	case !ok || n == 0:
		return fields{{stream: n > 0}}
	}
	all := make(fields, len(names))
	for i, name := range names {
		_, stream := record.Field(i).(*contract.Stream)
		all[i] = field{name, stream}
	}
	return all
}

// The kinds of fields in a name.
const (
	kindValue  = '='
	kindStream = '*'
)

func (f fields) texts() (texts []string) {
	for _, field := range f {
		kind := byte(kindValue)
		if field.stream {
			kind = kindStream
		}
		texts = append(texts, string(kind)+field.name)
	}
	return texts
}

func parseFields(texts []string) (f fields) {
	for _, text := range texts {
		if text != "" {
			f = append(f, field{text[1:], text[0] == kindStream})
		}
	}
	return f
}

// names returns the names of the fields, or nil if one stands for all.
func (f fields) names() (names []string) {
	if f.whole() {
		return nil
	}
	for _, field := range f {
		names = append(names, field.name)
	}
	return names
}

func (f fields) whole() bool { return len(f) == 1 && f[0].name == "" }

// new returns a Params or a Result to decode into: nil if there is none.
func (f fields) new() any {
	if len(f) == 0 {
		return nil
	}
	all := make(record, len(f))
	for i, field := range f {
		if all[i] = new(value); field.stream {
			all[i] = new(contract.Stream)
		}
	}
	if f.whole() {
		return all[0]
	}
	return all
}
