package docs_test

import (
	"context"
	"testing"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A Message is what was said.
type Message struct{ Author, Text string }

// Board has a parameter whose name in Go is not that on the wire.
//
//wirecall:service
type Board interface {
	//wirecall:param by name=author
	Post(ctx context.Context, by, text string) (Message, error)
}

// Wall is Board with another name on the wire, and accepts the old one.
//
//wirecall:service
type Wall interface {
	//wirecall:param by alias=author
	Post(ctx context.Context, by, text string) (Message, error)
}

// LoansFirst accepts a new name of a parameter.
//
//wirecall:service
type LoansFirst interface {
	//wirecall:param title name=name alias=title
	Loans(ctx context.Context, title string) (int, error)
}

// LoansThen sends it.
//
//wirecall:service
type LoansThen interface {
	//wirecall:param title alias=name
	Loans(ctx context.Context, title string) (int, error)
}

type board struct{}

func (board) Post(_ context.Context, by, text string) (Message, error) { return Message{by, text}, nil }

func (board) Loans(_ context.Context, title string) (int, error) { return len(title), nil }

// What contracts.md and versions.md say of names on the wire.
func TestNamesOnTheWire(t *testing.T) {
	conn := rpctest.Connect(t.Context(), t, BoardService(board{}), WallService(board{}), LoansFirstService(board{}), LoansThenService(board{}))
	post := func(method string, params object) (m Message, err error) {
		err = conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: method}, Params: params, Result: &m})
		return m, err
	}
	want := Message{"ann", "hello"}
	for _, accepted := range []struct{ method, name string }{{"Board.Post", "author"}, {"Wall.Post", "by"}, {"Wall.Post", "author"}} {
		if m, err := post(accepted.method, object{accepted.name: "ann", "text": "hello"}); m != want || err != nil {
			t.Errorf("%s with %s: %v, %v", accepted.method, accepted.name, m, err)
		}
	}
	if _, err := post("Wall.Post", object{"by": "ann", "author": "bob", "text": "hello"}); rpc.CodeOf(err) != rpc.CodeInvalidParams {
		t.Errorf("two names of one parameter: %v", err)
	}
	for _, method := range []string{"LoansFirst.Loans", "LoansThen.Loans"} {
		for _, name := range []string{"title", "name"} {
			var n int
			err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: method}, Params: object{name: "four"}, Result: &n})
			if n != 4 || err != nil {
				t.Errorf("%s with %s: %d, %v", method, name, n, err)
			}
		}
	}
}
