package jsongen

import (
	"maps"
	"slices"
	"strconv"
	"unsafe"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// An Appender appends a T, and a Decoder decodes one. They are functions of this package
// or generated ones.
type (
	Appender[T any] = func(dst []byte, v *T) []byte
	Decoder[T any]  = func(s []byte, i int, v *T) int
)

// null reports whether the value at s[i] is null, if it is any.
func null(s []byte, i int) bool { return jsonscan.At(s, i, 'n') }

// AppendBool appends a bool.
func AppendBool[T ~bool](dst []byte, v *T) []byte { return strconv.AppendBool(dst, bool(*v)) }

// Bool decodes a bool.
func Bool[T ~bool](s []byte, i int, v *T) int {
	if *v = T(jsonscan.At(s, i, 't')); *v {
		return jsonscan.Word(s, i, "true")
	}
	return jsonscan.Word(s, i, "false")
}

// AppendPointer appends the value to which a pointer points.
func AppendPointer[P ~*T, T any](dst []byte, v *P, elem Appender[T]) []byte {
	if *v == nil {
		return append(dst, "null"...)
	}
	return elem(dst, *v)
}

// Pointer decodes a value and stores a pointer to it.
func Pointer[P ~*T, T any](s []byte, i int, v *P, elem Decoder[T]) int {
	if null(s, i) {
		*v = nil
		return jsonscan.Word(s, i, "null")
	}
	if *v != nil {
		return failed
	}
	p := new(T)
	*v = p
	return elem(s, i, p)
}

// AppendSlice appends a slice.
func AppendSlice[S ~[]T, T any](dst []byte, v *S, elem Appender[T]) []byte {
	if *v == nil {
		return append(dst, "null"...)
	}
	return AppendArray(dst, *v, elem)
}

// AppendArray appends an array.
func AppendArray[T any](dst []byte, v []T, elem Appender[T]) []byte {
	dst = append(dst, '[')
	for i := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst = elem(dst, &v[i]); dst == nil {
			return nil
		}
	}
	return append(dst, ']')
}

// Slice decodes a slice.
func Slice[S ~[]T, T any](s []byte, i int, v *S, elem Decoder[T]) int {
	switch {
	case null(s, i):
		*v = nil
		return jsonscan.Word(s, i, "null")
	case *v != nil || !jsonscan.At(s, i, '['):
		return failed
	}
	var zero T
	list := S{}
	if i = jsonscan.Space(s, i+1); jsonscan.At(s, i, ']') {
		*v = list
		return i + 1
	}
	list = make(S, 0, room(unsafe.Sizeof(zero)))
	for {
		list = append(list, zero)
		i = jsonscan.Space(s, elem(s, i, &list[len(list)-1]))
		switch {
		case jsonscan.At(s, i, ']'):
			*v = list
			return i + 1
		case !jsonscan.At(s, i, ','):
			return failed
		}
		i = jsonscan.Space(s, i+1)
	}
}

// room returns the capacity of a new slice, given the size of an element.
func room(size uintptr) int { return int(64/(size+1)) + 1 }

// Array decodes an array of exactly len(v) elements.
func Array[T any](s []byte, i int, v []T, elem Decoder[T]) int {
	if !jsonscan.At(s, i, '[') {
		return failed
	}
	for n := range v {
		if n > 0 && !jsonscan.At(s, i, ',') {
			return failed
		}
		i = jsonscan.Space(s, elem(s, jsonscan.Space(s, i+1), &v[n]))
	}
	if len(v) == 0 {
		i = jsonscan.Space(s, i+1)
	}
	if !jsonscan.At(s, i, ']') {
		return failed
	}
	return i + 1
}

// AppendMap appends a map, sorted by its keys.
func AppendMap[M ~map[K]V, K ~string, V any](dst []byte, v *M, elem Appender[V]) []byte {
	if *v == nil {
		return append(dst, "null"...)
	}
	var value V
	dst = append(dst, '{')
	for i, k := range slices.Sorted(maps.Keys(*v)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonscan.AppendString(dst, string(k)), ':')
		value = (*v)[k]
		if dst = elem(dst, &value); dst == nil {
			return nil
		}
	}
	return append(dst, '}')
}

// Map decodes a map.
func Map[M ~map[K]V, K ~string, V any](s []byte, i int, v *M, elem Decoder[V]) int {
	switch {
	case null(s, i):
		*v = nil
		return jsonscan.Word(s, i, "null")
	case *v != nil || !jsonscan.At(s, i, '{'):
		return failed
	}
	m := M{}
	*v = m
	if i = jsonscan.Space(s, i+1); jsonscan.At(s, i, '}') {
		return i + 1
	}
	var zero, value V
	for {
		var k K
		i = jsonscan.Colon(s, String(s, i, &k))
		value = zero
		i = jsonscan.Space(s, elem(s, i, &value))
		switch {
		case jsonscan.At(s, i, '}'):
			m[k] = value
			return i + 1
		case !jsonscan.At(s, i, ','):
			return failed
		}
		m[k] = value
		i = jsonscan.Space(s, i+1)
	}
}

// Quoted decodes a value inside quotation marks.
func Quoted[T any](s []byte, i int, v *T, elem Decoder[T]) int {
	if !jsonscan.At(s, i, '"') {
		return failed
	}
	if i = elem(s, i+1, v); !jsonscan.At(s, i, '"') {
		return failed
	}
	return i + 1
}
