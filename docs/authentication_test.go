package docs_test

import (
	"testing"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
)

func TestRoles(t *testing.T) {
	srv := rpc.NewServer(nil)
	srv.Register(files.StoreService(&files.Memory{}))
	for m := range srv.Methods() {
		if m.Option("role") == "" {
			t.Errorf("%s has no role", m.Name)
		}
	}
}
