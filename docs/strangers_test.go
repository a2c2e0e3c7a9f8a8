package docs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"net"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// Eth is a part of the API of Ethereum's nodes.
//
//wirecall:service names=eth_methodName
//wirecall:params position
//wirecall:error Reverted 3
type Eth interface {
	// BlockNumber returns the number of the latest block, in hexadecimal.
	BlockNumber(ctx context.Context) (string, error)

	// GetBalance returns a balance, at the latest block if block is nil.
	GetBalance(ctx context.Context, address string, block *string) (string, error)
}

// Chain is another part of it.
//
//wirecall:service names=eth_methodName
//wirecall:params position
type Chain interface {
	// NewHeads streams the headers of blocks as they become the head of the chain.
	//
	//wirecall:subscription ethereum
	NewHeads(ctx context.Context) (iter.Seq2[Header, error], error)
}

// A Header is what a block begins with.
type Header struct {
	Number string `json:"number"`
	Hash   string `json:"hash"`
}

// Author is a part of the API of Substrate's nodes.
//
//wirecall:service names=author_methodName
type Author interface {
	// SubmitAndWatchExtrinsic submits a transaction and streams what becomes of it.
	//
	//wirecall:subscription substrate notify=author_extrinsicUpdate unsubscribe=author_unwatchExtrinsic
	SubmitAndWatchExtrinsic(ctx context.Context, extrinsic string) (iter.Seq2[string, error], error)
}

// follow prints the heads of a chain.
func follow(ctx context.Context, eth Chain) error {
	heads, err := eth.NewHeads(ctx)
	if err != nil {
		return err
	}
	for head, err := range heads {
		if err != nil {
			return err
		}
		fmt.Println(head.Number, head.Hash)
	}
	return nil
}

func Example_subscription() {
	near, far := net.Pipe()
	go answer(far,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`, // rpc.hello
		`{"jsonrpc":"2.0","id":2,"result":"0x9c"}
{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x9c","result":{"number":"0x1","hash":"0xaa"}}}
{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x9c","result":{"number":"0x2","hash":"0xbb"}}}
{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x9c","error":{"code":-32000,"message":"out of sync"}}}`,
	)
	conn, err := rpc.NewConn(context.Background(), near, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(follow(context.Background(), NewChainClient(conn)))
	// Output:
	// {"jsonrpc":"2.0","id":2,"method":"eth_subscribe","params":["newHeads"]}
	// 0x1 0xaa
	// 0x2 0xbb
	// out of sync
}

// Reverted is the error of a call that a contract has reverted: what it returned.
type Reverted string

func (r Reverted) Error() string { return "execution reverted: " + string(r) }

// Pages is a list that comes in pages.
//
//wirecall:service names=list/methodName
type Pages interface {
	// Page returns a page of the list, the first if cursor is nil.
	//
	//wirecall:params omitempty=cursor
	Page(ctx context.Context, cursor *string, all bool) ([]string, error)
}

func Example_anyServer() {
	ctx := context.Background()
	near, far := net.Pipe()
	go answer(far,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`, // rpc.hello
		`{"jsonrpc":"2.0","id":2,"result":"0x12"}`,
		`{"jsonrpc":"2.0","id":3,"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}`,
		`{"jsonrpc":"2.0","id":4,"result":["a","b"]}`,
	)
	conn, err := rpc.NewConn(ctx, near, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	eth := NewEthClient(conn)
	balance, err := eth.GetBalance(ctx, "0x742d35cc6634c0532925a3b844bc454e4438f44e", nil)
	fmt.Println(balance, err)
	_, err = eth.BlockNumber(ctx)
	reverted, ok := errors.AsType[Reverted](err)
	fmt.Println(string(reverted), ok, rpc.CodeOf(err))
	page, err := NewPagesClient(conn).Page(ctx, nil, true)
	fmt.Println(page, err)
	// Output:
	// {"jsonrpc":"2.0","id":2,"method":"eth_getBalance","params":["0x742d35cc6634c0532925a3b844bc454e4438f44e"]}
	// 0x12 <nil>
	// {"jsonrpc":"2.0","id":3,"method":"eth_blockNumber"}
	// 0x08c379a0 true code 3
	// {"jsonrpc":"2.0","id":4,"method":"list/page","params":{"all":true}}
	// [a b] <nil>
}

// Editor is what a language server calls.
//
//wirecall:service
type Editor interface {
	//wirecall:name window/showMessage
	//wirecall:notify
	ShowMessage(ctx context.Context, message string) error
}

func balanceByHTTP(ctx context.Context, address string, latestToken func(context.Context) (string, error)) error {
	caller, err := rpc.NewHTTPCaller("https://node.example.com/rpc", &rpc.HTTPOptions{
		Token:       latestToken,
		BatchWindow: 5 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	balance, err := NewEthClient(caller).GetBalance(ctx, address, nil)
	fmt.Println(balance)
	return err
}

func languageServer(ctx context.Context, pipes io.ReadWriteCloser, editor Editor) (*rpc.Conn, error) {
	conn, err := rpc.NewConn(ctx, pipes, &rpc.ConnOptions{
		Framing:  rpc.ContentLength,
		Plain:    true,
		Services: []rpc.Service{EditorService(editor)},
	})
	return conn, err
}

var _, _ = balanceByHTTP, languageServer // the snippets of the page

// answer is a server that knows nothing of wirecall. It has an answer for each line, and
// prints all but the first.
func answer(conn net.Conn, answers ...string) {
	lines := bufio.NewScanner(conn)
	for i, a := range answers {
		if lines.Scan(); i > 0 {
			fmt.Println(lines.Text())
		}
		fmt.Fprintln(conn, a)
	}
	lines.Scan()
}
