package compat

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/openrpc"
)

// services compares all methods.
func (c *comparison) services() {
	newer := map[string]*openrpc.Method{}
	left := map[string]bool{} // services that have methods
	for _, m := range c.new.Methods {
		newer[m.Name] = m
		left[m.Extension.Service] = true
	}
	older := map[string]bool{}
	for _, m := range c.old.Methods {
		older[m.Name] = true
		switch service := m.Extension.Service; {
		case newer[m.Name] != nil:
			c.methods(m, newer[m.Name])
		case service != "" && !left[service]:
			c.report("SERVICE_REMOVED", in, service, "the service is no longer there")
		case m.Deprecated:
			c.report("METHOD_REMOVED", in, m.Name, "the method, which was deprecated, is no longer there")
		default:
			c.report("METHOD_REMOVED", in, m.Name, "the method is no longer there; calls fail with method not found")
		}
	}
	for _, m := range c.new.Methods {
		if !older[m.Name] {
			c.report("METHOD_ADDED", in, m.Name, "the method is new")
		}
	}
}

// methods compares a method with what it was.
func (c *comparison) methods(old, new *openrpc.Method) {
	a, b := &old.Extension, &new.Extension
	if notifies(old) != notifies(new) {
		c.report("METHOD_KIND", in, new.Name, "it was %s, and is %s", kindOf(old), kindOf(new))
	}
	switch {
	case a.Idempotent && !b.Idempotent:
		c.report("IDEMPOTENT_REMOVED", in, new.Name, "older clients still repeat a call whose answer was lost")
	case !a.Idempotent && b.Idempotent:
		c.report("IDEMPOTENT_ADDED", in, new.Name, "newer clients repeat a call whose answer was lost")
	}
	c.cursors(old, new)
	c.params(old, new)
	if !notifies(old) && !notifies(new) {
		c.results(old, new)
	}
	c.errors(old, new)
}

func notifies(m *openrpc.Method) bool { return m.Extension.Notify || m.Result == nil }

func kindOf(m *openrpc.Method) string {
	if notifies(m) {
		return "a notification"
	}
	return "a call"
}

func (c *comparison) cursors(old, new *openrpc.Method) {
	a, b := old.Extension.Cursor, new.Extension.Cursor
	switch {
	case a == nil && b == nil:
	case b == nil:
		c.report("CURSOR_REMOVED", in, new.Name, "older clients still continue the stream by %s", a.Param)
	case a == nil:
		c.report("CURSOR_ADDED", in, new.Name, "newer clients continue the stream by %s", b.Param)
	case a.Param != b.Param || !slices.Equal(a.Path, b.Path):
		c.report("CURSOR_CHANGED", in, new.Name, "it was %s=%s, and is %s=%s", a.Param, strings.Join(a.Path, "."), b.Param, strings.Join(b.Path, "."))
	}
}

// unnamed are the names that parameters without one have.
var unnamed = regexp.MustCompile(`^(arg|p)[0-9]+$`)

func (c *comparison) params(old, new *openrpc.Method) {
	was, is := map[string]*openrpc.Schema{}, map[string]*openrpc.Schema{}
	var kept, order []string
	for _, p := range old.Params {
		was[p.Name] = p.Schema
	}
	for _, p := range new.Params {
		is[p.Name] = p.Schema
		if _, ok := was[p.Name]; ok {
			order = append(order, p.Name)
		}
	}
	for _, p := range old.Params {
		if _, ok := is[p.Name]; ok {
			kept = append(kept, p.Name)
			c.value(in, new.Name+"("+p.Name+")", p.Name, p.Schema, is[p.Name], old.Extension.Streams.Params, new.Extension.Streams.Params)
			continue
		}
		renamed := ""
		for _, q := range new.Params {
			if _, ok := was[q.Name]; !ok && c.same(p.Schema, q.Schema) {
				renamed = ", unless it is called " + q.Name + " now: keep the name"
			}
		}
		c.report("PARAM_REMOVED", in, new.Name+"("+p.Name+")", "what older clients send is dropped silently, and newer ones do not send it to older servers%s", renamed)
	}
	for _, p := range new.Params {
		if _, ok := was[p.Name]; ok {
			continue
		}
		if new.Extension.Streams.Params[p.Name] != nil {
			c.report("PARAM_ADDED_STREAM", in, new.Name+"("+p.Name+")", "the stream is empty when an older client calls")
		} else {
			c.report("PARAM_ADDED", in, new.Name+"("+p.Name+")", "it is the zero value when an older client calls")
		}
	}
	if !slices.Equal(kept, order) {
		c.report("PARAM_ORDER", in, new.Name, "the order was (%s), and is (%s): clients that send parameters by position are misunderstood", strings.Join(kept, ", "), strings.Join(order, ", "))
		if slices.ContainsFunc(kept, unnamed.MatchString) {
			c.found[[2]string{"PARAM_ORDER", new.Name}].Severity = Error
		}
	}
}

func (c *comparison) results(old, new *openrpc.Method) {
	a, b := old.Extension.Results, new.Extension.Results
	if (len(a) > 0) != (len(b) > 0) {
		c.report("RESULT_ARITY", out, new.Name, "one result is a bare value, several are an object")
		return
	}
	if len(a) == 0 {
		c.value(out, new.Name+" result", "", old.Result.Schema, new.Result.Schema, old.Extension.Streams.Results, new.Extension.Streams.Results)
		return
	}
	was, _, _ := c.old.Resolve(old.Result.Schema)
	is, _, _ := c.new.Resolve(new.Result.Schema)
	for _, name := range a {
		path := new.Name + " result " + name
		if !slices.Contains(b, name) {
			c.report("RESULT_REMOVED", out, path, "older clients find the zero value")
			continue
		}
		c.value(out, path, name, was.Properties[name], is.Properties[name], old.Extension.Streams.Results, new.Extension.Streams.Results)
	}
	for _, name := range b {
		if !slices.Contains(a, name) {
			c.report("RESULT_ADDED", out, new.Name+" result "+name, "newer clients find the zero value where a server is older")
		}
	}
}

// value compares a parameter or a result, which may be a stream. The name of a single
// result does not matter.
func (c *comparison) value(d direction, path, name string, old, new *openrpc.Schema, oldStreams, newStreams map[string]*openrpc.Schema) {
	was, is := stream(oldStreams, name), stream(newStreams, name)
	switch {
	case (was != nil) != (is != nil):
		c.report("STREAM_CHANGED", d, path, "it was %s, and is %s", valueOrStream(was), valueOrStream(is))
	case was != nil:
		c.schemas(d, path+" items", was, is)
	default:
		c.schemas(d, path, old, new)
	}
}

// stream returns the schema of the items of a stream, or nil for a value.
func stream(streams map[string]*openrpc.Schema, name string) *openrpc.Schema {
	if name != "" {
		return streams[name]
	}
	for _, s := range streams {
		return s
	}
	return nil
}

func valueOrStream(items *openrpc.Schema) string {
	if items == nil {
		return "a value"
	}
	return "a stream"
}

func (c *comparison) errors(old, new *openrpc.Method) {
	is := map[string]int{}
	for i, e := range new.Extension.Errors {
		is[e.Name] = i
	}
	for _, e := range old.Extension.Errors {
		i, ok := is[e.Name]
		if !ok {
			c.report("ERROR_REMOVED", out, strings.TrimSpace(new.Extension.Service+" error "+e.Name), "it is no longer declared, of %s and maybe others; older clients that look for it do not find it", new.Name)
			continue
		}
		now := new.Extension.Errors[i]
		if now.Code != e.Code {
			c.report("ERROR_CODE", out, "error "+e.Name, "its code was %d, and is %d", e.Code, now.Code)
		}
		c.schemas(out, "error "+e.Name, e.Data, now.Data)
	}
}

// same reports whether two schemas look alike, which makes a renaming likely.
func (c *comparison) same(old, new *openrpc.Schema) bool {
	a, nameA, _ := c.old.Resolve(old)
	b, nameB, _ := c.new.Resolve(new)
	return nameA == nameB && a.Kind() == b.Kind() && a.Format == b.Format &&
		slices.Equal(slices.Sorted(maps.Keys(a.Properties)), slices.Sorted(maps.Keys(b.Properties)))
}
