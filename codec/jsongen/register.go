package jsongen

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
)

// A coder encodes and decodes one type, given a pointer to a value.
type coder interface {
	append(dst []byte, v any) []byte
	decode(src []byte, v any) bool
	shape() uint64
}

// A typed is the coder of *T.
type typed[T any] struct {
	appender Appender[T]
	decoder  Decoder[T]
	made     uint64
}

func (t *typed[T]) shape() uint64 { return t.made }

func (t *typed[T]) append(dst []byte, v any) []byte {
	if p := v.(*T); p != nil {
		return t.appender(dst, p)
	}
	return append(dst, "null"...)
}

// decode puts back what was there where the decoder gives up.
func (t *typed[T]) decode(src []byte, v any) bool {
	p := v.(*T)
	if p == nil {
		return false
	}
	old := *p
	if i := space(src, t.decoder(src, space(src, 0), p)); i == len(src) {
		return true
	}
	*p = old
	return false
}

var (
	mu         sync.Mutex
	registered = map[reflect.Type]coder{}

	// known is what has been asked for, whether or not it is registered. It is
	// copied to be written to. Its key is the address of the type's descriptor,
	// which is found in half the time.
	known atomic.Pointer[map[uintptr]coder]
)

// Register says how values of type T are encoded and decoded, from the time when
// the shape of T was as given. If it is another now, because T or a type that it
// holds was changed and nothing generated since, T is left to encoding/json. Where
// several packages register the same type the first wins.
func Register[T any](shape uint64, appender Appender[T], decoder Decoder[T]) {
	mu.Lock()
	defer mu.Unlock()
	if t := reflect.TypeFor[*T](); registered[t] == nil {
		registered[t] = &typed[T]{appender, decoder, shape}
		known.Store(nil)
	}
}

func lookup(v any) coder {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil
	}
	if m := known.Load(); m != nil {
		if c, ok := (*m)[reflect.ValueOf(t).Pointer()]; ok {
			return c
		}
	}
	return learn(t)
}

// learn finds out about a type that was not asked for before.
func learn(t reflect.Type) coder {
	mu.Lock()
	defer mu.Unlock()
	m := map[uintptr]coder{}
	if old := known.Load(); old != nil {
		m = maps.Clone(*old)
	}
	c := registered[t]
	if c != nil && c.shape() != Shape(t.Elem()) {
		c = nil
	}
	m[reflect.ValueOf(t).Pointer()] = c
	known.Store(&m)
	return c
}

// Append appends what v points to, and returns nil if that is not for us.
func Append(dst []byte, v any) []byte {
	if c := lookup(v); c != nil {
		return c.append(dst, v)
	}
	return nil
}

// Decode decodes src into what v points to, and returns false, with nothing
// changed, if that is not for us.
func Decode(src []byte, v any) bool {
	c := lookup(v)
	return c != nil && c.decode(src, v)
}

// Go's own types need nothing generated.
func init() {
	builtin(AppendBool[bool], Bool[bool])
	builtin(AppendString[string], String[string])
	builtin(AppendInt[int], Int[int])
	builtin(AppendInt[int8], Int[int8])
	builtin(AppendInt[int16], Int[int16])
	builtin(AppendInt[int32], Int[int32])
	builtin(AppendInt[int64], Int[int64])
	builtin(AppendUint[uint], Uint[uint])
	builtin(AppendUint[uint8], Uint[uint8])
	builtin(AppendUint[uint16], Uint[uint16])
	builtin(AppendUint[uint32], Uint[uint32])
	builtin(AppendUint[uint64], Uint[uint64])
	builtin(AppendUint[uintptr], Uint[uintptr])
	builtin(AppendFloat[float32], Float[float32])
	builtin(AppendFloat[float64], Float[float64])
	builtin(AppendBytes[[]byte], Bytes[[]byte])
	builtin(AppendTime, Time)
	builtin(AppendRaw, Raw)
	builtin(AppendAny, Any)
	builtin(func(dst []byte, v *[]string) []byte { return AppendSlice(dst, v, AppendString) },
		func(s []byte, i int, v *[]string) int { return Slice(s, i, v, String) })
}

func builtin[T any](appender Appender[T], decoder Decoder[T]) {
	Register(Shape(reflect.TypeFor[T]()), appender, decoder)
}
