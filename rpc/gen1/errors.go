package gen1

import (
	"errors"
	"reflect"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// Error describes errors of type E, a type or a pointer to one, which cross with a
// name and a code; their encoding is the data beside them.
func Error[E error](name string, code rpc.Code) *rpc.ErrorType {
	return &rpc.ErrorType{Name: name, Code: code, Funcs: contract.ErrorFuncs{Match: match[E], Decode: decode[E]}}
}

func match[E error](err error) (data any, ok bool) {
	switch e := any(err).(type) {
	case E:
		return e, true
	case *E: // where the type is an error, its pointer is one as well
		return e, true
	}
	return nil, false
}

func decode[E error](data func(v any) error) (error, error) {
	var e E
	if err := data(&e); err != nil {
		return nil, err
	}
	if v := reflect.ValueOf(e); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("rpc: the data of the error is null")
	}
	return e, nil
}

// ErrorValue describes an error that a variable holds. It crosses with a name and a
// code, and no data.
func ErrorValue(name string, code rpc.Code, value error) *rpc.ErrorType {
	return &rpc.ErrorType{Name: name, Code: code, Funcs: contract.ErrorFuncs{
		Match:  func(err error) (any, bool) { return nil, contract.IsSelf(err, value) },
		Decode: func(func(any) error) (error, error) { return value, nil },
	}}
}
