package docs_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/wirecall/wirecall/rpc"
)

func Example_withoutGeneratedCode() {
	srv := rpc.NewServer(nil)
	srv.Register(rpc.Service{Methods: []*rpc.Method{{
		Name: "eth_chainId",
		New:  func() (any, any) { return nil, new(string) },
		Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*string) = "0x1"
			return nil
		},
	}}})
	hs := httptest.NewServer(srv)
	defer hs.Close()
	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	var id string
	err = conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "eth_chainId"}, Result: &id})
	fmt.Println(id, err)
	// Output: 0x1 <nil>
}
