package jsontypes

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"
)

// mostLevels is how many types a sound one may be made of, one inside the other.
// Each adds a level to its JSON at most, so that it stays far from what a message
// may nest.
const mostLevels = 100

var marshaler = reflect.TypeFor[json.Marshaler]()

// soundness holds the types that were found to be sound, and those that were not.
type soundness map[reflect.Type]bool

// of reports whether the JSON of a type, which is inside of others, is UTF-8
// and of bounded depth whatever the value. Only a MarshalJSON can write text that
// is not UTF-8: in all other strings it is replaced by U+FFFD. Only a type
// that holds itself, or an interface, is as deep as its value.
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
