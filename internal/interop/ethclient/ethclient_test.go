package ethclient

import (
	"errors"
	"fmt"
	"math/big"
	"net/http/httptest"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/wirecall/wirecall/rpc"
)

var alice, bob = common.Address{1}, common.Address{2}

// serve serves a chain of one block and returns its host and port.
func serve(t *testing.T) (*chain, *rpc.Server, string) {
	c := newChain()
	c.add()
	srv := rpc.NewServer(nil)
	srv.Register(EthService(c))
	t.Cleanup(func() { srv.Close() })
	ts := httptest.NewServer(srv)
	t.Cleanup(ts.Close)
	return c, srv, ts.Listener.Addr().String()
}

func dial(t *testing.T, url string) *ethclient.Client {
	t.Helper()
	client, err := ethclient.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestReads(t *testing.T) {
	for _, scheme := range []string{"ws", "http"} {
		t.Run(scheme, func(t *testing.T) {
			c, _, addr := serve(t)
			c.add(alice, bob)
			c.add(alice)
			client, ctx := dial(t, scheme+"://"+addr), t.Context()
			if id, err := client.ChainID(ctx); err != nil || id.Int64() != 1337 {
				t.Error(id, err)
			}
			if n, err := client.BlockNumber(ctx); err != nil || n != 2 {
				t.Error(n, err)
			}
			first, err := client.HeaderByNumber(ctx, big.NewInt(1))
			if err != nil {
				t.Fatal(err)
			}
			if latest, err := client.HeaderByNumber(ctx, nil); err != nil || latest.ParentHash != first.Hash() {
				t.Error(latest, err)
			}
			if h, err := client.HeaderByNumber(ctx, big.NewInt(3)); !errors.Is(err, ethereum.NotFound) {
				t.Error(h, err)
			}
			logs, err := client.FilterLogs(ctx, ethereum.FilterQuery{Addresses: []common.Address{bob}})
			if err != nil || len(logs) != 1 || logs[0].Address != bob || logs[0].BlockHash != first.Hash() {
				t.Error(logs, err)
			}
		})
	}
}

// The data of a declared error is what ethclient takes for the reason of a revert.
func TestRevert(t *testing.T) {
	_, _, addr := serve(t)
	client := dial(t, "ws://"+addr)
	out, err := client.CallContract(t.Context(), ethereum.CallMsg{To: &alice, Data: []byte{7}}, nil)
	if err != nil || string(out) != "\x07" {
		t.Error(out, err)
	}
	_, err = client.CallContract(t.Context(), ethereum.CallMsg{Data: []byte("why")}, nil)
	if data, ok := ethclient.RevertErrorData(err); !ok || string(data) != "why" || err.Error() != "execution reverted" {
		t.Errorf("%v, data %q", err, data)
	}
}

// heads subscribes to new heads.
func heads(t *testing.T, client *ethclient.Client) (<-chan *types.Header, ethereum.Subscription) {
	t.Helper()
	got := make(chan *types.Header)
	sub, err := client.SubscribeNewHead(t.Context(), got)
	if err != nil {
		t.Fatal(err)
	}
	return got, sub
}

// logs subscribes to the logs of an address.
func logs(t *testing.T, client *ethclient.Client, of common.Address) (<-chan types.Log, ethereum.Subscription) {
	t.Helper()
	got := make(chan types.Log)
	sub, err := client.SubscribeFilterLogs(t.Context(), ethereum.FilterQuery{Addresses: []common.Address{of}}, got)
	if err != nil {
		t.Fatal(err)
	}
	return got, sub
}

func wantHead(t *testing.T, got <-chan *types.Header, number int64) {
	t.Helper()
	if h := <-got; h.Number.Int64() != number {
		t.Fatalf("the head %v: want %d", h.Number, number)
	}
}

func wantLog(t *testing.T, got <-chan types.Log, of common.Address, number uint64) {
	t.Helper()
	if l := <-got; l.Address != of || l.BlockNumber != number {
		t.Fatalf("the log %+v: want one of %v in block %d", l, of, number)
	}
}

// Subscriptions of one connection have items of different types, and end one by one.
func TestSubscriptions(t *testing.T) {
	c, _, addr := serve(t)
	client := dial(t, "ws://"+addr)
	blocks, blocksSub := heads(t, client)
	hers, hersSub := logs(t, client, alice)
	his, hisSub := logs(t, client, bob)
	c.add(alice, bob)
	c.add(bob)
	wantHead(t, blocks, 1)
	wantHead(t, blocks, 2)
	wantLog(t, hers, alice, 1)
	wantLog(t, his, bob, 1)
	wantLog(t, his, bob, 2)

	hersSub.Unsubscribe()
	if kind := <-c.left; kind != "logs" {
		t.Error("ended:", kind)
	}
	c.add(alice, bob)
	wantHead(t, blocks, 3)
	wantLog(t, his, bob, 3)
	blocksSub.Unsubscribe()
	if kind := <-c.left; kind != "newHeads" {
		t.Error("ended:", kind)
	}
	c.add(bob)
	wantLog(t, his, bob, 4)
	hisSub.Unsubscribe()
	<-c.left
}

func TestSubscriptionRefused(t *testing.T) {
	_, _, addr := serve(t)
	sub, err := dial(t, "ws://"+addr).Client().EthSubscribe(t.Context(), make(chan any), "syncing")
	if err == nil || err.Error() != `method not found: eth_subscribe of "syncing"` {
		t.Error(sub, err)
	}
}

func TestSubscriptionFails(t *testing.T) {
	c, _, addr := serve(t)
	client := dial(t, "ws://"+addr)
	blocks, sub := heads(t, client)
	c.add()
	wantHead(t, blocks, 1)
	c.breakFeeds(errors.New("feed lost"))
	<-c.left
	if err := <-sub.Err(); err == nil {
		t.Error("no error")
	}
	if n, err := client.BlockNumber(t.Context()); err != nil || n != 1 {
		t.Error("after it:", n, err)
	}
}

// A client whose connection was lost dials again with its next call.
func TestSubscribesAgain(t *testing.T) {
	c, srv, addr := serve(t)
	client := dial(t, "ws://"+addr)
	_, sub := heads(t, client)
	for conn := range srv.Connections() {
		conn.Close()
	}
	<-c.left
	if err := <-sub.Err(); err == nil {
		t.Error("the subscription to a connection that is gone has no error")
	}
	blocks, sub := heads(t, client)
	c.add()
	wantHead(t, blocks, 1)
	sub.Unsubscribe()
	<-c.left
}

// What ethclient can do, a client of the interface can as well, whether it speaks
// wirecall or is held to plain JSON-RPC.
func TestOwnClient(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain %v", plain), func(t *testing.T) {
			c, _, addr := serve(t)
			conn, err := rpc.Dial(t.Context(), "ws://"+addr, &rpc.DialOptions{Plain: plain})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			eth := NewEthClient(conn)
			heads, err := eth.NewHeads(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			logs, err := eth.Logs(t.Context(), Filter{Address: []common.Address{bob}})
			if err != nil {
				t.Fatal(err)
			}
			c.add(alice, bob)
			for h, err := range heads {
				if err != nil || h.Number.Int64() != 1 {
					t.Error(h, err)
				}
				break
			}
			if kind := <-c.left; kind != "newHeads" {
				t.Error("ended:", kind)
			}
			c.breakFeeds(errors.New("feed lost"))
			all, err := rpc.Collect(logs)
			if len(all) != 1 || all[0].Address != bob || err == nil || err.Error() != "feed lost" {
				t.Error(all, err)
			}
			_, err = eth.Call(t.Context(), Call{Input: []byte("why")}, "latest")
			if why, ok := errors.AsType[Reverted](err); !ok || string(why) != "why" {
				t.Error(err)
			}
		})
	}
}
