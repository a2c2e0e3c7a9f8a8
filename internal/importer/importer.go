// Package importer writes a contract for a server that an OpenRPC document describes: the
// interfaces, with directives, and the types that they mention.
package importer

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Options are what the user may choose, and what the generator knows.
type Options struct {
	Package string // the name of the package
	Source  string // the document's name, for comments

	// MethodName is the name on the wire of a method under a pattern of
	// //wirecall:service names=; empty if that is none.
	MethodName func(pattern, method string) string
	// Reserved reports whether no error may be declared with a code.
	Reserved func(code int) bool
}

// Import returns the Go file for a document. What is wrong with one is said with where it
// stands, as a JSON pointer.
func Import(text []byte, o Options) ([]byte, error) {
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	im := &importer{Options: o, reader: reader{doc: doc}, names: scope{}, typeNames: map[string]string{}, types: map[string]*goType{}, errorData: map[string]bool{}, errorVars: map[string]string{}}
	im.document()
	if len(im.problems) > 0 {
		return nil, errors.Join(im.problems[:min(len(im.problems), maxProblems)]...)
	}
	return im.source()
}

// maxProblems is how many problems are printed.
const maxProblems = 10

// A reader reads a document that may be hostile: it follows references, looks at what
// schemas say, and collects what is wrong, with a bound on how much it looks at.
type reader struct {
	doc      *value
	problems []error
	steps    int // how many schemas have been looked at
}

// An importer plans one file.
type importer struct {
	Options
	reader

	names     scope              // at package level
	services  []*service         // in the order of the document
	typeNames map[string]string  // of components, by the paths of their schemas
	types     map[string]*goType // by the paths of schemas with names, and what others hold
	decls     []*goType          // those that are declared, in the order met
	errorData map[string]bool    // paths of schemas that are the data of errors
	errorVars map[string]string  // by code and message
	vars      []*errorVar
}

func (r *reader) bad(v *value, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s: %s", v.path, fmt.Sprintf(format, args...)))
}

// want is a member that must be of a kind, or nil where it is not there.
func (r *reader) want(v *value, name, kind string) *value {
	m := v.get(name)
	if m != nil && m.kind != kind {
		r.bad(m, "it is of type %s, and must be of type %s", m.kind, kind)
		return nil
	}
	return m
}

func (im *importer) document() {
	switch {
	case im.doc.kind != "object" || im.doc.get("openrpc") == nil:
		im.bad(im.doc, "it is no OpenRPC document: it must be an object with the member openrpc")
		return
	case im.doc.get("methods") == nil:
		im.bad(im.doc, "it is no OpenRPC document: it has no methods")
		return
	}
	if im.want(im.doc, "methods", "array") == nil {
		return
	}
	im.group()
	for _, s := range im.services {
		im.reserve(s)
	}
	im.reserveTypes()
	for _, s := range im.services {
		for _, m := range s.methods {
			im.errorTypes(m)
		}
	}
	for _, s := range im.services {
		for _, m := range s.methods {
			im.method(s, m)
		}
	}
	im.breakCycles()
}

// reserveTypes names the schemas of the components, so that no other takes their names. One
// called chat.Message is Message, if that is free.
func (im *importer) reserveTypes() {
	schemas := im.doc.get("components", "schemas")
	if schemas == nil {
		return
	}
	for _, key := range schemas.names {
		name := exported(key)
		if last := exported(key[strings.LastIndex(key, ".")+1:]); !im.names[last] {
			name = last
		}
		im.typeNames[schemas.parts[key].path] = im.names.take(name)
	}
}

// maxReferences is how many references may follow each other.
const maxReferences = 500

// resolve follows references, and returns nil for one to elsewhere. Those that lead
// nowhere or to themselves are refused.
func (r *reader) resolve(v *value) *value {
	var seen []*value
	for v != nil && v.get("$ref") != nil {
		ref := r.want(v, "$ref", "string")
		if ref == nil {
			return nil
		}
		if slices.Contains(seen, v) {
			r.bad(ref, "the reference %q leads to itself", ref.text)
			return nil
		}
		if seen = append(seen, v); len(seen) > maxReferences {
			r.bad(ref, "more than %d references lead to each other", maxReferences)
			return nil
		}
		fragment, ok := strings.CutPrefix(ref.text, "#")
		if !ok {
			return nil
		}
		if v = r.lookUp(fragment); v == nil {
			r.bad(ref, "the reference %q leads to nothing", ref.text)
		}
	}
	return v
}

// lookUp is what a JSON pointer, with escapes of a URL, points to, or nil.
func (r *reader) lookUp(pointer string) *value {
	pointer, err := url.PathUnescape(pointer)
	if err != nil || pointer != "" && pointer[0] != '/' {
		return nil
	}
	v := r.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = unescape.Replace(part)
		switch {
		case v == nil:
			return nil
		case pointer == "":
			return v
		case v.kind != "array":
			v = v.get(part)
			continue
		}
		i, err := strconv.Atoi(part)
		if err != nil || i < 0 || i >= len(v.elems) {
			return nil
		}
		v = v.elems[i]
	}
	return v
}
