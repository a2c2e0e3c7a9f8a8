package model

// A Kind is a form of Type.
type Kind int

// The kinds. Those before Any are Go's basic types, in whose names they are
// printed.
const (
	Bool Kind = iota
	Int
	Int8
	Int16
	Int32
	Int64
	Uint
	Uint8
	Uint16
	Uint32
	Uint64
	Uintptr
	Float32
	Float64
	String

	Any     // any JSON value
	Pointer // to Elem, or null
	Slice   // of Elem; base64 text where Elem is Uint8
	Array   // of Len times Elem
	Map     // of Key to Elem
	Struct  // of Fields
	Named   // Name of package Pkg, with Args if it is generic
	Param   // type parameter Name, only in what a Generic is

	// These stand only where a Def says what a named type is.
	Time   // RFC 3339 text
	Text   // text of the type's own making, by MarshalText
	Custom // JSON of the type's own making, by MarshalJSON: that of Elem, if it is set
	Raw    // JSON left as it is
)

// A Type is a type as it was written: a reference to a named type, or an
// alias, stays one.
type Type struct {
	Kind Kind

	Elem   *Type  // Pointer, Slice, Array, Map, Custom
	Key    *Type  // Map
	Len    int64  // Array
	Length []Word // Array: the length as it was written, where that is no literal
	Fields []*Field

	Pkg  Import // Named
	Name string // Named, and basic types: uint8 may have been written as byte
	Args []*Type

	// Unwritable is set where an Array's length cannot be written as it was, and
	// Varies where it may differ between platforms.
	Unwritable, Varies bool
}

// A Word is a part of an expression: the name of something that a package
// declares, or other text.
type Word struct {
	Text string
	Pkg  Import
}

// An Import is a package that a type is from; zero for predeclared types.
type Import struct{ Path, Name string }

// A Field is a field of a struct.
type Field struct {
	Name     string // in Go
	Pkg      string // the path of the package that declares it
	Embedded bool
	Tag      string // as written, without quotes
	Type     *Type
	Doc      string

	Wire     string // in JSON; empty where the field does not cross or is flattened
	Flat     bool   // its own fields stand in its place
	Tagged   bool   // Wire is from the tag
	Omit     bool   // omitempty or omitzero: left out where it is zero
	Empty    bool   // omitempty
	Zero     bool   // omitzero
	InString bool   // the tag's string option: a number or bool in quotes
}

// Is reports whether t is the named type of a package.
func (t *Type) Is(path, name string) bool {
	return t.Kind == Named && t.Pkg.Path == path && t.Name == name
}

// Names calls f with the name of everything of a package that writing t mentions.
func (t *Type) Names(f func(pkg Import, name string)) {
	t.Walk(func(t *Type) {
		if t.Kind == Named {
			f(t.Pkg, t.Name)
		}
		for _, w := range t.Length {
			if w.Pkg.Path != "" {
				f(w.Pkg, w.Text)
			}
		}
	})
}

// Walk calls f with t and every type that t is written with.
func (t *Type) Walk(f func(*Type)) {
	if t == nil {
		return
	}
	f(t)
	t.Elem.Walk(f)
	t.Key.Walk(f)
	for _, a := range t.Args {
		a.Walk(f)
	}
	for _, field := range t.Fields {
		field.Type.Walk(f)
	}
}
