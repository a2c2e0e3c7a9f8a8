package rpc_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// A client that sends several batches before it reads is not cut for it.
func TestBatchesWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := method("Test.Big", func() (any, any) { return nil, new(string) }, func(_ context.Context, c *rpc.Call) error {
			*c.Result.(*string) = strings.Repeat("x", 1000)
			return nil
		})
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{SendQueueBytes: 2000}}, big)
		near, ended := servePipe(context.Background(), srv)
		for i := range 20 {
			fmt.Fprintf(near, `[{"jsonrpc":"2.0","id":%d,"method":"Test.Big"}]`+"\n", i)
			synctest.Wait()
		}
		time.Sleep(2 * time.Second) // the time that a connection which ends may take
		select {
		case err := <-ended:
			t.Errorf("the connection ended: %v", err)
		default:
		}
		go io.Copy(io.Discard, near)
		synctest.Wait()
		near.Close()
	})
}
