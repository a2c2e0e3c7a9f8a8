package gen1

import (
	"errors"
	"reflect"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// Error returns the ErrorType of errors of type E, which is a type or a pointer to one.
// Such an error is sent with the name and the code, and with its encoding as data.
func Error[E error](name string, code rpc.Code) *rpc.ErrorType {
	return &rpc.ErrorType{Name: name, Code: code, Funcs: contract.ErrorFuncs{Match: match[E], Decode: decode[E]}}
}

func match[E error](err error) (data any, ok bool) {
	switch e := any(err).(type) {
	case E:
		return e, true
	case *E: // if the type is an error, so is a pointer to it
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

// ErrorValue returns the ErrorType of an error that is the value of a variable. It is
// sent with the name and the code, without data.
func ErrorValue(name string, code rpc.Code, value error) *rpc.ErrorType {
	return &rpc.ErrorType{Name: name, Code: code, Funcs: contract.ErrorFuncs{
		Match:  func(err error) (any, bool) { return nil, contract.IsSelf(err, value) },
		Decode: func(func(any) error) (error, error) { return value, nil },
	}}
}
