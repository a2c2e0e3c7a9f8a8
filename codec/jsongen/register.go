package jsongen

import (
	"reflect"

	"github.com/wirecall/wirecall/internal/jsontypes"
)

// Register sets how values are encoded and decoded of the type to which pointers like
// v, nil or not, point. The functions are used only if the shape of the type, a hash
// of everything that its JSON depends on, is as given: if the type or one inside it has
// changed since its code was generated, it is left to encoding/json. Several packages
// may register the same type.
func Register(v any, shape uint64, appender func(dst []byte, v any) []byte, decoder func(s []byte, i int, v any) int) {
	jsontypes.Register(v, shape, appender, decoder)
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
	Register((*T)(nil), jsontypes.Shape(reflect.TypeFor[T]()), func(dst []byte, v any) []byte { return appender(dst, v.(*T)) },
		func(s []byte, i int, v any) int { return decoder(s, i, v.(*T)) })
}
