package model

import (
	"fmt"
	"strings"
)

var kindNames = [...]string{
	"bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "uintptr",
	"float32", "float64", "string", "any", "pointer", "slice", "array", "map", "struct", "named", "param",
	"time", "text", "custom", "raw",
}

func (k Kind) String() string { return kindNames[k] }

// String is the type in a notation close to Go's, with packages by name.
func (t *Type) String() string {
	if t == nil {
		return "?"
	}
	switch t.Kind {
	case Pointer:
		return "*" + t.Elem.String()
	case Slice:
		return "[]" + t.Elem.String()
	case Array:
		return fmt.Sprintf("[%d]%s", t.Len, t.Elem)
	case Map:
		return fmt.Sprintf("map[%s]%s", t.Key, t.Elem)
	case Struct:
		return "struct{" + join(t.Fields, "; ") + "}"
	case Named:
		s := t.Pkg.Name + "." + t.Name
		if len(t.Args) > 0 {
			s += "[" + join(t.Args, ", ") + "]"
		}
		return s
	}
	if t.Name != "" {
		return t.Name
	}
	return t.Kind.String()
}

// String is the field as it is in JSON, with a ? where it may be left out and
// quotes around a type that is put in quotes.
func (f *Field) String() string {
	t := f.Type.String()
	if f.InString {
		t = `"` + t + `"`
	}
	switch {
	case f.Flat:
		return "..." + t
	case f.Wire == "":
		return "nothing " + t
	case f.Omit:
		return f.Wire + "? " + t
	}
	return f.Wire + " " + t
}

// String is the value with its name in Go, and its names on the wire if they are others.
func (v *Value) String() string {
	name := v.Name
	if names := strings.Join(v.Names(), "|"); names != name {
		name += " = " + names
	}
	if v.Stream {
		return name + " stream of " + v.Type.String()
	}
	return name + " " + v.Type.String()
}

// String is the method's signature on the wire, and what is declared about it.
func (m *Method) String() string {
	parts := []string{m.Wire + "(" + join(m.Params, ", ") + ")"}
	if len(m.Results) > 0 {
		parts[0] += " -> " + join(m.Results, ", ")
	}
	for _, flag := range []struct {
		on   bool
		name string
	}{
		{!m.Context, "no context"}, {m.Variadic, "variadic"}, {!m.Error, "no error"},
		{m.Notify, "notify"}, {m.Idempotent, "idempotent"}, {m.Unordered, "unordered"}, {m.JSON != JSONSmall, "json " + string(m.JSON)},
	} {
		if flag.on {
			parts = append(parts, flag.name)
		}
	}
	parts = append(parts, m.Plain.strings()...)
	if m.Cursor != nil {
		parts = append(parts, "cursor "+m.Cursor.Param+"="+m.Cursor.Field)
	}
	for _, o := range m.Options {
		parts = append(parts, "option "+o.Key+"="+o.Value)
	}
	for _, e := range m.Errors {
		parts = append(parts, e.String())
	}
	return strings.Join(parts, ", ")
}

// strings returns what is declared, one string each.
func (p Plain) strings() (parts []string) {
	if p.ByPosition {
		parts = append(parts, "by position")
	}
	if len(p.OmitEmpty) > 0 {
		parts = append(parts, "omitempty "+strings.Join(p.OmitEmpty, " "))
	}
	if p.Subscription == nil {
		return parts
	}
	var sub strings.Builder
	sub.WriteString("subscription")
	for _, key := range SubscriptionKeys {
		if value := *p.Subscription.Key(key); value != "" {
			sub.WriteString(" " + key + "=" + value)
		}
	}
	return append(parts, sub.String())
}

func (e *Error) String() string {
	what := e.Pkg.Name + "." + e.Ident
	if e.Type != nil {
		what = e.Type.String()
	}
	return fmt.Sprintf("error %s = %s %d", what, e.Name, e.Code)
}

// Dump is the whole model as text, for tests.
func (p *Package) Dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s %s\n", p.Name, p.Path)
	if p.Build != "" {
		fmt.Fprintf(&b, "build %s\n", p.Build)
	}
	for _, s := range p.Services {
		fmt.Fprintf(&b, "\nservice %s = %s\n", s.Name, s.Wire)
		dumpDoc(&b, "\t", s.Doc)
		for _, m := range s.Methods {
			fmt.Fprintf(&b, "\t%s: %s\n", m.Name, m)
			dumpDoc(&b, "\t\t", m.Doc)
		}
	}
	if len(p.Types) > 0 {
		b.WriteString("\n")
	}
	for _, d := range p.Types {
		fmt.Fprintf(&b, "type %s = %s", d.Type, d.Is)
		if d.BigInt {
			b.WriteString(", bigint")
		}
		b.WriteString("\n")
		for _, c := range d.Consts {
			fmt.Fprintf(&b, "\tconst %s = %s\n", c.Name, c.Value)
		}
		dumpDoc(&b, "\t", d.Doc)
	}
	return b.String()
}

func dumpDoc(b *strings.Builder, indent, doc string) {
	for line := range strings.Lines(doc) {
		b.WriteString(strings.TrimRight(indent+"# "+line, " \n") + "\n")
	}
}

func join[T fmt.Stringer](list []T, sep string) string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = x.String()
	}
	return strings.Join(out, sep)
}
