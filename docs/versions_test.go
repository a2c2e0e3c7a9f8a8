package docs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

//go:generate go tool wirecall gen

// Library is a contract whose method has another name than on the wire, and two
// results.
//
//wirecall:service
type Library interface {
	//wirecall:name Library.Stat
	//wirecall:param title name=name
	//wirecall:result bytes name=size
	Info(ctx context.Context, title string, version int) (bytes int64, pages int, err error)

	//wirecall:notify
	Touch(ctx context.Context, name string) error

	//wirecall:error Gone 410
	Find(ctx context.Context, name string) (shelf string, err error)
}

// Gone is the error of what was there.
type Gone struct{ Name string }

// Error says what is gone.
func (g *Gone) Error() string { return g.Name + " is gone" }

type library struct{}

func (library) Info(ctx context.Context, name string, version int) (int64, int, error) {
	return int64(len(name)), version, nil
}

func (library) Touch(ctx context.Context, name string) error { return nil }

func (library) Find(ctx context.Context, name string) (string, error) {
	if name == "lost" {
		return "", &Gone{Name: name}
	}
	return "b", nil
}

// An object is parameters as a program sends them that was built with another version
// of the contract.
type object = map[string]any

// What versions.md says of parameters and results that one side does not have.
func TestVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := rpctest.Connect(t.Context(), t, LibraryService(library{}))
		call := func(name string, params object, result any) error {
			return conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: name}, Params: params, Result: result})
		}
		var sized struct{ Size int64 }
		if err := call("Library.Stat", object{"name": "four"}, &sized); err != nil || sized.Size != 4 {
			t.Error("without a parameter, and without a result:", sized, err)
		}
		var r struct {
			Size  int64
			Pages int
			More  string
		}
		if err := call("Library.Stat", object{"name": "four", "version": 2, "more": true}, &r); err != nil || r.Size != 4 || r.Pages != 2 {
			t.Error("with a parameter and a result too many:", r, err)
		}
		if err := call("Library.Stat", object{"title": "four"}, &sized); err != nil || sized.Size != 0 {
			t.Error("with a parameter renamed:", sized, err)
		}
		if err := call("Library.Stat", object{"name": 4}, &sized); rpc.CodeOf(err) != rpc.CodeInvalidParams {
			t.Error("with a parameter of another type:", err)
		}
		if err := call("Library.Info", object{"name": "four"}, &sized); rpc.CodeOf(err) != rpc.CodeMethodNotFound {
			t.Error("a method that is not there:", err)
		}
		var one int64
		if err := call("Library.Stat", object{"name": "four"}, &one); err == nil {
			t.Error("one result in place of two:", one)
		}
		if err := call("Library.Find", object{"name": "four"}, &sized); err == nil {
			t.Error("two results in place of one:", sized)
		}
		if err := call("Library.Find", object{"name": "four"}, &one); err == nil {
			t.Error("a result of another type:", one)
		}
		err := call("Library.Find", object{"name": "lost"}, nil)
		var gone Gone
		if e, ok := errors.AsType[*rpc.Error](err); !ok || e.Code != 410 || e.Decode(&gone) != nil || gone.Name != "lost" {
			t.Errorf("an error that the caller does not declare: %#v", err)
		}
		if err := call("Library.Touch", object{"name": "four"}, nil); err != nil {
			t.Error("a notification that is called:", err)
		}
		find := &rpc.Method{Name: "Library.Find", Notify: true}
		if err := conn.Call(t.Context(), &rpc.Call{Method: find, Params: object{"name": "four"}}); err != nil {
			t.Error("a call that is notified:", err)
		}
	})
}
