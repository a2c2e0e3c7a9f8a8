package model

import (
	"fmt"
	"strconv"
	"strings"
)

// Key tells types apart, as they are written.
func Key(t *Type) string {
	if t.Kind != Named {
		return UnnamedKey(t, Key)
	}
	return NamedKey(t, Key)
}

// NamedKey tells named types apart, by the keys of their arguments.
func NamedKey(t *Type, key func(*Type) string) string {
	name := t.Pkg.Path + "." + t.Name
	if len(t.Args) == 0 {
		return name
	}
	for _, a := range t.Args {
		name += "," + key(a)
	}
	return name + ";" // where the arguments end
}

// UnnamedKey tells types without a name apart, by the keys of their parts.
func UnnamedKey(t *Type, key func(*Type) string) string {
	switch t.Kind {
	case Pointer:
		return "*" + key(t.Elem)
	case Slice:
		return "[]" + key(t.Elem)
	case Array:
		return "[" + strconv.FormatInt(t.Len, 10) + "]" + key(t.Elem)
	case Map:
		return "map[" + key(t.Key) + "]" + key(t.Elem)
	case Struct:
		var fields strings.Builder
		for _, f := range t.Fields {
			fmt.Fprintf(&fields, "%s %t %s %q;", f.Name, f.Embedded, key(f.Type), f.Tag)
		}
		return "struct{" + fields.String() + "}"
	case Param:
		return "param " + t.Name
	}
	return t.Kind.String()
}
