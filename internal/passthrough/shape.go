package passthrough

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// A shape is what of a method is needed to pass its calls on. It is read-only.
type shape struct {
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

// The name of a method on a link is the target, a question mark and a query of the shape,
// with these keys.
const (
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

// A query is a query that is being written.
type query struct{ strings.Builder }

func (q *query) add(key string, values ...string) {
	for _, v := range values {
		q.WriteString(key)
		q.WriteByte('=')
		q.WriteString(url.QueryEscape(v))
		q.WriteByte('&')
	}
}

// addIf adds what is not the default.
func (q *query) addIf(is bool, key, value string) {
	if is {
		q.add(key, value)
	}
}

// nameOf returns the name on a link of the method of a call to target.
func nameOf(target string, call *rpc.Call) string {
	m, q := call.Method, new(query)
	q.WriteString(url.QueryEscape(target) + "?")
	q.add(keyMethod, m.Name)
	q.addIf(m.Service != "", keyService, m.Service)
	q.addIf(m.Cursor != "", keyCursor, m.Cursor)
	q.addIf(m.Notify, keyNotify, "")
	q.addIf(m.Idempotent, keyRepeat, "")
	q.addIf(m.Unordered, keyLoose, "")
	for _, o := range m.Options {
		q.add(keyOption, o.Key, o.Value)
	}
	q.add(keyParam, fieldsOf(call.Params, m.Params).texts()...)
	q.add(keyResult, fieldsOf(call.Result, m.Results).texts()...)
	for _, alias := range slices.Sorted(maps.Keys(m.ResultAliases)) {
		q.add(keyAlias, alias, m.ResultAliases[alias])
	}
	return q.String()
}

// A cache has the shapes of the queries that were parsed.
type cache struct {
	mu     sync.Mutex
	shapes map[string]*shape
}

// maxCached is how many shapes a cache has: those of all methods that are called, unless
// there are very many.
const maxCached = 4096

// parse returns the target and the shape of a name, or no shape for another name.
func (c *cache) parse(name string) (target string, s *shape) {
	escaped, q, ok := strings.Cut(name, "?")
	target, err := url.QueryUnescape(escaped)
	if !ok || err != nil {
		return "", nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s = c.shapes[q]; s == nil {
		if s = parse(q); s == nil {
			return "", nil
		}
		if len(c.shapes) >= maxCached || c.shapes == nil {
			c.shapes = make(map[string]*shape)
		}
		c.shapes[strings.Clone(q)] = s
	}
	return target, s
}

// parse returns the shape of a query, or nil for another query.
func parse(query string) *shape {
	q, err := url.ParseQuery(query)
	if err != nil || !q.Has(keyMethod) {
		return nil
	}
	s := &shape{params: parseFields(q[keyParam]), results: parseFields(q[keyResult])}
	s.method = rpc.Method{
		Name: q.Get(keyMethod), Service: q.Get(keyService), Cursor: q.Get(keyCursor),
		Notify: q.Has(keyNotify), Idempotent: q.Has(keyRepeat), Unordered: q.Has(keyLoose),
		Params: s.params.names(), Results: s.results.names(), ResultAliases: make(map[string]string),
	}
	for pair := range slices.Chunk(q[keyOption], 2) {
		s.method.Options = append(s.method.Options, rpc.Option{Key: pair[0], Value: pair[len(pair)-1]})
	}
	for pair := range slices.Chunk(q[keyAlias], 2) {
		s.method.ResultAliases[pair[0]] = pair[len(pair)-1]
	}
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
