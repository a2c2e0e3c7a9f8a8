package contract

import (
	"errors"
	"fmt"
	"reflect"
)

// A localItem is an item of a stream within this process, which is never encoded.
type localItem struct{ item any }

// Decode stores the item in what v points to.
func (l localItem) Decode(v any) error {
	if l.item == nil {
		return errors.New("rpc: no item")
	}
	dst, src := reflect.ValueOf(v).Elem(), reflect.ValueOf(l.item).Elem()
	if !src.Type().AssignableTo(dst.Type()) {
		return fmt.Errorf("rpc: a stream of %v is read as one of %v", src.Type(), dst.Type())
	}
	dst.Set(src)
	return nil
}
