package compat

import (
	"fmt"
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
		c.report("IDEMPOTENT_ADDED", in, new.Name, "newer clients repeat a call whose answer was lost, also with older servers, which did not promise that it may run twice")
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
		c.report("CURSOR_ADDED", in, new.Name, "newer clients continue the stream by %s, also with older servers, which did not promise to begin behind it", b.Param)
	case !accepts(new, a.Param, b.Param) || !slices.Equal(a.Path, b.Path):
		c.report("CURSOR_CHANGED", in, new.Name, "it was %s=%s, and is %s=%s", a.Param, strings.Join(a.Path, "."), b.Param, strings.Join(b.Path, "."))
	}
}

// accepts reports whether a parameter has that name, or had it.
func accepts(m *openrpc.Method, old, name string) bool {
	return old == name || slices.Contains(m.Extension.Aliases.Params[name], old)
}

// unnamed are the names that parameters without one have.
var unnamed = regexp.MustCompile(`^(arg|p)[0-9]+$`)

func (c *comparison) params(old, new *openrpc.Method) {
	was, is := paramNames(old), paramNames(new)
	pairs := renamed(was, is, new.Extension.Aliases.Params)
	for _, p := range old.Params {
		path := new.Name + "(" + p.Name + ")"
		now, ok := pairs[p.Name]
		if !ok {
			c.report("PARAM_REMOVED", in, path, "what older clients send is dropped silently, and newer ones do not send it to older servers%s", c.perhaps(old, new, p))
			continue
		}
		before, after := old.Extension.Aliases.Params[p.Name], new.Extension.Aliases.Params[now]
		switch {
		case now == p.Name:
		case slices.Contains(before, now):
			c.report("PARAM_RENAMED", in, path, "it is called %s now, which older servers accept too", now)
			c.found[[2]string{"PARAM_RENAMED", path}].Severity = Info
		default:
			c.report("PARAM_RENAMED", in, path, "it is called %s now: older servers drop silently what newer clients send", now)
		}
		for _, alias := range forgotten(before, after, now) {
			c.report("ALIAS_REMOVED", in, new.Name+"("+alias+")", "clients that are older still, and send %s under this name, are no longer understood", now)
		}
		c.value(in, path, old.Extension.Streams.Params[p.Name], new.Extension.Streams.Params[now], p.Schema, new.Param(now).Schema)
	}
	for _, p := range new.Params {
		switch _, ok := older(pairs, p.Name); {
		case ok:
		case new.Sends(p.Name):
			c.report("PARAM_ADDED_STREAM", in, new.Name+"("+p.Name+")", "the stream is empty when an older client calls")
		default:
			c.report("PARAM_ADDED", in, new.Name+"("+p.Name+")", "it is the zero value when an older client calls")
		}
	}
	c.order(new.Name, was, is, pairs)
}

func paramNames(m *openrpc.Method) (names []string) {
	for _, p := range m.Params {
		names = append(names, p.Name)
	}
	return names
}

// renamed returns the names that values have now, by the names that they had. Those that are
// gone have none. aliases are the older names that are still understood, by name.
func renamed(was, is []string, aliases map[string][]string) map[string]string {
	pairs := map[string]string{}
	for _, name := range is {
		for _, old := range append([]string{name}, aliases[name]...) {
			if slices.Contains(was, old) && pairs[old] == "" {
				pairs[old] = name
				break
			}
		}
	}
	return pairs
}

// forgotten returns the aliases that a value had and that are no names of it any more. now
// is its name.
func forgotten(before, after []string, now string) []string {
	return slices.DeleteFunc(slices.Clone(before), func(alias string) bool {
		return alias == now || slices.Contains(after, alias)
	})
}

// older returns the name that the value called name had, if there was one.
func older(pairs map[string]string, name string) (old string, ok bool) {
	for old, now := range pairs {
		if now == name {
			return old, true
		}
	}
	return "", false
}

// perhaps says how a parameter that is gone may be called now, and what to do then.
func (c *comparison) perhaps(old, new *openrpc.Method, p *openrpc.Value) (text string) {
	for _, q := range new.Params {
		if old.Param(q.Name) == nil && old.Sends(p.Name) == new.Sends(q.Name) && c.same(p.Schema, q.Schema) {
			text = fmt.Sprintf(", unless it is called %[1]s now: then keep the name with //wirecall:param %[1]s name=%[2]s, or accept both with //wirecall:param %[1]s alias=%[2]s", q.Name, p.Name)
		}
	}
	return text
}

// order compares the order of the parameters that there are in both.
func (c *comparison) order(method string, was, is []string, pairs map[string]string) {
	var kept, order []string
	for _, name := range was {
		if now, ok := pairs[name]; ok {
			kept = append(kept, now)
		}
	}
	for _, name := range is {
		if _, ok := older(pairs, name); ok {
			order = append(order, name)
		}
	}
	if slices.Equal(kept, order) {
		return
	}
	c.report("PARAM_ORDER", in, method, "the order was (%s), and is (%s): clients that send parameters by position are misunderstood", strings.Join(kept, ", "), strings.Join(order, ", "))
	if slices.ContainsFunc(kept, unnamed.MatchString) {
		c.found[[2]string{"PARAM_ORDER", method}].Severity = Error
	}
}

func (c *comparison) results(old, new *openrpc.Method) {
	a, b := old.Extension.Results, new.Extension.Results
	if (len(a) > 0) != (len(b) > 0) {
		c.report("RESULT_ARITY", out, new.Name, "one result is a bare value, several are an object")
		return
	}
	if len(a) == 0 {
		c.value(out, new.Name+" result", only(old.Extension.Streams.Results), only(new.Extension.Streams.Results), old.Result.Schema, new.Result.Schema)
		return
	}
	was, _, _ := c.old.Resolve(old.Result.Schema)
	is, _, _ := c.new.Resolve(new.Result.Schema)
	pairs := renamed(b, a, old.Extension.Aliases.Results) // older clients read what newer servers write
	for _, name := range a {
		path := new.Name + " result " + name
		now, ok := older(pairs, name)
		if !ok {
			c.report("RESULT_REMOVED", out, path, "older clients find the zero value")
			continue
		}
		if now != name {
			c.report("RESULT_RENAMED", out, path, "it is called %s now, which older clients accept", now)
			if slices.Contains(new.Extension.Aliases.Results[now], name) {
				c.found[[2]string{"RESULT_RENAMED", path}].Severity = Info
			}
		}
		for _, alias := range forgotten(old.Extension.Aliases.Results[name], new.Extension.Aliases.Results[now], now) {
			c.report("ALIAS_REMOVED", out, new.Name+" result "+alias, "newer clients find the zero value of %s where a server is older still, and sends it under this name", now)
		}
		c.value(out, path, old.Extension.Streams.Results[name], new.Extension.Streams.Results[now], was.Properties[name], is.Properties[now])
	}
	for _, name := range b {
		if _, ok := pairs[name]; !ok {
			c.report("RESULT_ADDED", out, new.Name+" result "+name, "newer clients find the zero value where a server is older")
		}
	}
}

// value compares a parameter or a result. was and is are the items of a stream, or nil for a
// value.
func (c *comparison) value(d direction, path string, was, is, old, new *openrpc.Schema) {
	switch {
	case (was != nil) != (is != nil):
		c.report("STREAM_CHANGED", d, path, "it was %s, and is %s", valueOrStream(was), valueOrStream(is))
	case was != nil:
		c.schemas(d, path+" items", was, is)
	default:
		c.schemas(d, path, old, new)
	}
}

// only returns the schema of the items of the only stream, or nil if there is none. The name
// of a single result does not matter.
func only(streams map[string]*openrpc.Schema) *openrpc.Schema {
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
			c.report("ERROR_CODE", out, "error "+e.Name, "its code was %d, and is %d: clients that find it by its name do not notice, others do", e.Code, now.Code)
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
