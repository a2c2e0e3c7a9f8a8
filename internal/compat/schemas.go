package compat

import (
	"maps"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/openrpc"
)

// A visit is a pair of types that has been compared, so that recursive ones end.
type visit struct {
	old, new string
	d        direction
}

// schemas compares what a value was with what it is. Named types are compared once for a
// direction, at their own path.
func (c *comparison) schemas(d direction, path string, old, new *openrpc.Schema) {
	was, oldName, oldNull := c.old.Resolve(old)
	is, newName, newNull := c.new.Resolve(new)
	switch {
	case !oldNull && newNull:
		c.report("NULL_ADDED", d, path, "it may be null now")
	case oldNull && !newNull:
		c.report("NULL_REMOVED", d, path, "it can no longer be null")
	}
	if oldName != "" && newName != "" {
		if c.seen[visit{oldName, newName, d}] {
			return
		}
		c.seen[visit{oldName, newName, d}] = true
		path = newName
	}
	c.constants(d, path, was, is)
	if !c.kinds(d, path, was, is) {
		return
	}
	switch is.Kind() {
	case "array":
		c.schemas(d, path+"[]", was.Items, is.Items)
	case "object":
		c.fields(d, path, was, is)
	}
}

// kinds compares the types alone, and reports whether it is worth looking further.
func (c *comparison) kinds(d direction, path string, was, is *openrpc.Schema) bool {
	a, b := was.Kind(), is.Kind()
	number := map[string]bool{"integer": true, "number": true}
	switch {
	case a == "any" && b == "any":
		return false
	case a == "any":
		c.report("TYPE_NARROWED", d, path, "it was anything, and is %s", describe(is))
		return false
	case b == "any":
		c.report("TYPE_WIDENED", d, path, "it was %s, and is anything", describe(was))
		return false
	case number[a] && number[b]:
		c.numbers(d, path, was, is)
		return false
	case a == "string" && number[b] && isNumber(was), b == "string" && number[a] && isNumber(is):
		c.report("NUMBER_IN_STRING", d, path, "it was %s, and is %s", describe(was), describe(is))
		return false
	case a != b || was.ContentEncoding != is.ContentEncoding || (was.Format == "date-time") != (is.Format == "date-time"):
		c.report("TYPE_CHANGED", d, path, "it was %s, and is %s", describe(was), describe(is))
		return false
	case a == "string" && isNumber(was) && isNumber(is):
		c.numbers(d, path, was, is)
	case a == "array" && (deref(was.MinItems) != deref(is.MinItems) || deref(was.MaxItems) != deref(is.MaxItems)):
		c.report("ARRAY_LENGTH", d, path, "values that do not fit are cut off or filled up silently")
	}
	return true
}

func deref(n *int) int {
	if n == nil {
		return -1
	}
	return *n
}

// isNumber reports whether text is a number in quotes.
func isNumber(s *openrpc.Schema) bool { return size[s.Format] != [2]int{} }

// size is how many bits a number of a format has below zero and above.
var size = map[string][2]int{
	"int8": {7, 7}, "int16": {15, 15}, "int32": {31, 31}, "int64": {63, 63},
	"uint8": {0, 8}, "uint16": {0, 16}, "uint32": {0, 32}, "uint64": {0, 64},
	"float": {127, 127}, "double": {1023, 1023},
}

// numbers compares the ranges of numbers.
func (c *comparison) numbers(d direction, path string, was, is *openrpc.Schema) {
	a, okA := size[was.Format]
	b, okB := size[is.Format]
	switch {
	case !okA || !okB || a == b && was.Kind() == is.Kind():
	case b[0] < a[0] || b[1] < a[1] || was.Kind() == "number" && is.Kind() == "integer":
		c.report("NUMBER_NARROWED", d, path, "it was %s, and is %s", describe(was), describe(is))
	default:
		c.report("NUMBER_WIDENED", d, path, "it was %s, and is %s", describe(was), describe(is))
	}
}

// describe is a type in a word or two.
func describe(s *openrpc.Schema) string {
	switch {
	case s.ContentEncoding != "":
		return s.ContentEncoding + " text"
	case s.Kind() == "string" && isNumber(s):
		return s.Format + " in quotes"
	case s.Format != "":
		return s.Format
	case s.Kind() == "object" && s.Additional != nil && s.Properties == nil:
		return "a map"
	}
	return s.Kind()
}

// fields compares the fields of structs, or the keys and values of maps.
func (c *comparison) fields(d direction, path string, was, is *openrpc.Schema) {
	if isMap(was) != isMap(is) {
		c.report("TYPE_CHANGED", d, path, "it was %s, and is %s", describe(was), describe(is))
		return
	}
	if isMap(is) {
		switch a, b := pattern(was), pattern(is); {
		case a == b && a != "":
			c.numbers(d, path+" keys", was.PropertyNames, is.PropertyNames)
		case a == b:
		case a == "":
			c.report("TYPE_NARROWED", d, path, "its keys were any text, and have to match %s", b)
		case b == "":
			c.report("TYPE_WIDENED", d, path, "its keys had to match %s, and are any text", a)
		default:
			c.report("TYPE_CHANGED", d, path, "its keys had to match %s, and have to match %s", a, b)
		}
		c.schemas(d, path+"{}", was.Additional, is.Additional)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(was.Properties)) {
		now, there := is.Properties[name]
		switch required := slices.Contains(is.Required, name); {
		case !there:
			c.fieldRemoved(d, path, name, was, is)
			continue
		case slices.Contains(was.Required, name) && !required:
			c.report("OMIT_ADDED", d, path+"."+name, "it is left out where it is empty, and was not")
		case !slices.Contains(was.Required, name) && required:
			c.report("OMIT_REMOVED", d, path+"."+name, "it is no longer left out where it is empty")
		}
		c.schemas(d, path+"."+name, was.Properties[name], now)
	}
	for _, name := range slices.Sorted(maps.Keys(is.Properties)) {
		if _, there := was.Properties[name]; !there && folded(was, name) == "" {
			c.report("FIELD_ADDED", d, path+"."+name, "older programs ignore it, and it is the zero value from them")
		}
	}
}

func (c *comparison) fieldRemoved(d direction, path, name string, was, is *openrpc.Schema) {
	if now := folded(is, name); now != "" {
		c.report("FIELD_CASE", d, path+"."+name, "it is %s now: Go takes either, others do not", now)
		return
	}
	renamed := ""
	for _, now := range slices.Sorted(maps.Keys(is.Properties)) {
		if _, there := was.Properties[now]; !there && folded(was, now) == "" && c.same(was.Properties[name], is.Properties[now]) {
			renamed = ", unless it is called " + now + " now: a json tag keeps the name"
		}
	}
	c.report("FIELD_REMOVED", d, path+"."+name, "what is in it is dropped silently%s", renamed)
}

// folded returns the field that differs from name in case only, or "".
func folded(s *openrpc.Schema, name string) string {
	for other := range s.Properties {
		if other != name && strings.EqualFold(other, name) {
			return other
		}
	}
	return ""
}

func isMap(s *openrpc.Schema) bool { return s.Properties == nil && s.Additional != nil }

func pattern(s *openrpc.Schema) string {
	if s.PropertyNames == nil {
		return ""
	}
	return s.PropertyNames.Pattern
}

// constants compares the values that a type names.
func (c *comparison) constants(d direction, path string, was, is *openrpc.Schema) {
	now := map[string]string{}
	values := map[string]bool{}
	for _, k := range is.Constants {
		now[k.Name] = string(k.Value)
		values[string(k.Value)] = true
	}
	known := map[string]bool{}
	for _, k := range was.Constants {
		known[string(k.Value)] = true
		switch v, ok := now[k.Name]; {
		case ok && v != string(k.Value):
			c.report("ENUM_VALUE_CHANGED", d, path+"."+k.Name, "it was %s, and is %s", k.Value, v)
		case !ok && !values[string(k.Value)]:
			c.report("ENUM_VALUE_REMOVED", d, path+"."+k.Name, "older programs still have %s", k.Value)
		}
	}
	for _, k := range is.Constants {
		if len(was.Constants) > 0 && !known[string(k.Value)] && !slices.ContainsFunc(was.Constants, func(o openrpc.Constant) bool { return o.Name == k.Name }) {
			c.report("ENUM_VALUE_ADDED", d, path+"."+k.Name, "older programs do not know %s", k.Value)
		}
	}
}
