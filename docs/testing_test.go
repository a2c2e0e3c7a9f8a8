package docs_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

func TestStat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := files.NewStoreClient(rpctest.Connect(t.Context(), t, files.StoreService(&files.Memory{})))
		size, err := store.Put(t.Context(), "a", 0, rpc.Of([]byte("one"), []byte("two")))
		if err != nil || size != 6 {
			t.Fatal(size, err)
		}
		_, err = store.Stat(t.Context(), "b")
		if e, ok := errors.AsType[*files.NotFound](err); !ok || e.Name != "b" {
			t.Error(err)
		}
	})
}
