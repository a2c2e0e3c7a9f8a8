package importer

import (
	"slices"
	"strings"
)

// maxSteps is how many schemas may be looked at, those that are merged each time.
const maxSteps = 1_000_000

// maxNested is how deep schemas may refer to each other.
const maxNested = 5000

// step counts a schema that is looked at, and reports whether it is one.
func (r *reader) step(v *value, depth int) bool {
	r.steps++
	switch {
	case r.steps == maxSteps:
		r.bad(v, "the schemas are too many to be looked at")
	case depth > maxNested:
		if r.steps < maxSteps {
			r.steps = maxSteps
			r.bad(v, "schemas refer to each other more than %d deep", maxNested)
		}
	case v.kind != "object" && v.kind != "boolean":
		r.bad(v, "it is of type %s, and must be a schema", v.kind)
		return false
	}
	return r.steps < maxSteps && v.kind == "object"
}

// A shape is what values of a schema are, as far as JSON goes.
type shape struct {
	kind   string   // of JSON, or any
	null   bool     // it may be null
	leaves []*value // the schemas that it is one of
}

// shapeOf finds out what a schema is, references and unions followed.
func (r *reader) shapeOf(v *value) (s shape) {
	r.leaves(v, &s, map[*value]bool{}, 0)
	for _, leaf := range s.leaves {
		kind, null := r.kindOf(leaf, map[*value]bool{})
		s.null = s.null || null
		switch {
		case s.kind == "" || s.kind == kind:
			s.kind = kind
		case s.kind+kind == "integernumber", s.kind+kind == "numberinteger":
			s.kind = "number"
		default:
			s.kind = "any"
		}
	}
	if s.kind == "" {
		s.kind = null
		if !s.null {
			s.kind = "any"
			r.bad(v, "the schema leads to itself and to nothing else")
		}
	}
	return s
}

// leaves adds the schemas that a schema is one of.
func (r *reader) leaves(v *value, s *shape, seen map[*value]bool, depth int) {
	if !r.step(v, depth) {
		s.leaves = append(s.leaves, v)
		return
	}
	if seen[v] {
		return
	}
	seen[v] = true
	if v.get("$ref") != nil {
		if v = r.resolve(v); v == nil {
			s.leaves = append(s.leaves, &value{path: "#", kind: "object"})
			return
		}
		r.leaves(v, s, seen, depth+1)
		return
	}
	options := unionOf(v)
	switch {
	case v.string("type") == null, v.get("const") != nil && v.get("const").kind == null:
		s.null = true
	case options == nil:
		s.leaves = append(s.leaves, v)
	default:
		for _, o := range options {
			r.leaves(o, s, seen, depth+1)
		}
	}
}

// unionOf is the schemas that a schema is one of, if it says nothing more about them.
func unionOf(v *value) []*value {
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		options := v.list(word)
		if len(options) == 0 || word == "allOf" && len(options) > 1 {
			continue
		}
		if v.get("properties") == nil && v.get("items") == nil && (word == "allOf" || v.get("allOf") == nil) {
			return options
		}
	}
	return nil
}

// kindOf is the kind of JSON of a schema that is no union, and whether it may be null.
func (r *reader) kindOf(v *value, seen map[*value]bool) (kind string, isNull bool) {
	if v == nil || v.kind != "object" || seen[v] || !r.step(v, 0) {
		return "any", false
	}
	seen[v] = true
	var kinds []string
	switch t := v.get("type"); {
	case t != nil && t.kind == "string":
		kinds = []string{t.text}
	case t != nil && t.kind == "array":
		kinds = v.strings("type")
	case t != nil:
		r.bad(t, "it is of type %s, and must name a type or several", t.kind)
	case v.get("enum") != nil, v.get("const") != nil:
		for _, e := range enumOf(v) {
			kinds = append(kinds, kindOfValue(e))
		}
	default:
		kinds = []string{r.inferred(v, seen)}
	}
	for _, k := range kinds {
		switch {
		case k == null:
			isNull = true
		case kind == "" || kind == k:
			kind = k
		case kind+k == "integernumber", kind+k == "numberinteger":
			kind = "number"
		default:
			kind = "any"
		}
	}
	if !slices.Contains([]string{"string", "integer", "number", "boolean", "array", "object"}, kind) {
		kind = "any"
	}
	return kind, isNull
}

// inferred is the kind that a schema without a type has by what it says.
func (r *reader) inferred(v *value, seen map[*value]bool) string {
	for _, word := range [][2]string{
		{"properties", "object"}, {"additionalProperties", "object"}, {"required", "object"}, {"propertyNames", "object"}, {"patternProperties", "object"},
		{"items", "array"}, {"prefixItems", "array"}, {"pattern", "string"}, {"contentEncoding", "string"}, {"minLength", "string"}, {"maxLength", "string"},
	} {
		if v.get(word[0]) != nil {
			return word[1]
		}
	}
	for _, part := range slices.Concat(v.list("allOf"), v.list("oneOf"), v.list("anyOf")) {
		if kind, _ := r.kindOf(r.resolve(part), seen); kind != "any" {
			return kind
		}
	}
	return "any"
}

// enumOf is the values that a schema allows, or none.
func enumOf(v *value) []*value {
	if c := v.get("const"); c != nil {
		return []*value{c}
	}
	return v.list("enum")
}

func kindOfValue(v *value) string {
	if v.kind == "number" && !strings.ContainsAny(v.text, ".eE") {
		return "integer"
	}
	return v.kind
}
