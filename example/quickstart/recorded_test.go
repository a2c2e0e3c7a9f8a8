package main

import (
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/example/quickstart/deploy"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// The cluster still does what it did when wirecall record wrote the file.
func TestRecordedCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rpctest.Replay(t, "testdata/operator.txt", deploy.ClusterService(newCluster()))
	})
}

// So does the operator, without a cluster.
func TestRecordedOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan string, 2)
		events <- "instance 7 is alive"
		events <- "nobody reads the logs of web"
		o := &operator{out: t.Output(), events: events}
		o.cluster = deploy.NewClusterClient(rpctest.ReplayServer(t.Context(), t, "testdata/operator.txt", &rpc.ConnOptions{
			Services: []rpc.Service{deploy.OperatorService(o)},
		}))
		if err := o.operate(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
