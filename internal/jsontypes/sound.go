package jsontypes

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"
)

// mostLevels is the number of types that may be inside one another in a sound type. Each
// adds at most one level to the JSON, which stays far below what a message may nest.
const mostLevels = 100

var marshaler = reflect.TypeFor[json.Marshaler]()

// soundness holds the types that were found to be sound, and those that were not.
type soundness map[reflect.Type]bool

// of reports whether every value of type t, which is inside the types above, has JSON
// that is UTF-8 and of limited depth. Only a MarshalJSON method can write text that is not
// UTF-8: in all other strings U+FFFD replaces it. Only with a type that holds itself, or
// an interface, does the depth depend on the value.
func (s soundness) of(t reflect.Type, above []reflect.Type) bool {
	switch {
	case s[t] || t == reflect.TypeFor[time.Time]():
		return true
	case len(above) == mostLevels, slices.Contains(above, t), t.Kind() == reflect.Interface, reflect.PointerTo(t).Implements(marshaler):
		return false
	}
	above = append(above, t)
	ok := true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		ok = s.of(t.Elem(), above)
	case reflect.Struct:
		for f := range t.Fields() {
			ok = ok && s.of(f.Type, above)
		}
	}
	s[t] = ok
	return ok
}
