//go:build wasip1

package wasip1

import (
	"net"
	"testing"

	"github.com/wirecall/wirecall/internal/browser/lab"
	"github.com/wirecall/wirecall/rpc"
)

// A client and a server do their work over a byte stream.
func TestClient(t *testing.T) {
	near, far := net.Pipe()
	srv := lab.NewServer(nil)
	go srv.ServeConn(t.Context(), far)
	conn, err := rpc.NewConn(t.Context(), near, nil)
	check(t, err)
	defer conn.Close()
	client := lab.NewLabClient(conn)

	if got, err := client.Echo(t.Context(), "hello"); got != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	n, err := client.Check(t.Context(), func(yield func(int, error) bool) {
		for i := 0; i < 5000 && yield(i, nil); i++ {
		}
	})
	if n != 5000 || err != nil {
		t.Errorf("%d numbers arrived, %v", n, err)
	}
	numbers, err := client.Count(t.Context(), 0, 5000)
	check(t, err)
	want := 0
	for n, err := range numbers {
		check(t, err)
		if n != want {
			t.Fatalf("got %d, want %d", n, want)
		}
		want++
	}
	if want != 5000 {
		t.Errorf("%d numbers of 5000", want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
