package model

import (
	"strings"
	"unicode"
)

// InstanceName is the name of a type with those of its arguments, such as PageOfMessage.
func InstanceName(t *Type) string {
	switch t.Kind {
	case Pointer:
		return InstanceName(t.Elem) + "OrNull"
	case Slice:
		return InstanceName(t.Elem) + "List"
	case Array:
		return InstanceName(t.Elem) + "Array"
	case Map:
		return InstanceName(t.Elem) + "By" + Upper(InstanceName(t.Key))
	case Struct:
		return "Struct"
	case Named:
	default:
		return Upper(t.Kind.String())
	}
	if len(t.Args) == 0 {
		return t.Name
	}
	var args []string
	for _, a := range t.Args {
		args = append(args, Upper(InstanceName(a)))
	}
	return t.Name + "Of" + strings.Join(args, "And")
}

// Upper is name with its first letter in upper case.
func Upper(name string) string {
	runes := []rune(name)
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}
