// Package ethnode calls go-ethereum's node, with a simulated chain, by the interface of
// example/ethereum.
package ethnode

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"iter"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/ethclient/simulated"
	"github.com/ethereum/go-ethereum/node"

	"github.com/wirecall/wirecall/example/ethereum/eth"
	"github.com/wirecall/wirecall/rpc"
)

// A chain is a node whose blocks the test makes, and a client of it.
type chain struct {
	*simulated.Backend
	eth.Node
	conn *rpc.Conn
	key  *ecdsa.PrivateKey // of the account that has money
	t    *testing.T

	mu     sync.Mutex
	socket net.Conn // the latest
}

// start starts a node and connects to its socket.
func start(t *testing.T) *chain {
	c := &chain{t: t}
	var err error
	if c.key, err = crypto.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "geth.ipc")
	rich := types.GenesisAlloc{crypto.PubkeyToAddress(c.key.PublicKey): {Balance: big.NewInt(1e18)}}
	c.Backend = simulated.NewBackend(rich, func(n *node.Config, _ *ethconfig.Config) { n.IPCPath = path })
	t.Cleanup(func() { c.Backend.Close() })
	c.conn, err = rpc.Dial(t.Context(), "unix://"+path, &rpc.DialOptions{NetDial: c.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	c.Node = eth.NewNodeClient(c.conn)
	return c
}

func (c *chain) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.socket = conn
	return conn, err
}

// cut closes the client's socket under it.
func (c *chain) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.socket.Close()
}

// send makes a block with a transaction to an address, nil for a new contract, whose
// address it returns.
func (c *chain) send(to *common.Address, data []byte) (created common.Address) {
	c.t.Helper()
	client, ctx, from := c.Client(), c.t.Context(), crypto.PubkeyToAddress(c.key.PublicKey)
	id, err := client.ChainID(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	nonce, err := client.PendingNonceAt(ctx, from)
	if err != nil {
		c.t.Fatal(err)
	}
	tx, err := types.SignNewTx(c.key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: to, Data: data, Gas: 200_000, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(1e9)})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := client.SendTransaction(ctx, tx); err != nil {
		c.t.Fatal(err)
	}
	c.Commit()
	return crypto.CreateAddress(from, nonce)
}

// take returns a function for the items of a stream, one by one.
func take[T any](t *testing.T, items iter.Seq2[T, error], err error) (next func() T, stop func()) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	pull, stop := iter.Pull2(items)
	t.Cleanup(stop)
	return func() T {
		t.Helper()
		item, err, ok := pull()
		if err != nil || !ok {
			t.Fatal("the stream has ended: ", err)
		}
		return item
	}, stop
}

func TestCalls(t *testing.T) {
	c, ctx := start(t), t.Context()
	if !c.conn.Plain() {
		t.Error("the node speaks wirecall")
	}
	if id, err := c.ChainID(ctx); id != 1337 || err != nil {
		t.Error(id, err)
	}
	hash := c.Commit()
	if n, err := c.BlockNumber(ctx); n != 1 || err != nil {
		t.Error(n, err)
	}
	if b, err := c.GetBlockByNumber(ctx, 1, true); err != nil || b == nil || b.Hash != hash.Hex() || b.Number != 1 {
		t.Error(b, err)
	}
	if b, err := c.GetBlockByNumber(ctx, 2, false); b != nil || err != nil {
		t.Error(b, err)
	}
}

// returns42 and reverts42 are contracts whose creation returns 42, or reverts with it.
const (
	returns42 = "0x602a60005260206000f3"
	reverts42 = "0x602a60005260206000fd"
)

// Errors have the node's codes and data. An optional parameter at the end is left out.
func TestErrors(t *testing.T) {
	c, ctx := start(t), t.Context()
	answer := "0x" + strings.Repeat("0", 62) + "2a"
	if got, err := c.Call(ctx, eth.Call{Input: returns42}, nil); got != answer || err != nil {
		t.Error(got, err)
	}
	first := eth.Quantity(0)
	if got, err := c.Call(ctx, eth.Call{Input: returns42}, &first); got != answer || err != nil {
		t.Error(got, err)
	}
	_, err := c.Call(ctx, eth.Call{Input: reverts42}, nil)
	reverted, ok := errors.AsType[eth.Reverted](err)
	if !ok || string(reverted) != answer || rpc.CodeOf(err) != 3 {
		t.Errorf("%v, code %d, %q", err, rpc.CodeOf(err), reverted)
	}
	_, err = c.Call(ctx, eth.Call{Input: "no hexadecimal"}, nil)
	if rpc.CodeOf(err) != rpc.CodeInvalidParams {
		t.Errorf("%v, code %d", err, rpc.CodeOf(err))
	}
	unknown := &rpc.Call{Method: &rpc.Method{Name: "eth_nothing"}}
	if err := c.conn.Call(ctx, unknown); rpc.CodeOf(err) != rpc.CodeMethodNotFound {
		t.Error(err)
	}
}

func TestNewHeads(t *testing.T) {
	c, ctx := start(t), t.Context()
	heads, err := c.NewHeads(ctx)
	next, stop := take(t, heads, err)
	others, err := c.NewHeads(ctx)
	nextOther, _ := take(t, others, err)
	for n := range eth.Quantity(3) {
		hash := c.Commit()
		for _, b := range []eth.Block{next(), nextOther()} {
			if b.Number != n+1 || b.Hash != hash.Hex() {
				t.Error(b, "want", n+1, hash)
			}
		}
	}
	stop() // unsubscribes the one and not the other
	hash := c.Commit()
	if b := nextOther(); b.Hash != hash.Hex() {
		t.Error(b, "want", hash)
	}
	if _, err := c.BlockNumber(ctx); err != nil {
		t.Error(err)
	}
	if st := c.conn.Stats(); st.StreamsTaken != 1 {
		t.Errorf("%+v", st)
	}
}

// logs42 creates a contract that logs 42 when it is called.
const logs42 = "0x600b600c600039600b6000f3602a60005260206000a000"

func TestLogs(t *testing.T) {
	c, ctx := start(t), t.Context()
	one := c.send(nil, hexutil.MustDecode(logs42))
	other := c.send(nil, hexutil.MustDecode(logs42))
	all, err := c.Logs(ctx, eth.Filter{})
	nextOfAll, _ := take(t, all, err)
	some, err := c.Logs(ctx, eth.Filter{Address: []string{one.Hex()}})
	nextOfOne, _ := take(t, some, err)
	want := func(l eth.Log, address common.Address, block int64) {
		t.Helper()
		if !strings.EqualFold(l.Address, address.Hex()) || l.Block != eth.Quantity(block) || l.Data != "0x"+strings.Repeat("0", 62)+"2a" {
			t.Errorf("%+v: want one of %v in block %d", l, address, block)
		}
	}
	c.send(&other, nil)
	c.send(&one, nil)
	want(nextOfAll(), other, 3)
	want(nextOfAll(), one, 4)
	want(nextOfOne(), one, 4)
	from := eth.Quantity(0)
	logs, err := c.GetLogs(ctx, eth.Filter{FromBlock: &from, Address: []string{other.Hex()}})
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	want(logs[0], other, 3)
}

// A subscription ends with its socket. The connection is made again, and carries
// another one.
func TestReconnects(t *testing.T) {
	c, ctx := start(t), t.Context()
	heads, err := c.NewHeads(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.cut()
	if _, err := rpc.Collect(heads); rpc.CodeOf(err) != rpc.CodeUnavailable {
		t.Error(err)
	}
	heads, err = c.NewHeads(ctx)
	next, _ := take(t, heads, err)
	hash := c.Commit()
	if b := next(); b.Hash != hash.Hex() {
		t.Error(b, "want", hash)
	}
	if !c.conn.Plain() || c.conn.State().Session != 2 {
		t.Errorf("%+v", c.conn.State())
	}
}
