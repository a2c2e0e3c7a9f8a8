package interop

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/jhttp"
	geth "github.com/ethereum/go-ethereum/rpc"
)

// cli is the program wirecall, which is built once.
var cli = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wirecall")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "wirecall")
	out, err := exec.Command("go", "build", "-o", file, "github.com/wirecall/wirecall/cmd/wirecall").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := cli(); err == nil {
		os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// hang is after how long a command is taken to hang.
const hang = 30 * time.Second

// A session of the command line has a command a line, which begins with $ and has URL for the
// server's, and below it what it prints, in which … stands for anything, and its exit status if
// that is not 0.
func session(t *testing.T, url, text string) {
	t.Helper()
	program, err := cli()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split("\n"+strings.TrimSpace(text)+"\n", "\n$ wirecall ")[1:] {
		line, want, _ := strings.Cut(part, "\n")
		var args []string
		for _, word := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(strings.ReplaceAll(line, "URL", url), -1) {
			args = append(args, strings.Trim(word, "'"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), hang)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, args...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			out.WriteString(err.Error() + "\n")
		}
		pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", ".*?") + "$"
		if got := strings.TrimSpace(out.String()); !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("wirecall %s\n%s\nwant\n%s", line, got, want)
		}
	}
}

// gethChain is a service with a subscription, eth_subscribe, in go-ethereum's server.
type gethChain struct{}

func (gethChain) ChainId() string { return "0x1" }

// NewHeads sends three headers.
func (gethChain) NewHeads(ctx context.Context) (*geth.Subscription, error) {
	notifier, _ := geth.NotifierFromContext(ctx)
	sub := notifier.CreateSubscription()
	go func() {
		for _, n := range []string{"0x1", "0x2", "0x3"} {
			notifier.Notify(sub.ID, map[string]string{"number": n})
		}
	}()
	return sub, nil
}

const undescribed = "wirecall: the server does not describe itself: it has no method rpc.discover, which a wirecall server has with ServerOptions.Describe. Call and watch work without\nexit status 1"

// calcSession is what every server of Calc answers that takes parameters by position.
const calcSession = `
$ wirecall call -position URL calc_add a:=20 b:=22
42
$ wirecall call -params [20,22] URL calc_add
42
$ wirecall call -position URL calc_fail code:=77 'detail=the reason'
wirecall: calc_fail: failed as asked (code 77)
{"detail":"the reason"}
exit status 1
$ wirecall list URL
` + undescribed + `
$ wirecall describe URL calc_add
` + undescribed

func gethServer(t *testing.T) (*geth.Server, gethCalc) {
	t.Helper()
	srv, calc := geth.NewServer(), gethCalc{make(chan string, 10)}
	t.Cleanup(srv.Stop)
	if err := errors.Join(srv.RegisterName("calc", calc), srv.RegisterName("eth", gethChain{})); err != nil {
		t.Fatal(err)
	}
	return srv, calc
}

func TestCommandsWithGeth(t *testing.T) {
	srv, calc := gethServer(t)
	ts := httptest.NewServer(srv.WebsocketHandler(nil))
	defer ts.Close()
	session(t, "ws"+strings.TrimPrefix(ts.URL, "http"), calcSession+`
$ wirecall call URL eth_chainId
"0x1"
$ wirecall call -raw URL eth_chainId
0x1
$ wirecall call URL eth_nothing
wirecall: eth_nothing: the method eth_nothing does not exist/is not available (code -32601)
exit status 1
$ wirecall call -position URL calc_add a=20 b:=22
wirecall: name=text is a string here, as the server does not describe itself; name:=JSON is a number, a list or an object
wirecall: calc_add: invalid argument 0: json: cannot unmarshal string into Go value of type int (code -32602)
exit status 1
$ wirecall call URL calc_add a:=20 b:=22
wirecall: calc_add: non-array args (code -32602)
exit status 1
$ wirecall call -notify -position URL calc_note text=noted
$ wirecall watch -n 2 -subscription ethereum URL eth_newHeads
{"number":"0x1"}
{"number":"0x2"}
$ wirecall watch -n 3 -params '["newHeads"]' URL eth_subscribe
{"number":"0x1"}
{"number":"0x2"}
{"number":"0x3"}
$ wirecall watch -n 1 -position URL eth_subscribe kind=newHeads
{"number":"0x1"}
$ wirecall watch URL eth_chainId
wirecall: eth_chainId: the server speaks plain JSON-RPC: say with -subscription how it subscribes, such as -subscription ethereum
exit status 1
$ wirecall watch -subscription nonsense URL eth_newHeads
wirecall: -subscription: want ethereum, substrate, …
exit status 2`)
	if note := <-calc.notes; note != "noted" {
		t.Error(note)
	}
}

func TestCommandsWithGethOverPOST(t *testing.T) {
	srv, _ := gethServer(t)
	ts := httptest.NewServer(srv)
	defer ts.Close()
	session(t, "-post "+ts.URL, calcSession+`
$ wirecall watch -position URL eth_subscribe kind=newHeads
wirecall: eth_subscribe: …
exit status 1`)
}

// jrpc2's server, in each framing that both have.
func TestCommandsWithJRPC2(t *testing.T) {
	for name, framing := range map[string]string{"Line": "lines", "LSP": "headers"} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			notes := make(chan string, 10)
			var served sync.WaitGroup
			served.Go(func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					served.Go(func() { jrpc2.NewServer(jrpc2Calc(notes), nil).Start(jrpc2Framings[name].jrpc2(conn, conn)).Wait() })
				}
			})
			defer served.Wait()
			defer ln.Close()
			session(t, "-framing "+framing+" tcp://"+ln.Addr().String(), calcSession+`
$ wirecall call -notify -position URL calc_note text=noted
$ wirecall call URL calc_nothing
wirecall: calc_nothing: …(code -32601)…
exit status 1`)
			if note := <-notes; note != "noted" {
				t.Error(note)
			}
		})
	}
}

func TestCommandsWithJRPC2OverPOST(t *testing.T) {
	bridge := jhttp.NewBridge(jrpc2Calc(make(chan string, 10)), nil)
	defer bridge.Close()
	ts := httptest.NewServer(bridge)
	defer ts.Close()
	session(t, "-post "+ts.URL, calcSession)
}
